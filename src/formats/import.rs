//! Matrix files → store.
//!
//! A file whose rows are samples goes straight into the store. Otherwise, or where missing values need a look
//! at the whole gene, its values are set aside in a [`Spool`], in memory or on disk, and turned afterwards, so memory
//! never grows with the data.

mod cut;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::missing::{Tally, refused};
use super::orientation::{self, Rows, Verdict};
use super::parts::{Part, Parts};
use super::pipe::Held;
use super::slice::Wanted;
use super::spread::Spread;
use super::{MatrixFile, Missing, Orientation, Picking, ReadSettings, Slice, known, names, sides, triples};
use crate::device::recording::Element;
use crate::error::{Error, Result};
use crate::genes::{Labels, Table, shown};
use crate::progress::{Event, Reporter, advance};
use crate::store::atomic::{Kind, Place, check_space};
use crate::store::spool::Spool;
use crate::store::{InputFile, Layout, Origin, Store, StoreWriter};

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportSettings {
    /// Format, layer, and the memory to keep to.
    pub read: ReadSettings,
    /// Which side holds the genes.
    pub orientation: Orientation,
    /// F32 or F16.
    pub element: Element,
    /// How the store holds its values.
    pub layout: Layout,
    /// A table whose columns are joined to the samples by the column that holds their ids.
    pub labels: Option<PathBuf>,
    /// A table whose columns are joined to the genes by the column that holds their ids; it fills `symbol` and `entrez`.
    pub gene_labels: Option<PathBuf>,
    /// What becomes of missing values.
    pub missing: Missing,
    /// Names for the genes of a file without names (`.npy`, `.npz`, `.mtx`).
    pub genes: Option<PathBuf>,
    /// Names for the samples of a file without names.
    pub samples: Option<PathBuf>,
    /// Which samples and genes to read, where not all.
    pub slice: Slice,
    /// Ids that occur again get -1, -2, … as anndata makes them unique; otherwise they are refused.
    pub unique_names: bool,
    /// Replace an existing store.
    pub force: bool,
}

impl Default for ImportSettings {
    fn default() -> Self {
        ImportSettings {
            read: ReadSettings::default(),
            orientation: Orientation::Auto,
            element: Element::F32,
            layout: Layout::Dense,
            labels: None,
            gene_labels: None,
            missing: Missing::Refuse,
            genes: None,
            samples: None,
            slice: Slice::default(),
            unique_names: false,
            force: false,
        }
    }
}

/// The least memory that an import is content with.
const LEAST_MEMORY: usize = 32 << 20;

/// Imports `inputs` into a new store at `out`: concatenated by samples, with the genes that all of them have, in the
/// order of the first.
///
/// # Errors
/// Everything that [`super::open`] and the readers refuse; missing values under [`Missing::Refuse`]; names that
/// are empty or occur twice; files that share no gene; labels that match no sample; an output that
/// exists. No half-made store is left behind.
pub fn import(inputs: &[PathBuf], out: &Path, settings: &ImportSettings, report: Reporter) -> Result<Store> {
    if inputs.is_empty() {
        return Err(Error::Usage("no file to import".into()));
    }
    if settings.read.memory < LEAST_MEMORY {
        return Err(Error::Usage(format!("--memory: at least {} MiB are needed", LEAST_MEMORY >> 20)));
    }
    let _ours = Place::new(out, Kind::Store, settings.force)?;
    let mut held = Held::default();
    let inputs = inputs.iter().map(|input| held.path(input, out)).collect::<Result<Vec<_>>>()?;
    let settings = held.settings(settings, out)?;
    let told = |event: Event| report(held.event(event));
    import_files(&inputs, out, &settings, &held, &told).map_err(|error| held.error(error))
}

