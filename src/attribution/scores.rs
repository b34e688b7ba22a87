//! `scores.tsv`: one gene a row, best first.

use std::path::Path;

use crate::error::{Error, Result};
use crate::genes::sidecar::{self, Made};
use crate::genes::writer::Rows;
use crate::genes::{Sheet, Table, Untold, unique};
use crate::progress::{Event, Reporter};

/// The columns that every such table has.
const KEYS: [&str; 3] = ["rank", "gene_id", "score"];

/// Genes ranked by the absolute value of their score; equal scores by gene id.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreTable {
    /// The genes, best first, with whatever is known about them.
    pub genes: Table,
    /// Their scores.
    pub scores: Vec<f64>,
}

impl ScoreTable {
    /// Ranks `genes`, which `scores` go with.
    pub fn rank(genes: &Table, scores: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..genes.len()).collect();
        order.sort_by(|a, b| {
            let by_score = scores[*b].abs().total_cmp(&scores[*a].abs());
            by_score.then_with(|| genes.ids[*a].cmp(&genes.ids[*b]))
        });
        ScoreTable { genes: genes.select(&order), scores: order.iter().map(|i| scores[*i]).collect() }
    }

    /// Writes `rank gene_id score …`, in full precision, and beside it what it was made from. A column of the genes that has
    /// one of these names gets a number (`score.1`).
    ///
    /// # Errors
    /// [`Error::Exists`] without `force`; [`Error::Io`].
    pub fn write(&self, path: &Path, force: bool, made: Made) -> Result<()> {
        let mut header: Vec<String> = KEYS.map(String::from).to_vec();
        for (name, _) in &self.genes.columns {
            header.push(unique(name, |name| header.iter().any(|other| other == name)));
        }
        let mut text = Vec::new();
        let mut rows = Rows::new(&mut text);
        let genes = self.genes.ids.iter().zip(&self.scores).enumerate();
        let written = rows.row(&header).and_then(|()| {
            genes.into_iter().try_for_each(|(i, (id, score))| {
                let own = [(i + 1).to_string(), id.clone(), score.to_string()];
                rows.row(own.iter().chain(self.genes.columns.iter().map(|(_, fields)| &fields[i])))
            })
        });
        written.map_err(Error::io(path, "writing"))?;
        sidecar::write(path, force, (&text, self.scores.len()), made)
    }

    /// Reads a table with the columns `gene_id` and `score`; others are kept (but `rank`, which is made anew). One that
    /// genelift wrote must fit the description beside it; what is to be said of another is reported.
    ///
    /// # Errors
    /// Those of [`Sheet::read`]; [`Error::Input`] naming the column or the row.
    pub fn read(path: &Path, report: Reporter) -> Result<Self> {
        let sheet = Sheet::read(path, Untold::Header)?;
        sheet.notes.iter().for_each(|note| report(Event::Note(note.clone())));
        let wrong = |message: String| Error::input(path, message);
        let column = |name: &str| {
            sheet.columns.iter().position(|column| column.name == name).ok_or_else(|| {
                wrong(format!(
                    "no column \"{name}\" in the header; expected a table written by `genelift attribute`"
                ))
            })
        };
        let (id, score) = (column("gene_id")?, column("score")?);
        let number = |(field, line): (&String, &u64)| {
            field.parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(|| {
                wrong(format!("line {line}, column score: expected a number, found {field:?}"))
            })
        };
        let scores =
            sheet.columns[score].fields.iter().zip(&sheet.lines).map(number).collect::<Result<Vec<f64>>>()?;
        let mut genes = Table::of_sheet(sheet, id)?;
        genes.columns.retain(|(name, _)| !KEYS.contains(&name.as_str()));
        Ok(ScoreTable::rank(&genes, &scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;

    #[test]
    fn signed_scores_rank_by_size_and_ties_by_id() {
        let genes = Table::new("gene_id", ["d", "c", "b", "a"].map(String::from).to_vec());
        let table = ScoreTable::rank(&genes, &[0.5, -2.0, 0.5, 1.0]);
        assert_eq!(table.genes.ids, ["c", "a", "b", "d"]);
        assert_eq!(table.scores, [-2.0, 1.0, 0.5, 0.5]);
    }

    #[test]
    fn file_round_trip_and_refusals() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.tsv");
        let mut genes = Table::new("gene_id", ["a", "b"].map(String::from).to_vec());
        genes.columns.push(("symbol".into(), ["TP53", "MYC"].map(String::from).to_vec()));
        let table = ScoreTable::rank(&genes, &[0.1 + 0.2, -1e-300]);
        table.write(&path, false, Made::default()).unwrap();
        let text = "rank\tgene_id\tscore\tsymbol\n1\ta\t0.30000000000000004\tTP53\n2\tb\t-1e-300\tMYC\n";
        let found = std::fs::read_to_string(&path).unwrap();
        assert_eq!(found.replace(&format!("-0.{}1", "0".repeat(299)), "-1e-300"), text);
        assert_eq!(ScoreTable::read(&path, &silent).unwrap(), table);
        std::fs::remove_file(sidecar::name(&path)).unwrap();
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ScoreTable::read(&path, &silent).unwrap_err().to_string()
        };
        assert!(message("gene\tscore\n").contains("no column \"gene_id\""));
        assert!(message("gene_id\tscore\na\tx\n").contains("line 2, column score"));
        assert!(message("gene_id\tscore\na\tNaN\n").contains("line 2, column score"));
        assert!(message("gene_id\tscore\na\n").contains("line 2 has 1 field where the header has 2"));
        assert!(message("gene_id\tscore\na\t1\na\t2\n").contains("id \"a\" occurs in rows 1 and 2"));
    }
}
