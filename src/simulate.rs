//! Made-up matrices with what real compendia have: a few hidden factors behind all genes, study effects, noise, near
//! copies of samples, missing values. For trying things out at any size, and for tests of speed and memory.
//!
//! Every value is a function of (seed, sample, gene), so rows are made in parallel and in any order, memory is a block
//! of rows, and the first samples of a larger matrix are those of a smaller one.

use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::device::random::{Stream, pcg4d};
use crate::device::recording::Element;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::genes::writer::Line;
use crate::memory::Need;
use crate::progress::{Event, Reporter, advance};
use crate::store::atomic::{self, Kind, Output};
use crate::store::{InputFile, Origin, StoreWriter};

/// What to make.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulateSettings {
    /// Rows.
    pub samples: usize,
    /// Columns.
    pub genes: usize,
    /// Hidden factors, the r-th with a share of the variance that falls as 1/r.
    pub rank: usize,
    /// Studies, of uneven size; each shifts all genes along [`STUDY_FACTORS`] directions of its own.
    pub studies: usize,
    /// Standard deviation of the noise, in log2 units. Genes' own are 0.3 to 1.5 before it.
    pub noise: f64,
    /// Share of samples that are near copies of an earlier one, about [`COPY_DISTANCE`] away.
    pub duplicates: f64,
    /// Share of values that are missing: only a text file can say so.
    pub missing: f64,
    /// Type of a store's values.
    pub element: Element,
    /// Of everything.
    pub seed: u64,
}

/// Euclidean distance of a copy from its original.
pub const COPY_DISTANCE: f32 = 0.3;

/// Directions in which studies differ.
pub const STUDY_FACTORS: usize = 8;

/// Values of a block of rows (32 MiB).
const BLOCK: usize = 8 << 20;

/// What a random number is for.
#[derive(Clone, Copy)]
enum Purpose {
    Gene,
    Loading,
    Sample,
    Factor,
    Study,
    Noise,
    Copy,
    Missing,
}

/// Writes a store (`.gex`), or a table of samples × genes (`.tsv`) with its sample columns beside it
/// (`NAME.samples.tsv`, for `import --labels`). Returns what was written. Sample columns are `study` and, where there
/// are copies, `copy_of`.
///
/// # Errors
/// [`Error::Usage`] for settings out of range, missing values in a store, other endings; outputs that exist.
pub fn simulate(
    out: &Path,
    settings: &SimulateSettings,
    force: bool,
    report: Reporter,
) -> Result<Vec<PathBuf>> {
    let simulation = Simulation::new(settings)?;
    let samples = simulation.samples();
    match out.extension().and_then(|ending| ending.to_str()) {
        Some("gex") if settings.missing > 0.0 => Err(Error::Usage(
            "--missing: a store holds no missing values; write a table (-o NAME.tsv) and import it with --missing".into(),
        )),
        Some("gex") => {
            let mut writer = StoreWriter::create(out, settings.genes, settings.element, force)?;
            writer.expect(settings.samples)?;
            simulation.blocks(report, |_, block| writer.push_rows(block))?;
            let origin = Origin { inputs: Vec::<InputFile>::new(), transforms: vec![settings.record()], made_up_genes: true };
            writer.finish(simulation.gene_table(), samples, origin)?;
            Ok(vec![out.to_path_buf()])
        }
        Some("tsv") => {
            let beside = out.with_extension("samples.tsv");
            let both = [out, &beside].map(|path| Output::new(path, Kind::File, force));
            let _ours = atomic::claim(&both, &[])?;
            atomic::write_file(out, force, |file| simulation.write_tsv(file, out, &samples, report))?;
            atomic::write_file(&beside, force, |file| {
                samples.write(file).map_err(Error::io(&beside, "writing"))
            })?;
            Ok(vec![out.to_path_buf(), beside])
        }
        _ => Err(Error::Usage(format!("-o {}: the name must end in .gex or .tsv", out.display()))),
    }
}

impl SimulateSettings {
    fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Usage(what));
        for (name, n) in
            [("samples", self.samples), ("genes", self.genes), ("rank", self.rank), ("studies", self.studies)]
        {
            if n == 0 || n > u32::MAX as usize {
                return wrong(format!("--{name} {n} must be at least 1 and less than 2³²"));
            }
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return wrong(format!("--noise {} must be a number of at least 0", self.noise));
        }
        for (name, share) in [("duplicates", self.duplicates), ("missing", self.missing)] {
            if !(0.0..1.0).contains(&share) {
                return wrong(format!("--{name} {share} must be a share, in [0, 1)"));
            }
        }
        Ok(())
    }

    fn record(&self) -> serde_json::Value {
        serde_json::json!({ "simulate": {
            "rank": self.rank, "studies": self.studies, "noise": self.noise, "duplicates": self.duplicates,
            "seed": self.seed,
        }})
    }
}

