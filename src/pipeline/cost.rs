//! What a run takes, before it is begun: time from the arithmetic of each stage and from what this machine does in a second,
//! memory and disk from the sizes. Rough on purpose: the arithmetic is counted for what costs most.

use std::time::Instant;

use crate::bench::work::Work;
use crate::device::Executor;
use crate::device::recording::{Element, Epilogue, Layout, Recording, Step};
use crate::error::Result;
use crate::formats::{FileInfo, describe_rows};
use crate::store::{Store, is_store};

use super::config::Config;

/// How large a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// All samples.
    pub samples: usize,
    /// Genes.
    pub genes: usize,
    /// Samples to learn from.
    pub train: usize,
    /// Samples of the test part.
    pub held_out: usize,
    /// Landmarks.
    pub landmarks: usize,
    /// Widths of the network's hidden layers.
    pub hidden: Vec<usize>,
}

/// What a stage takes.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// Arithmetic.
    pub work: Vec<Work>,
    /// Bytes read and written in passes over stores.
    pub passes: f64,
    /// Bytes of memory, at its largest.
    pub memory: f64,
    /// Bytes that stay on the disk.
    pub disk: f64,
}

/// Bytes a second of a pass over a store that is computed on: sorted, checked, written and read back.
const PASS: f64 = 400e6;

/// Share of the machine's best rate that a stage reaches.
const SHARE: f64 = 0.5;

/// Memory of a pass over a store: a block of rows and its copies.
const BLOCK: f64 = 128e6;

/// Rows of text that are counted; longer files are estimated by their length.
pub(super) const COUNTED: usize = 1000;

/// Characters of a value in text, and how far text is packed.
const CHARACTERS: f64 = 8.0;
const PACKED: f64 = 2.5;

impl Size {
    /// Bytes of a matrix of so many samples.
    pub fn matrix(&self, samples: usize) -> f64 {
        4.0 * samples as f64 * self.genes as f64
    }

    /// Of a configuration and a matrix.
    pub fn of(config: &Config, samples: usize, genes: usize) -> Size {
        let fractions = &config.split.fractions;
        let part = |share: Option<&f64>| (samples as f64 * share.copied().unwrap_or(0.0)).round() as usize;
        let hidden = config.train.as_ref().map_or(Vec::new(), |train| train.settings(0).hidden);
        let (train, held_out) = (part(fractions.first()), part(fractions.last()));
        let landmarks = config.select.n.unwrap_or(genes / 2);
        Size { samples, genes, train, held_out, landmarks, hidden }
    }

    /// Of matrix files that were not imported yet, as far as they tell; long text tells its length and no more.
    pub fn of_files(config: &Config) -> Result<Size> {
        let import = config.import.options.settings(false);
        let (mut samples, mut genes) = (0, usize::MAX);
        for file in &config.import.files {
            let (n, g) = match is_store(file) {
                true => {
                    let store = Store::open_unchecked(file)?;
                    (store.n_samples(), store.n_genes())
                }
                false => shape(&describe_rows(file, &import.read, import.orientation, COUNTED)?),
            };
            (samples, genes) = (samples + n, genes.min(g));
        }
        Ok(Size::of(config, samples, genes))
    }
}

/// Samples and genes of a file, the rows of text by its length.
pub(super) fn shape(info: &FileInfo) -> (usize, usize) {
    let packed = [".gz", ".bz2", ".zst", ".xz", ".lz4"].iter().any(|ending| info.format.ends_with(ending));
    let text = info.bytes as f64 * if packed { PACKED } else { 1.0 } / CHARACTERS;
    let rows = info.rows.unwrap_or((text / info.columns.max(1) as f64) as usize).max(1);
    if info.rows_are == "genes" { (info.columns, rows) } else { (rows, info.columns) }
}

impl Cost {
    /// Of writing a matrix anew, in blocks.
    pub fn rewriting(bytes: f64) -> Cost {
        Cost { passes: 2.0 * bytes, memory: BLOCK, disk: bytes, ..Cost::default() }
    }

    /// With what is done after it: the memory is that of either.
    pub fn then(self, next: Cost) -> Cost {
        Cost {
            work: [self.work, next.work].concat(),
            passes: self.passes + next.passes,
            memory: self.memory.max(next.memory),
            disk: self.disk + next.disk,
        }
    }

    /// With so many bytes read besides.
    pub fn reading(self, bytes: f64) -> Cost {
        Cost { passes: self.passes + bytes, ..self }
    }

    /// Seconds on a machine of these rates: operations and bytes a second.
    pub fn seconds(&self, (operations, bytes): (f64, f64)) -> f64 {
        let work: f64 = self.work.iter().map(|work| work.floor(operations, bytes)).sum();
        self.passes / PASS + work / SHARE
    }
}

/// What the device does in a second: operations of a product, measured in a moment, and bytes of a copy, as such devices mostly
/// do.
///
/// # Errors
/// [`crate::Error::Device`].
pub fn rates(executor: &mut dyn Executor) -> Result<(f64, f64)> {
    let cpu = executor.name().starts_with("CPU");
    let (side, copy) = if cpu { (256, 10e9) } else { (1024, 300e9) };
    let [a, b, out] =
        ["left", "right", "product"].map(|name| executor.matrix(name, side, side, Element::F32));
    let mut recording = Recording::new();
    recording.product("rate", Layout::Nt, a?, b?, Element::F32, Epilogue::Store { out: out? });
    let program = executor.compile(&recording)?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let started = Instant::now();
        executor.run(program, &Step { rows: side, ..Step::default() })?;
        executor.wait()?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    executor.reset();
    Ok((2.0 * (side as f64).powi(3) / best.max(1e-9), copy))
}

/// A time for a reader.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "under 1 s".into(),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A number of bytes for a reader.
pub fn size(bytes: f64) -> String {
    match bytes {
        b if b < 1e6 => format!("{:.0} kB", (b / 1e3).max(1.0)),
        b if b < 1e9 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}
