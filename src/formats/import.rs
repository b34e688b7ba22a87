//! Matrix files → store.
//!
//! A file whose rows are samples goes straight into the store. Otherwise, or where missing values need a look
//! at the whole gene, its values are set aside in a [`Spool`] and turned afterwards, so memory never grows with
//! the data.

use std::path::{Path, PathBuf};

use super::missing::{Tally, stand_in};
use super::orientation::{self, Rows};
use super::{MatrixFile, Missing, Orientation, ReadSettings, names};
use crate::device::recording::Element;
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::store::spool::Spool;
use crate::store::{InputFile, Origin, Store, StoreWriter, Table, atomic};

/// Values held at a time when a spool is turned (64 MiB).
const BLOCK: usize = 16 << 20;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportSettings {
    /// Format and layer.
    pub read: ReadSettings,
    /// Which side holds the genes.
    pub orientation: Orientation,
    /// F32 or F16.
    pub element: Element,
    /// A table whose columns are joined to the samples by its first column.
    pub labels: Option<PathBuf>,
    /// What becomes of missing values.
    pub missing: Missing,
    /// Names for the genes of a `.npy`.
    pub genes: Option<PathBuf>,
    /// Names for the samples of a `.npy`.
    pub samples: Option<PathBuf>,
    /// Replace an existing store.
    pub force: bool,
}

impl Default for ImportSettings {
    fn default() -> Self {
        ImportSettings {
            read: ReadSettings::default(),
            orientation: Orientation::Auto,
            element: Element::F32,
            labels: None,
            missing: Missing::Refuse,
            genes: None,
            samples: None,
            force: false,
        }
    }
}

/// Imports `inputs` (concatenated by samples; they must agree in their gene ids) into a new store at `out`.
///
/// # Errors
/// Everything that [`super::open`] and the readers refuse; missing values under [`Missing::Refuse`]; names that
/// are empty or occur twice; files that disagree in their genes; labels that match no sample; an output that
/// exists. No half-made store is left behind.
pub fn import(inputs: &[PathBuf], out: &Path, settings: &ImportSettings, report: Reporter) -> Result<Store> {
    if inputs.is_empty() {
        return Err(Error::Usage("no file to import".into()));
    }
    atomic::check_free(out, settings.force)?;
    let labels = settings.labels.as_deref().map(Table::read).transpose()?;
    let mut import = Import {
        out,
        settings,
        report,
        writer: None,
        genes: None,
        samples: Table::default(),
        parts: Vec::new(),
        spread: Vec::new(),
        missing: 0,
        origin: Origin::default(),
    };
    let mut rows_are = Vec::new();
    for path in inputs {
        rows_are.push(import.read(path)?.word());
    }
    import.place_parts()?;

    let Import { writer, genes, mut samples, spread, missing, mut origin, .. } = import;
    let (Some(writer), Some(genes)) = (writer, genes) else {
        return Err(Error::Data(format!("{}: no sample is left", out.display())));
    };
    names::settle_columns(&mut samples, "sample_id");
    if let Some((labels, path)) = labels.as_ref().zip(settings.labels.as_ref()) {
        let matched = names::add_labels(&mut samples, labels, path)?;
        let of = format!("{matched} of {} samples have labels from {}", samples.len(), path.display());
        report(if matched < samples.len() {
            Event::Warning(format!("{of}; the others get empty fields"))
        } else {
            Event::Note(of)
        });
        origin.inputs.push(InputFile::of(path, "labels")?);
    }
    if missing > 0 {
        report(Event::Warning(format!("{missing} missing values: {}", replaced_how(settings.missing))));
    }
    warn_constant(&genes, &spread, report);
    origin.transforms.push(serde_json::json!({ "import": {
        "rows": rows_are, "missing": settings.missing, "missing_values": missing,
    }}));
    writer.finish(genes, samples, origin)
}

fn replaced_how(missing: Missing) -> &'static str {
    match missing {
        Missing::Refuse => "refused",
        Missing::Mean => "replaced by their gene's mean",
        Missing::Median => "replaced by their gene's median",
        Missing::Zero => "replaced by zero",
        Missing::DropGene => "their genes are left out",
        Missing::DropSample => "their samples are left out",
    }
}