/// What all rows share.
struct Simulation<'a> {
    settings: &'a SimulateSettings,
    /// Of the seed; xored with places it must not make one seed's rows another's.
    key: u64,
    /// Mean of every gene.
    base: Vec<f32>,
    /// `rank + STUDY_FACTORS` rows of one value a gene.
    loadings: Vec<f32>,
}

impl Simulation<'_> {
    fn new(settings: &SimulateSettings) -> Result<Simulation<'_>> {
        settings.check()?;
        Need::new()
            .with(
                "loadings of the factors on the genes",
                &[settings.rank.saturating_add(STUDY_FACTORS), settings.genes, 4],
            )
            .with("names and means of the genes", &[settings.genes, 100])
            .with("names and studies of the samples", &[settings.samples, 150])
            .check("the simulation", "lower --rank, --genes or --samples, or allow more (--memory)")?;
        let key = Stream::new(settings.seed, "simulate", 0).next_u64();
        let mut simulation = Simulation { settings, key, base: Vec::new(), loadings: Vec::new() };
        let (genes, rank) = (settings.genes, settings.rank);
        let shape: Vec<[f32; 4]> =
            (0..genes).map(|g| simulation.words(Purpose::Gene, g, 0).map(uniform)).collect();
        // Like log2 intensities: most genes low, few high; most vary little.
        simulation.base = shape.iter().map(|[u, ..]| 4.0 + 8.0 * u * u).collect();
        let harmonic: f32 = (1..=rank).map(|r| 1.0 / r as f32).sum();
        let strength = |factor: usize| match factor.checked_sub(rank) {
            None => (1.0 / ((factor + 1) as f32 * harmonic)).sqrt(),
            Some(_) => 0.5 / (STUDY_FACTORS as f32).sqrt(),
        };
        let mut loadings = vec![0.0; (rank + STUDY_FACTORS) * genes];
        loadings.par_chunks_exact_mut(genes).enumerate().for_each(|(factor, row)| {
            simulation.normals(Purpose::Loading, factor, row);
            for (loading, [_, u, ..]) in row.iter_mut().zip(&shape) {
                *loading *= strength(factor) * (0.3 + 1.2 * u * u);
            }
        });
        simulation.loadings = loadings;
        Ok(simulation)
    }

    /// Four random words.
    fn words(&self, purpose: Purpose, row: usize, quad: usize) -> [u32; 4] {
        pcg4d([self.key as u32 ^ row as u32, (self.key >> 32) as u32, purpose as u32, quad as u32])
    }

    /// Fills a row with standard normal numbers (Box & Muller 1958).
    fn normals(&self, purpose: Purpose, row: usize, out: &mut [f32]) {
        for (quad, out) in out.chunks_mut(4).enumerate() {
            let [a, b, c, d] = self.words(purpose, row, quad).map(uniform);
            let pair = |u: f32, v: f32| {
                let radius = (-2.0 * u.ln()).sqrt();
                let (sin, cos) = (std::f32::consts::TAU * v).sin_cos();
                [radius * cos, radius * sin]
            };
            let ([w, x], [y, z]) = (pair(a, b), pair(c, d));
            out.copy_from_slice(&[w, x, y, z][..out.len()]);
        }
    }

    /// The earlier sample that this one copies, and that is no copy itself.
    fn original(&self, sample: usize) -> Option<usize> {
        let mut at = sample;
        loop {
            let [chance, which, ..] = self.words(Purpose::Sample, at, 0);
            if at == 0 || f64::from(chance) >= self.settings.duplicates * 4_294_967_296.0 {
                return (at < sample).then_some(at);
            }
            at = ((u64::from(which) * at as u64) >> 32) as usize;
        }
    }

    /// The study of a sample, from 0, which for a copy is that of its original; later ones are larger.
    fn study(&self, sample: usize) -> usize {
        let sample = self.original(sample).unwrap_or(sample);
        let u = f64::from(self.words(Purpose::Sample, sample, 1)[0]) / 4_294_967_296.0;
        (u.sqrt() * self.settings.studies as f64) as usize
    }

    /// The values of a sample.
    fn row(&self, sample: usize, out: &mut [f32], noise: &mut Vec<f32>) {
        let original = self.original(sample).unwrap_or(sample);
        let mut factors = vec![0.0; self.settings.rank + STUDY_FACTORS];
        let (own, study) = factors.split_at_mut(self.settings.rank);
        self.normals(Purpose::Factor, original, own);
        self.normals(Purpose::Study, self.study(original), study);
        out.copy_from_slice(&self.base);
        for (factor, loadings) in factors.iter().zip(self.loadings.chunks_exact(out.len())) {
            out.iter_mut().zip(loadings).for_each(|(x, loading)| *x += factor * loading);
        }
        let mut add = |purpose, sample, sd: f32| {
            noise.resize(out.len(), 0.0);
            self.normals(purpose, sample, noise);
            out.iter_mut().zip(&*noise).for_each(|(x, noise)| *x += sd * noise);
        };
        add(Purpose::Noise, original, self.settings.noise as f32);
        if original != sample {
            add(Purpose::Copy, sample, COPY_DISTANCE / (self.settings.genes as f32).sqrt());
        }
        out.iter_mut().for_each(|x| *x = x.max(0.0));
    }

    /// Calls `visit` with the first sample and the values of block after block.
    fn blocks(&self, report: Reporter, mut visit: impl FnMut(usize, &[f32]) -> Result<()>) -> Result<()> {
        let (n, genes) = (self.settings.samples, self.settings.genes);
        let step = (BLOCK / genes).clamp(1, n);
        let mut block = Vec::new();
        report(Event::Started { task: "simulating".into(), total: Some(n as u64), unit: "samples" });
        for first in (0..n).step_by(step) {
            block.resize(step.min(n - first) * genes, 0.0);
            let rows = block.par_chunks_exact_mut(genes).enumerate();
            rows.for_each_init(Vec::new, |noise, (i, row)| self.row(first + i, row, noise));
            visit(first, &block)?;
            advance(report, (first + block.len() / genes) as u64, "")?;
        }
        report(Event::Finished);
        Ok(())
    }

    fn gene_table(&self) -> Table {
        Table::numbered("gene_id", "g", self.settings.genes)
    }

    fn samples(&self) -> Table {
        let mut table = Table::numbered("sample_id", "s", self.settings.samples);
        let samples = || (0..self.settings.samples).into_par_iter();
        table.set_column("study", samples().map(|s| format!("study_{}", self.study(s) + 1)).collect());
        if self.settings.duplicates > 0.0 {
            let name = |s| self.original(s).map(|original| format!("s_{}", original + 1)).unwrap_or_default();
            table.set_column("copy_of", samples().map(name).collect());
        }
        table
    }

    fn write_tsv(&self, file: &mut dyn Write, path: &Path, samples: &Table, report: Reporter) -> Result<()> {
        let genes = self.settings.genes;
        let mut header = Line::new(b'\t');
        header.field("sample_id");
        self.gene_table().ids.iter().for_each(|id| header.field(id));
        file.write_all(&header.end()).map_err(Error::io(path, "writing"))?;
        let missing = self.settings.missing * 4_294_967_296.0;
        self.blocks(report, |first, block| {
            let line = |line: &mut Line, (i, row): (usize, &[f32])| {
                line.field(&samples.ids[first + i]);
                for (quad, values) in row.chunks(4).enumerate() {
                    let chances = self.words(Purpose::Missing, first + i, quad);
                    for (value, chance) in values.iter().zip(chances) {
                        match f64::from(chance) < missing {
                            true => line.field("NA"),
                            false => line.number(value),
                        }
                    }
                }
                line.end()
            };
            let rows = block.par_chunks_exact(genes).enumerate();
            let lines: Vec<Vec<u8>> = rows.map_init(|| Line::new(b'\t'), line).collect();
            lines.iter().try_for_each(|line| file.write_all(line)).map_err(Error::io(path, "writing"))
        })
    }
}

