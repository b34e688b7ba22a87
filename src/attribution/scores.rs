//! `scores.tsv`: one gene a row, best first.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::{Table, atomic};

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

    /// Writes `rank gene_id score …`, in full precision.
    ///
    /// # Errors
    /// [`Error::Exists`] without `force`; [`Error::Io`].
    pub fn write(&self, path: &Path, force: bool) -> Result<()> {
        atomic::write_file(path, force, |out| {
            let names: String = self.genes.columns.iter().map(|(name, _)| format!("\t{name}")).collect();
            let mut text = format!("rank\tgene_id\tscore{names}\n");
            for (i, (id, score)) in self.genes.ids.iter().zip(&self.scores).enumerate() {
                text += &format!("{}\t{id}\t{score}", i + 1);
                self.genes.columns.iter().for_each(|(_, values)| text += &format!("\t{}", values[i]));
                text.push('\n');
            }
            out.write_all(text.as_bytes()).map_err(Error::io(path, "writing"))
        })
    }

    /// Reads a table with the columns `gene_id` and `score`; others are kept (but `rank`, which is made anew).
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] naming the column or the row.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |message: String| Error::input(path, message);
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "reading"))?;
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or("").split('\t').collect();
        let column = |name: &str| {
            header.iter().position(|h| *h == name).ok_or_else(|| {
                wrong(format!(
                    "no column \"{name}\" in the header; expected a table written by `genelift attribute`"
                ))
            })
        };
        let (id, score) = (column("gene_id")?, column("score")?);
        let mut scores = Vec::new();
        let mut ids = Vec::new();
        let others: Vec<usize> =
            (0..header.len()).filter(|c| *c != id && *c != score && header[*c] != "rank").collect();
        let mut columns: Vec<(String, Vec<String>)> =
            others.iter().map(|c| (header[*c].to_string(), Vec::new())).collect();
        for (i, line) in lines.enumerate() {
            let fields: Vec<&str> = line.split('\t').collect();
            let row = i + 2;
            if fields.len() != header.len() {
                let (want, found) = (header.len(), fields.len());
                return Err(wrong(format!("line {row}: expected {want} fields, found {found}")));
            }
            let value: f64 = fields[score].parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(|| {
                wrong(format!("line {row}, column score: expected a number, found \"{}\"", fields[score]))
            })?;
            ids.push(fields[id].to_string());
            scores.push(value);
            columns.iter_mut().zip(&others).for_each(|((_, values), c)| values.push(fields[*c].to_string()));
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = ids.iter().find(|id| !seen.insert(id.as_str())) {
            return Err(wrong(format!("gene {twice} is there twice; each gene may have one score")));
        }
        let mut genes = Table::new("gene_id", ids);
        genes.columns = columns;
        Ok(ScoreTable::rank(&genes, &scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        table.write(&path, false).unwrap();
        assert_eq!(ScoreTable::read(&path).unwrap(), table);
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ScoreTable::read(&path).unwrap_err().to_string()
        };
        assert!(message("gene\tscore\n").contains("no column \"gene_id\""));
        assert!(message("gene_id\tscore\na\tx\n").contains("line 2, column score"));
        assert!(message("gene_id\tscore\na\tNaN\n").contains("line 2, column score"));
        assert!(message("gene_id\tscore\na\n").contains("expected 2 fields, found 1"));
        assert!(message("gene_id\tscore\na\t1\na\t2\n").contains("gene a is there twice"));
    }
}