/// [`import()`] of files that can be read as often as it takes.
fn import_files(
    inputs: &[PathBuf],
    out: &Path,
    settings: &ImportSettings,
    held: &Held,
    report: Reporter,
) -> Result<Store> {
    let (inputs, prefixes) = triples::expanded(inputs, report)?;
    let inputs = inputs.as_slice();
    let labels = settings.labels.as_deref().map(|path| Labels::read(path, report)).transpose()?;
    let gene_labels = settings.gene_labels.as_deref().map(|path| Labels::read(path, report)).transpose()?;
    let wanted = (!settings.slice.is_whole()).then(|| Wanted::read(&settings.slice, report)).transpose()?;
    let mut import = Import {
        out,
        settings,
        report,
        joins: inputs.len() > 1,
        prefixes,
        writer: None,
        samples: Table::default(),
        parts: Parts::default(),
        spread: Spread::default(),
        origin: Origin::default(),
        labels,
        gene_labels,
        wanted,
        sliced: Vec::new(),
    };
    let (mut rows_are, mut counts) = (Vec::new(), Vec::new());
    for path in inputs {
        let before = import.samples.len();
        rows_are.push(import.read(path)?.word());
        counts.push(import.samples.len() - before);
    }
    import.settle_samples(inputs, &counts)?;
    let left_out = import.parts.report(inputs, report);
    let missing = import.place()?;
    let slice = import.tell_slice();

    let Import { writer, parts, mut samples, spread, mut origin, labels, gene_labels, .. } = import;
    let (Some(writer), Some(mut genes)) = (writer, parts.genes) else {
        return Err(Error::Data(format!("{}: no sample is left", out.display())));
    };
    names::settle_columns(&mut samples, "sample_id");
    if let Some((labels, path)) = labels.as_ref().zip(settings.labels.as_ref()) {
        let matched = labels.join_samples(&mut samples, report)?;
        let of = format!("{matched} of {} samples have labels from {}", samples.len(), path.display());
        report(if matched < samples.len() {
            Event::Warning(format!("{of}; the others get empty fields"))
        } else {
            Event::Note(of)
        });
        origin.inputs.push(InputFile::of(path, "labels")?);
    }
    if let Some((labels, path)) = gene_labels.zip(settings.gene_labels.as_ref()) {
        let matched = labels.join_genes(&mut genes, report)?;
        let of = format!("{matched} of {} genes have labels from {}", genes.len(), path.display());
        report(Event::Note(of));
        origin.inputs.push(InputFile::of(path, "gene labels")?);
    }
    if missing > 0 {
        report(Event::Warning(format!("{missing} missing values: {}", settings.missing.outcome())));
    }
    warn_constant(&genes, &spread, report);
    for (table, what) in [(&genes, "genes"), (&samples, "samples")] {
        warn_unlikely(table, what, &settings.read.told.value_columns, report);
    }
    let mut record = serde_json::json!({
        "rows": rows_are, "missing": settings.missing, "missing_values": missing, "genes_left_out": left_out,
    });
    if let Some(slice) = slice {
        record["slice"] = slice;
    }
    origin.transforms.push(serde_json::json!({ "import": record }));
    held.origin(&mut origin);
    writer.finish(genes, samples, origin)
}

/// A gene of one value everywhere is kept: other stores may measure the same genes. It teaches nothing, though.
fn warn_constant(genes: &Table, spread: &Spread, report: Reporter) {
    let constant = spread.constant();
    if let Some(first) = constant.first() {
        report(Event::Warning(format!(
            "{} of {} genes have one value in all samples (the first is {:?}); they are kept",
            constant.len(),
            genes.len(),
            shown(genes, *first)
        )));
    }
}

/// What is called as programs call a description or a sum is kept, since it was told or nothing else says what it is; not
/// without a word.
fn warn_unlikely(table: &Table, what: &str, told: &[String], report: Reporter) {
    let unlikely = |id: &&String| known::is_unlikely(id) && !told.contains(id);
    let found: Vec<String> = table.ids.par_iter().filter(unlikely).map(|id| format!("{id:?}")).collect();
    if let Some(first) = found.first() {
        report(Event::Warning(format!(
            "{} of the {what} have names that descriptions and sums have, such as {first}; if they are none, leave them out with \
             --drop-rows or --drop-columns",
            found.len()
        )));
    }
}

