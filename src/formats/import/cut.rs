//! An import cut to a slice: names first, then what of them is wanted, then the values of that alone.

use std::path::Path;

use super::Import;
use crate::error::Result;
use crate::formats::orientation::{self, Rows, Verdict};
use crate::formats::{MatrixFile, Picking, Slice, names, picking};
use crate::genes::{Kind, Missing, Side, shorten};
use crate::progress::{Event, silent};

impl Import<'_> {
    /// Cuts the file to what is wanted of it; what its rows are and why, and how it is read.
    pub(super) fn slice(&mut self, path: &Path, file: &mut MatrixFile) -> Result<Option<(Verdict, Picking)>> {
        let Some(mut wanted) = self.wanted.take() else { return Ok(None) };
        let rows = match &file.rows {
            Some(rows) => rows.clone(),
            None => picking::row_names(path, &self.settings.read)?,
        };
        let decided = orientation::decide(file, &rows.ids, self.settings.orientation);
        let decision = decided.unwrap_or_else(|| orientation::fallback(file, rows.len()));
        let side = if decision.rows == Rows::Samples { Rows::Genes } else { Rows::Samples };
        let rows = self.named(path, rows, decision.rows, file.may_be_named())?;
        file.columns = self.named(path, file.columns.clone(), side, file.may_be_named())?;
        let (genes, samples) = match decision.rows {
            Rows::Samples => (&file.columns, &rows),
            Rows::Genes => (&rows, &file.columns),
        };
        let mut labelled = samples.clone();
        names::settle_columns(&mut labelled, "sample_id");
        let mut named = genes.clone();
        // A file of which no name has labels is no error as long as another has some; that is seen, and said, in the end.
        let _ = self.labels.as_ref().map(|labels| labels.join_samples(&mut labelled, &silent));
        let _ = self.gene_labels.as_ref().map(|labels| labels.join_genes(&mut named, &silent));
        let place = path.display().to_string();
        let mut side = Side::of(&place, &named);
        if file.unnamed && self.settings.genes.is_none() {
            side.kind = Kind::MadeUp;
        }
        let taken = wanted.of(path, &labelled, &side)?;
        let count = |some: &Option<Vec<usize>>, all: usize| [some.as_ref().map_or(all, Vec::len), all];
        self.sliced.push(serde_json::json!({
            "samples": count(&taken.samples, samples.len()), "genes": count(&taken.genes, genes.len()),
        }));
        (self.report)(Event::Note(format!("{}: a slice is read: {}", path.display(), taken.words)));
        let (some, columns) = match decision.rows {
            Rows::Samples => (taken.samples, taken.genes),
            Rows::Genes => (taken.genes, taken.samples),
        };
        let picking = picking::pick(file, &rows, some.as_deref(), columns.as_deref())?;
        self.wanted = Some(wanted);
        Ok(Some((decision, picking)))
    }

    /// Names what no file has of the slice; the slice for the record.
    pub(super) fn tell_slice(&mut self) -> Option<serde_json::Value> {
        let wanted = self.wanted.as_ref()?;
        let missing = wanted.missing();
        for (list, names) in missing.iter().filter(|(_, names)| !names.is_empty()) {
            let first = shorten(names.iter().map(Missing::shown));
            (self.report)(Event::Warning(format!("{list}: {} names are in no file: {first}", names.len())));
        }
        let not_found: Vec<&str> =
            missing.iter().flat_map(|(_, names)| names).map(|missing| missing.name.as_str()).collect();
        let Slice { samples, genes, conditions } = &self.settings.slice;
        self.origin.inputs.extend(wanted.inputs.iter().cloned());
        Some(serde_json::json!({
            "only_samples": samples, "only_genes": genes, "where": conditions, "of_files": self.sliced,
            "not_found": not_found,
        }))
    }
}