/// A gene of one value everywhere is kept: other stores may measure the same genes. It teaches nothing, though.
fn warn_constant(genes: &Table, spread: &[(f32, f32)], report: Reporter) {
    let constant: Vec<_> = genes.ids.iter().zip(spread).filter(|(_, (min, max))| min >= max).collect();
    if let Some((first, _)) = constant.first() {
        report(Event::Warning(format!(
            "{} of {} genes have one value in all samples (the first is {first:?}); they are kept",
            constant.len(),
            genes.len()
        )));
    }
}

/// A file whose values wait in a spool.
struct Part {
    spool: Spool,
    rows: Rows,
    tally: Tally,
    n_samples: usize,
}

impl Part {
    /// Samples `first..last`, sample by sample.
    fn samples(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        match self.rows {
            Rows::Samples => self.spool.rows(first, last, out),
            Rows::Genes => self.spool.columns(first, last, out),
        }
    }

    /// Genes `first..last`, gene by gene.
    fn genes(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        match self.rows {
            Rows::Samples => self.spool.columns(first, last, out),
            Rows::Genes => self.spool.rows(first, last, out),
        }
    }

    fn missing_by_gene(&self) -> &[u32] {
        if self.rows == Rows::Genes { &self.tally.rows } else { &self.tally.columns }
    }

    fn missing_by_sample(&self) -> &[u32] {
        if self.rows == Rows::Genes { &self.tally.columns } else { &self.tally.rows }
    }
}

struct Import<'a> {
    out: &'a Path,
    settings: &'a ImportSettings,
    report: Reporter<'a>,
    writer: Option<StoreWriter>,
    genes: Option<Table>,
    samples: Table,
    parts: Vec<Part>,
    /// Smallest and largest value of every gene of the store.
    spread: Vec<(f32, f32)>,
    missing: u64,
    origin: Origin,
}