struct Import<'a> {
    out: &'a Path,
    settings: &'a ImportSettings,
    report: Reporter<'a>,
    /// Whether there are several files: then which genes stay is known after the last one only.
    joins: bool,
    /// Of matrices from a directory of several samples.
    prefixes: HashMap<PathBuf, String>,
    writer: Option<StoreWriter>,
    samples: Table,
    parts: Parts,
    spread: Spread,
    origin: Origin,
    labels: Option<Labels>,
    gene_labels: Option<Labels>,
    /// What is wanted of the files, where not all is.
    wanted: Option<Wanted>,
    /// What was taken of each file, for the record.
    sliced: Vec<serde_json::Value>,
}

impl Import<'_> {
    /// Whether a value's fate is known when it is read.
    fn at_once(&self) -> bool {
        !self.joins && matches!(self.settings.missing, Missing::Refuse | Missing::Zero)
    }

    /// Refuses a file that tells its shape beforehand and whose values all come into a store for which there is no room.
    fn has_room(&self, file: &MatrixFile) -> Result<()> {
        match &file.rows {
            Some(rows) if self.at_once() && self.settings.layout == Layout::Dense => {
                let values = (rows.len() as u64).saturating_mul(file.columns.len() as u64);
                check_space(self.out, values.saturating_mul(self.settings.element.bytes() as u64))
            }
            _ => Ok(()),
        }
    }

    /// Reads one file into the store, or into a part where it has to wait.
    fn read(&mut self, path: &Path) -> Result<Rows> {
        let mut file = super::open(path, &self.settings.read)?;
        if let Some(prefix) = self.prefixes.get(path) {
            triples::mark(&mut file, prefix);
        }
        for note in &file.notes {
            (self.report)(Event::Note(note.clone()));
        }
        for warning in &file.warnings {
            (self.report)(Event::Warning(warning.clone()));
        }
        let beside = std::mem::take(&mut file.beside);
        let format = file.format.clone();
        let told = self.slice(path, &mut file)?;
        if told.is_none() {
            self.has_room(&file)?;
        }
        // A slice of which only the bytes are read: a checksum of all the others would cost more than the slice.
        let seeking = matches!(told, Some((_, Picking::Seeking)));
        let decision = told.map(|(decision, _)| decision);
        let digest = file.digest.take().filter(|digest| digest.is_of(path));
        let (rows, input) = match digest {
            Some(digest) => (self.read_values(path, file, decision)?, digest.input(&format)?),
            None => self.read_twice(path, file, decision, seeking)?,
        };
        self.origin.inputs.push(input);
        for (path, role) in beside {
            self.origin.inputs.push(InputFile::of(&path, role)?);
        }
        Ok(rows)
    }

    /// Reads the values, and on a thread of its own, where not `seeking`, the whole file for its checksum.
    fn read_twice(
        &mut self,
        path: &Path,
        file: MatrixFile,
        decision: Option<Verdict>,
        seeking: bool,
    ) -> Result<(Rows, InputFile)> {
        let format = file.format.clone();
        let (rows, input) = std::thread::scope(|scope| {
            let input = scope.spawn(|| match seeking {
                true => InputFile::unread(path, &format),
                false => InputFile::of(path, &format),
            });
            let rows = self.read_values(path, file, decision);
            (rows, input.join())
        });
        let input = input.map_err(|_| Error::input(path, "the checksum could not be taken"))?;
        Ok((rows?, input?))
    }

    /// Reads the values; what the rows are is known already where a slice was cut.
    fn read_values(&mut self, path: &Path, mut file: MatrixFile, told_rows: Option<Verdict>) -> Result<Rows> {
        let megabytes = super::bytes_of(path)?.div_ceil(1 << 20);
        let task = format!("reading {}", path.display());
        (self.report)(Event::Started { task, total: Some(megabytes), unit: "MB" });

        let told = self.settings.orientation;
        let mut tally = Tally::new(file.columns.len());
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        let sliced = told_rows.is_some();
        let (mut decision, mut agreed) = (told_rows, false);
        let mut spool: Option<Spool> = None;
        while file.blocks.next(&mut ids, &mut values)? {
            match file.blocks.all_finite() && file.sentinel.is_none() {
                true => tally.pass(values.len() / file.columns.len()),
                false => tally.mark(&mut values, file.sentinel),
            }
            if decision.is_none() {
                let known = file.rows.as_ref().map_or(ids.as_slice(), |table| &table.ids);
                decision = orientation::decide(&file, known, told);
            }
            let direct = spool.is_none()
                && self.at_once()
                && decision.as_ref().is_some_and(|verdict: &Verdict| verdict.rows == Rows::Samples);
            if direct {
                if !agreed {
                    let genes = match sliced {
                        true => file.columns.clone(),
                        false => self.named(path, file.columns.clone(), Rows::Genes, file.may_be_named())?,
                    };
                    self.spread = Spread::new(genes.len());
                    agreed = true;
                }
                self.push(&mut values)?;
            } else {
                spool.get_or_insert_with(|| self.spool(file.columns.len())).take(&mut values)?;
            }
            values.clear();
            let done = (file.blocks.done() * megabytes as f64) as u64;
            advance(self.report, done, "")?;
        }
        (self.report)(Event::Finished);

        let mut table = file.rows.take().unwrap_or_else(|| Table::new("", std::mem::take(&mut ids)));
        if !sliced {
            table.columns.extend(file.blocks.row_columns());
        }
        for note in file.blocks.notes()? {
            (self.report)(Event::Warning(format!("{}: {note}", path.display())));
        }
        if table.is_empty() {
            return Err(Error::input(path, "the matrix is empty: there is no row of values"));
        }
        let verdict = decision.unwrap_or_else(|| orientation::fallback(&file, table.len()));
        self.tell(path, &file, table.len(), &verdict);
        let rows = verdict.rows;
        if self.settings.missing == Missing::Refuse && tally.count > 0 && !self.joins {
            return Err(refused(path, &tally, &table, &file.columns, file.transposed));
        }
        if file.unnamed_rows && verdict.rows_of_file() == Rows::Genes {
            let rows = if file.transposed { &mut file.columns } else { &mut table };
            *rows = Table::numbered("gene_id", "gene", rows.len());
            self.origin.made_up_genes = true;
        }
        let nameable = file.may_be_named();
        let (genes, samples) = match rows {
            Rows::Samples => (file.columns, table),
            Rows::Genes => (table, file.columns),
        };
        let numbered = file.unnamed || genes.is_numbered() || genes.key == super::MADE_UP;
        self.origin.made_up_genes |= numbered && self.settings.genes.is_none();
        let (genes, samples) = match sliced {
            true => (genes, samples), // named when the slice was cut
            false => (
                self.named(path, genes, Rows::Genes, nameable)?,
                self.named(path, samples, Rows::Samples, nameable)?,
            ),
        };
        let n_samples = samples.len();
        self.samples.append(samples);
        let place = self.parts.add_genes(path, genes)?;
        match spool {
            Some(spool) => self.parts.waiting.push(Part { spool, rows, tally, n_samples, place }),
            None => self.parts.missing += tally.count,
        }
        Ok(verdict.rows_of_file())
    }

    /// Tells how a file lies, by its own axes, and what is doubtful about it.
    fn tell(&self, path: &Path, file: &MatrixFile, rows: usize, verdict: &Verdict) {
        let (rows, columns) = (rows, file.columns.len());
        let (rows, columns) = if file.transposed { (columns, rows) } else { (rows, columns) };
        let (path, format, are) = (path.display(), &file.format, verdict.rows_of_file().word());
        let reason = &verdict.reason;
        (self.report)(Event::Note(format!("{path}: {format}, {rows} × {columns}, rows are {are}: {reason}")));
        if let Some(doubt) = &verdict.doubt {
            (self.report)(Event::Warning(format!("{path}: {doubt}")));
        }
    }

    /// A place for values that wait; half of the memory serves all of them.
    fn spool(&self, columns: usize) -> Spool {
        let waiting = &self.parts.waiting;
        let held: usize = waiting.iter().map(|part| part.spool.held()).sum();
        let free = (self.settings.read.memory / 2).saturating_sub(held);
        Spool::create(self.out, columns, free)
    }

    /// Refuses sample ids that occur in two files, or makes them unique.
    fn settle_samples(&mut self, inputs: &[PathBuf], counts: &[usize]) -> Result<()> {
        if self.settings.unique_names {
            names::make_unique(&mut self.samples);
            return Ok(());
        }
        let Some((id, first, second)) = self.samples.duplicate() else { return Ok(()) };
        let file = |sample: usize| {
            let ends = counts.iter().scan(0, |end, n| {
                *end += n;
                Some(*end)
            });
            inputs.iter().zip(ends).find(|(_, end)| sample < *end).map_or(&inputs[0], |(path, _)| path)
        };
        Err(Error::input(
            file(second),
            format!(
                "sample id {id:?} occurs twice, here and in {}; leave one of the files out, rename the samples of one, or pass \
                 --unique-names",
                file(first).display()
            ),
        ))
    }

    /// The names of one side, checked; for a file without names those of `--genes` or `--samples`.
    fn named(&self, path: &Path, table: Table, side: Rows, nameable: bool) -> Result<Table> {
        let (option, key) = match side {
            Rows::Genes => (&self.settings.genes, "gene"),
            Rows::Samples => (&self.settings.samples, "sample"),
        };
        let made_up = table.key == super::MADE_UP;
        let nameable = nameable || made_up;
        let mut table = match option {
            None if made_up || table.is_numbered() => Table::numbered(key, key, table.len()), // by the side that it turned out to be
            None => table,
            Some(_) if !nameable => {
                let message = format!(
                    "--{key}s is for files without names (.npy, .npz, .mtx); {} has its own",
                    path.display()
                );
                return Err(Error::Usage(message));
            }
            Some(names) => sides::given(names, side, table.len(), path, self.report)?,
        };
        if let Some(at) = table.ids.iter().position(String::is_empty) {
            let message = format!(
                "{key} {} has no name; give every {key} one, or leave it out: --drop-rows \"\" (rows without a name), --drop-columns \
                 \"\" (columns)",
                at + 1
            );
            return Err(Error::input(path, message));
        }
        if self.settings.unique_names {
            let changed = names::make_unique(&mut table);
            if changed > 0 {
                let message =
                    format!("{}: {changed} {key} ids occurred again and got a number", path.display());
                (self.report)(Event::Warning(message));
            }
        }
        if let Some((id, first, second)) = table.duplicate() {
            let (first, second) = (first + 1, second + 1);
            return Err(Error::input(
                path,
                format!(
                    "{key} id {id:?} occurs twice ({key}s {first} and {second}); rename or remove one, or pass \
                     --unique-names"
                ),
            ));
        }
        if side == Rows::Genes {
            names::settle_columns(&mut table, "gene_id");
            names::add_symbols(&mut table);
        }
        Ok(table)
    }

    /// Appends samples to the store; NaN becomes zero (nothing else is left of NaN here).
    fn push(&mut self, rows: &mut [f32]) -> Result<()> {
        self.spread.take(rows);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let ImportSettings { element, layout, force, .. } = *self.settings;
                none.insert(StoreWriter::create_in(layout, self.out, self.spread.genes(), element, force)?)
            }
        };
        writer.push_rows(rows)
    }

    /// Puts what waits into the store; how many missing values there were.
    fn place(&mut self) -> Result<u64> {
        let mut parts = std::mem::take(&mut self.parts);
        if !parts.waiting.is_empty() {
            let total = Some(self.samples.len() as u64);
            (self.report)(Event::Started { task: "turning".into(), total, unit: "samples" });
            parts.decide(self.settings.missing, self.settings.read.memory)?;
            self.spread = Spread::new(parts.kept.len());
            let (mut kept, report) = (Vec::new(), self.report);
            parts.place(self.settings, |first, samples, rows| {
                kept.extend_from_slice(samples);
                advance(report, first as u64, "")?;
                self.push(rows)
            })?;
            (self.report)(Event::Finished);
            if kept.is_empty() {
                let missing = parts.missing;
                return Err(Error::Data(format!("every sample has missing values ({missing} in all)")));
            }
            if kept.len() < self.samples.len() {
                self.samples = self.samples.select(&kept);
            }
        }
        self.parts = parts;
        Ok(self.parts.missing)
    }
}