/// Uniform in (0, 1).
fn uniform(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) / 8_388_608.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use crate::store::Store;

    fn settings() -> SimulateSettings {
        SimulateSettings {
            samples: 211,
            genes: 301,
            rank: 5,
            studies: 7,
            noise: 0.1,
            duplicates: 0.2,
            missing: 0.0,
            element: Element::F32,
            seed: 3,
        }
    }

    fn make(dir: &Path, name: &str, settings: &SimulateSettings) -> Store {
        let path = dir.join(name);
        simulate(&path, settings, false, &silent).expect("made");
        Store::open(&path).expect("opens")
    }

    fn rows(store: &Store) -> Vec<Vec<f32>> {
        let mut row = vec![0.0; store.n_genes()];
        let read = |s| {
            store.read_row(s, &mut row);
            row.clone()
        };
        (0..store.n_samples()).map(read).collect()
    }

    #[test]
    fn a_seed_is_a_matrix_and_its_beginning_is_a_smaller_one() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = make(dir.path(), "a.gex", &settings());
        let again = make(dir.path(), "b.gex", &settings());
        assert_eq!(store.info().fingerprint(), again.info().fingerprint());
        let few = make(dir.path(), "c.gex", &SimulateSettings { samples: 50, ..settings() });
        assert_eq!(rows(&store)[..50], rows(&few));
        let other = make(dir.path(), "d.gex", &SimulateSettings { seed: 4, ..settings() });
        assert!(rows(&other).iter().all(|row| !rows(&store).contains(row)));
        let half = make(dir.path(), "e.gex", &SimulateSettings { element: Element::F16, ..settings() });
        for (a, b) in rows(&half).concat().iter().zip(rows(&store).concat()) {
            assert!((a - b).abs() <= 0.0005 * b, "{a} {b}");
        }
    }

    #[test]
    fn it_has_the_structure_that_was_asked_for() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = make(dir.path(), "a.gex", &settings());
        let (rows, samples) = (rows(&store), store.samples());
        let copies = samples.column("copy_of").expect("there");
        let number = |id: &str| id[2..].parse::<usize>().expect("a number") - 1;
        let distance =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let mut found = 0;
        for (sample, original) in copies.iter().enumerate().filter(|(_, original)| !original.is_empty()) {
            let original = number(original);
            assert!(original < sample && copies[original].is_empty());
            let d = distance(&rows[sample], &rows[original]);
            assert!((0.2..0.4).contains(&d), "{d}");
            let study = samples.column("study").expect("there");
            assert_eq!(study[sample], study[original], "a copy is of its original's study");
            found += 1;
        }
        assert!((20..65).contains(&found), "{found} of 211 at a share of 0.2");
        let singles: Vec<usize> = (0..211).filter(|s| copies[*s].is_empty()).collect();
        assert!(
            singles.iter().all(|a| singles.iter().all(|b| a <= b || distance(&rows[*a], &rows[*b]) > 2.0))
        );
        let studies: std::collections::BTreeSet<_> = samples.column("study").expect("there").iter().collect();
        assert_eq!(studies.len(), 7);

        // 5 factors and 6 differences of 7 studies hold all but the noise and what is cut off at 0.
        let n = singles.len();
        let mut centred = nalgebra::DMatrix::from_fn(n, 301, |s, g| f64::from(rows[singles[s]][g]));
        for mut column in centred.column_iter_mut() {
            let mean = column.mean();
            column.iter_mut().for_each(|x| *x -= mean);
        }
        let mut values = centred.svd(false, false).singular_values.as_slice().to_vec();
        values.sort_by(|a, b| b.total_cmp(a));
        // a matrix of noise of this shape has singular values of up to sd·(√n + √G)
        let edge = 0.1 * ((n as f64).sqrt() + 301f64.sqrt()) * 1.05;
        assert!(values[4] > 10.0 * edge, "{} {edge}", values[4]);
        assert!(values[11] < 2.0 * edge, "{} {edge}", values[11]);
        assert!(rows.concat().iter().all(|x| (0.0..20.0).contains(x)));
    }

    #[test]
    fn a_table_has_missing_values_and_a_store_none() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let missing = SimulateSettings { missing: 0.1, ..settings() };
        let refused = |out: &str, settings: &SimulateSettings| {
            simulate(&dir.path().join(out), settings, false, &silent).expect_err("refused").to_string()
        };
        assert!(refused("a.gex", &missing).contains("a store holds no missing values"));
        assert!(refused("a.csv", &settings()).contains(".gex or .tsv"));
        assert!(refused("a.gex", &SimulateSettings { genes: 0, ..settings() }).contains("--genes 0"));
        assert!(
            refused("a.gex", &SimulateSettings { duplicates: 1.0, ..settings() }).contains("--duplicates 1")
        );

        let written = simulate(&dir.path().join("a.tsv"), &missing, false, &silent).expect("made");
        assert_eq!(written, ["a.tsv", "a.samples.tsv"].map(|name| dir.path().join(name)));
        let table = Table::read_tsv(&written[0]).expect("a table");
        let all = rows(&make(dir.path(), "a.gex", &settings()));
        let mut absent = 0;
        for (g, (_, column)) in table.columns.iter().enumerate() {
            for (s, field) in column.iter().enumerate() {
                match field.parse::<f32>() {
                    Ok(value) => assert_eq!(value, all[s][g]),
                    Err(_) => absent += usize::from(field == "NA"),
                }
            }
        }
        let share = absent as f64 / (211.0 * 301.0);
        assert!((share - 0.1).abs() < 0.006, "{share}"); // five standard errors
        let samples = Table::read_tsv(&written[1]).expect("a table");
        assert_eq!((samples.len(), samples.column_names()), (211, vec!["study", "copy_of"]));
        assert!(refused("a.tsv", &settings()).contains("already exists"));
    }
}