impl Import<'_> {
    /// Whether a value's fate is known when it is read.
    fn at_once(&self) -> bool {
        matches!(self.settings.missing, Missing::Refuse | Missing::Zero)
    }

    /// Reads one file into the store, or into a part where it has to wait.
    fn read(&mut self, path: &Path) -> Result<Rows> {
        let file = super::open(path, &self.settings.read)?;
        for warning in &file.warnings {
            (self.report)(Event::Warning(warning.clone()));
        }
        let format = file.format.clone();
        // The checksum of the file is taken on a thread of its own while the values are read.
        let (rows, input) = std::thread::scope(|scope| {
            let input = scope.spawn(|| InputFile::of(path, &format));
            let rows = self.read_values(path, file);
            (rows, input.join())
        });
        let rows = rows?;
        let input = input.map_err(|_| Error::input(path, "the checksum could not be taken"))??;
        self.origin.inputs.push(input);
        Ok(rows)
    }

    fn read_values(&mut self, path: &Path, mut file: MatrixFile) -> Result<Rows> {
        let megabytes = super::bytes_of(path)?.div_ceil(1 << 20);
        let task = format!("reading {}", path.display());
        (self.report)(Event::Started { task, total: Some(megabytes), unit: "MB" });

        let told = self.settings.orientation;
        let mut tally = Tally::new(file.columns.len());
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        let (mut decision, mut agreed) = (None, false);
        let mut spool: Option<Spool> = None;
        while file.blocks.next(&mut ids, &mut values)? {
            tally.mark(&mut values, file.sentinel);
            if decision.is_none() {
                let known = file.rows.as_ref().map_or(ids.as_slice(), |table| &table.ids);
                decision = orientation::decide(&file, known, told);
            }
            let direct = spool.is_none() && self.at_once() && matches!(decision, Some((Rows::Samples, _)));
            if direct {
                if !agreed {
                    let genes = self.named(path, file.columns.clone(), Rows::Genes, file.unnamed)?;
                    self.agree_on(path, genes)?;
                    agreed = true;
                }
                self.push(&mut values)?;
            } else {
                let spool = match &mut spool {
                    Some(spool) => spool,
                    none => none.insert(Spool::create(self.out, self.parts.len(), file.columns.len())?),
                };
                spool.push(&values)?;
            }
            values.clear();
            let done = (file.blocks.done() * megabytes as f64) as u64;
            (self.report)(Event::Advanced { done, note: String::new() });
        }
        (self.report)(Event::Finished);

        let mut table = file.rows.take().unwrap_or_else(|| Table::new("", std::mem::take(&mut ids)));
        table.columns.extend(file.blocks.row_columns());
        if table.is_empty() {
            return Err(Error::input(path, "the matrix is empty: there is no row of values"));
        }
        let (rows, reason) = decision
            .unwrap_or_else(|| (Rows::longer_side(table.len(), file.columns.len()), orientation::LONGER));
        let shape = format!("{} × {}", table.len(), file.columns.len());
        (self.report)(Event::Note(format!(
            "{}: {}, {shape}, rows are {}: {reason}",
            path.display(),
            file.format,
            rows.word()
        )));
        if self.settings.missing == Missing::Refuse && tally.count > 0 {
            return Err(refused(path, &tally, &table, &file.columns));
        }
        self.missing += tally.count;
        let (genes, samples) = match rows {
            Rows::Samples => (file.columns, table),
            Rows::Genes => (table, file.columns),
        };
        let genes = self.named(path, genes, Rows::Genes, file.unnamed)?;
        self.agree_on(path, genes)?;
        let samples = self.named(path, samples, Rows::Samples, file.unnamed)?;
        let n_samples = samples.len();
        self.samples.append(samples);
        if let Some(spool) = spool {
            self.parts.push(Part { spool, rows, tally, n_samples });
            if self.at_once() {
                self.place_parts()?;
            }
        }
        Ok(rows)
    }

    /// The names of one side, checked; for a file without names those of `--genes` or `--samples`.
    fn named(&self, path: &Path, table: Table, side: Rows, unnamed: bool) -> Result<Table> {
        let (option, key) = match side {
            Rows::Genes => (&self.settings.genes, "gene"),
            Rows::Samples => (&self.settings.samples, "sample"),
        };
        let mut table = match option {
            None if unnamed => Table::numbered(key, key, table.len()),
            None => table,
            Some(_) if !unnamed => {
                let message = format!("--{key}s is for files without names (.npy, .npz, .mtx); {} has its own", path.display());
                return Err(Error::Usage(message));
            }
            Some(names) => {
                let given = Table::read(names)?;
                if given.len() != table.len() {
                    let (rows, n) = (given.len(), table.len());
                    let message = format!("has {rows} rows for the {n} {key}s of {}", path.display());
                    return Err(Error::input(names, message));
                }
                given
            }
        };
        if let Some(at) = table.ids.iter().position(String::is_empty) {
            return Err(Error::input(path, format!("{key} {} has no name; give every {key} one", at + 1)));
        }
        if let Some((id, first, second)) = table.duplicate() {
            let (first, second) = (first + 1, second + 1);
            return Err(Error::input(
                path,
                format!("{key} id {id:?} occurs twice ({key}s {first} and {second}); rename or remove one"),
            ));
        }
        if side == Rows::Genes {
            names::settle_columns(&mut table, "gene_id");
            names::add_symbols(&mut table);
        }
        Ok(table)
    }

    /// The first file's genes count; the others must have the same.
    fn agree_on(&mut self, path: &Path, genes: Table) -> Result<()> {
        let Some(first) = &self.genes else {
            self.spread = vec![(f32::INFINITY, f32::NEG_INFINITY); genes.len()];
            self.genes = Some(genes);
            return Ok(());
        };
        let differ = first.ids.iter().zip(&genes.ids).position(|(a, b)| a != b);
        let message = match differ {
            Some(at) => {
                format!("gene {} is {:?}, in the first file {:?}", at + 1, genes.ids[at], first.ids[at])
            }
            None if first.len() != genes.len() => {
                format!("has {} genes, the first file {}", genes.len(), first.len())
            }
            None => return Ok(()),
        };
        Err(Error::input(
            path,
            format!(
                "{message}; files are joined only if their genes agree: import them apart and match them"
            ),
        ))
    }

    /// Appends samples to the store; NaN becomes zero (nothing else is left of NaN here).
    fn push(&mut self, rows: &mut [f32]) -> Result<()> {
        let n_genes = self.spread.len();
        for row in rows.chunks_exact_mut(n_genes) {
            for (x, (min, max)) in row.iter_mut().zip(&mut self.spread) {
                *x = if x.is_nan() { 0.0 } else { *x };
                *min = min.min(*x);
                *max = max.max(*x);
            }
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let ImportSettings { element, force, .. } = *self.settings;
                none.insert(StoreWriter::create(self.out, n_genes, element, force)?)
            }
        };
        writer.push_rows(rows)
    }

    /// Puts the waiting parts into the store, without what the policy drops and with stand-ins.
    fn place_parts(&mut self) -> Result<()> {
        let mut parts = std::mem::take(&mut self.parts);
        let Some(genes) = &self.genes else { return Ok(()) };
        if parts.is_empty() {
            return Ok(());
        }
        let n_genes = genes.len();
        let by_gene: Vec<u64> =
            (0..n_genes).map(|g| parts.iter().map(|p| u64::from(p.missing_by_gene()[g])).sum()).collect();
        let stand_ins = match self.settings.missing {
            policy @ (Missing::Mean | Missing::Median) => self.stand_ins(&mut parts, &by_gene, policy)?,
            _ => vec![0.0; n_genes],
        };
        let kept_genes: Vec<usize> = match self.settings.missing {
            Missing::DropGene => (0..n_genes).filter(|g| by_gene[*g] == 0).collect(),
            _ => (0..n_genes).collect(),
        };
        if kept_genes.is_empty() {
            return Err(Error::Data(format!("every gene has missing values ({} in all)", self.missing)));
        }
        if kept_genes.len() < n_genes {
            self.genes = Some(genes.select(&kept_genes));
            self.spread.truncate(kept_genes.len());
        }

        let whole = by_gene.iter().all(|n| *n == 0);
        let mut kept_samples = Vec::new();
        let (mut values, mut block, mut seen) = (Vec::new(), Vec::new(), 0);
        let step = (BLOCK / n_genes).max(1);
        for mut part in parts {
            for first in (0..part.n_samples).step_by(step) {
                let last = (first + step).min(part.n_samples);
                part.samples(first, last, &mut values)?;
                if whole {
                    kept_samples.extend(seen + first..seen + last);
                    self.push(&mut values)?;
                    continue;
                }
                block.clear();
                for (sample, row) in (first..last).zip(values.chunks_exact(n_genes)) {
                    if self.settings.missing == Missing::DropSample && part.missing_by_sample()[sample] > 0 {
                        continue;
                    }
                    kept_samples.push(seen + sample);
                    let fill = |&g: &usize| if row[g].is_nan() { stand_ins[g] } else { row[g] };
                    block.extend(kept_genes.iter().map(fill));
                }
                self.push(&mut block)?;
            }
            seen += part.n_samples;
        }
        if self.settings.missing == Missing::DropSample {
            if kept_samples.is_empty() {
                return Err(Error::Data(format!(
                    "every sample has missing values ({} in all)",
                    self.missing
                )));
            }
            self.samples = self.samples.select(&kept_samples);
        }
        Ok(())
    }

    /// The mean or median of every gene that has missing values, over all parts.
    fn stand_ins(&self, parts: &mut [Part], by_gene: &[u64], policy: Missing) -> Result<Vec<f32>> {
        let (n_genes, n_samples) = (by_gene.len(), parts.iter().map(|p| p.n_samples).sum::<usize>());
        let mut stand_ins = vec![0.0; n_genes];
        let step = (BLOCK / n_samples).max(1);
        let mut values = Vec::new();
        for first in (0..n_genes).step_by(step) {
            let last = (first + step).min(n_genes);
            if by_gene[first..last].iter().all(|n| *n == 0) {
                continue;
            }
            let mut genes = vec![Vec::with_capacity(n_samples); last - first];
            for part in parts.iter_mut() {
                part.genes(first, last, &mut values)?;
                for (gene, column) in genes.iter_mut().zip(values.chunks_exact(part.n_samples)) {
                    gene.extend_from_slice(column);
                }
            }
            for (gene, values) in (first..last).zip(&genes) {
                if by_gene[gene] > 0 {
                    stand_ins[gene] = stand_in(values, policy).ok_or_else(|| {
                        let id = self.genes.as_ref().map_or("", |genes| &genes.ids[gene]);
                        Error::Data(format!(
                            "gene {id:?} has no value in any sample, so it has no mean or median; use --missing \
                             drop-gene"
                        ))
                    })?;
                }
            }
        }
        Ok(stand_ins)
    }
}

/// The message of [`Missing::Refuse`].
fn refused(path: &Path, tally: &Tally, rows: &Table, columns: &Table) -> Error {
    let (row, column) = tally.first.expect("there is a first one where there are any");
    let (row, column) = (&rows.ids[row], &columns.ids[column]);
    let all = rows.len() * columns.len();
    Error::input(
        path,
        format!(
            "{} of {all} values are missing (blank, NA, NaN, infinite, or −666 in GCTX); the first is at row \
             {row:?}, column {column:?}; pass --missing mean, median or zero to replace them, drop-gene or \
             drop-sample to leave them out",
            tally.count
        ),
    )
}
