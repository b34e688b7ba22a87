//! What binds every strategy: how many genes, which ones must be among them and which must not.

use crate::attribution::ScoreTable;
use crate::error::{Error, Result};
use crate::genes::{Table, shown};
use crate::nouns::counted;

/// How many landmarks are wanted of a table of genes, with those that must and must not be among them.
#[derive(Debug, Clone)]
pub struct Constraints {
    n: usize,
    includes: usize,
    may: Vec<May>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Must,
    Can,
    Never,
}

/// Chosen genes, in the order of the choice, so that every prefix is a panel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picks {
    /// Positions in the table of genes.
    pub genes: Vec<usize>,
    /// The strategy's own score of each.
    pub scores: Vec<f64>,
}

impl Picks {
    /// Appends a gene.
    pub fn push(&mut self, gene: usize, score: f64) {
        self.genes.push(gene);
        self.scores.push(score);
    }

    /// The landmarks' table; `genes` is what the positions refer to.
    pub fn table(self, genes: &Table) -> ScoreTable {
        ScoreTable { genes: genes.select(&self.genes), scores: self.scores }
    }
}

impl Constraints {
    /// `include` and `exclude` are positions in `genes`.
    ///
    /// # Errors
    /// [`Error::Usage`] for n = 0; [`Error::Data`] where a gene is on both lists, where more are included than
    /// asked for, or where fewer are left than asked for.
    pub fn new(genes: &Table, n: usize, include: &[usize], exclude: &[usize]) -> Result<Self> {
        if n == 0 {
            return Err(Error::Usage("-n must be at least 1".into()));
        }
        let mut may = vec![May::Can; genes.len()];
        include.iter().for_each(|gene| may[*gene] = May::Must);
        if let Some(both) = exclude.iter().find(|gene| may[**gene] == May::Must) {
            let message = format!(
                "gene {} is on an --include and on an --exclude list; remove it from one",
                shown(genes, *both)
            );
            return Err(Error::Data(message));
        }
        exclude.iter().for_each(|gene| may[*gene] = May::Never);
        let count = |what| may.iter().filter(|m| **m == what).count();
        let (includes, excludes) = (count(May::Must), count(May::Never));
        if includes > n {
            return Err(Error::Data(format!(
                "{} to be included, but only {} wanted; allow more (-n)",
                are(includes, "gene"),
                are(n, "landmark")
            )));
        }
        let (total, free) = (genes.len(), genes.len() - excludes);
        if free < n {
            let there = if free == 1 { "there is" } else { "there are" };
            let out = match excludes {
                0 => String::new(),
                _ => format!(": {total} in all, {excludes} left out"),
            };
            let (wanted, free) = (are(n, "landmark"), counted(free, "gene"));
            return Err(Error::Data(format!("{wanted} wanted, but {there} only {free}{out}")));
        }
        Ok(Constraints { n, includes, may })
    }

    /// How many landmarks.
    pub fn n(&self) -> usize {
        self.n
    }

    /// How many of them are given.
    pub fn includes(&self) -> usize {
        self.includes
    }

    /// The same for some of the genes alone, all of which are to be chosen.
    pub(super) fn among(&self, genes: &[usize]) -> Self {
        let may = genes.iter().map(|gene| self.may[*gene]).collect();
        Constraints { n: genes.len(), includes: self.includes, may }
    }

    /// Whether a gene may be the next, when `placed` are chosen: included genes come first, excluded ones never.
    pub fn allows(&self, gene: usize, placed: usize) -> bool {
        self.may[gene] == if placed < self.includes { May::Must } else { May::Can }
    }

    /// The best by score: the included genes first, equal scores by id.
    pub fn best(&self, ids: &[String], scores: &[f64]) -> Picks {
        let mut order: Vec<usize> = (0..ids.len()).filter(|gene| self.may[*gene] != May::Never).collect();
        order.sort_by(|a, b| {
            let given = (self.may[*a] != May::Must).cmp(&(self.may[*b] != May::Must));
            given.then(scores[*b].total_cmp(&scores[*a])).then_with(|| ids[*a].cmp(&ids[*b]))
        });
        order.truncate(self.n);
        Picks { scores: order.iter().map(|gene| scores[*gene]).collect(), genes: order }
    }
}

/// `1 gene is`, `2 genes are`.
fn are(n: usize, noun: &str) -> String {
    format!("{} {}", counted(n, noun), if n == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genes() -> Table {
        Table::new("gene_id", ["c", "b", "d", "a", "e"].map(String::from).to_vec())
    }

    #[test]
    fn included_first_ties_by_id() {
        let best = |n, include: &[usize], exclude: &[usize]| {
            let constraints = Constraints::new(&genes(), n, include, exclude).unwrap();
            constraints.best(&genes().ids, &[3.0, 5.0, 3.0, 1.0, 0.0])
        };
        assert_eq!(best(3, &[], &[]).genes, [1, 0, 2]);
        assert_eq!(best(5, &[], &[]).genes, [1, 0, 2, 3, 4]);
        assert_eq!(best(3, &[4, 3], &[1]), Picks { genes: vec![3, 4, 0], scores: vec![1.0, 0.0, 3.0] });
    }

    #[test]
    fn impossible_requests_say_how_many_there_are() {
        let message = |n, include: &[usize], exclude: &[usize]| {
            Constraints::new(&genes(), n, include, exclude).unwrap_err().to_string()
        };
        assert!(message(6, &[], &[]).contains("only 5 genes"));
        assert!(message(5, &[], &[1]).contains("only 4 genes: 5 in all, 1 left out"));
        assert_eq!(message(6, &[], &[]), "6 landmarks are wanted, but there are only 5 genes");
        assert!(
            message(1, &[], &[0, 1, 2, 3, 4]).contains("1 landmark is wanted, but there are only 0 genes")
        );
        let included = "2 genes are to be included, but only 1 landmark is wanted; allow more (-n)";
        assert_eq!(message(1, &[0, 1], &[]), included);
        assert!(message(1, &[2], &[2]).contains("gene d is on an --include and on an --exclude list"));
        assert!(matches!(Constraints::new(&genes(), 0, &[], &[]), Err(Error::Usage(_))));
    }
}
