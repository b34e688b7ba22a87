//! From scored genes to a list of landmarks.

mod list;

pub use list::{GeneList, Located, Matched};

use crate::attribution::ScoreTable;
use crate::error::{Error, Result};

/// Picks the `n` best genes: the included ones first, then by rank. The result is ranked in that order.
///
/// `include` and `exclude` are positions in `scores`.
///
/// # Errors
/// [`Error::Usage`] for n = 0; [`Error::Data`] where a gene is on both lists, where more are included than asked
/// for, or where fewer are left than asked for.
pub fn top(scores: &ScoreTable, n: usize, include: &[usize], exclude: &[usize]) -> Result<ScoreTable> {
    if n == 0 {
        return Err(Error::Usage("-n must be at least 1".into()));
    }
    let total = scores.genes.len();
    let (mut included, mut excluded) = (vec![false; total], vec![false; total]);
    include.iter().for_each(|i| included[*i] = true);
    exclude.iter().for_each(|i| excluded[*i] = true);
    if let Some(both) = (0..total).find(|i| included[*i] && excluded[*i]) {
        let message = format!(
            "gene {} is on an --include and on an --exclude list; remove it from one",
            scores.genes.ids[both]
        );
        return Err(Error::Data(message));
    }
    let count = included.iter().filter(|x| **x).count();
    if count > n {
        return Err(Error::Data(format!(
            "{count} genes are to be included, but only {n} landmarks were asked for (-n)"
        )));
    }
    let free = excluded.iter().filter(|x| !**x).count();
    if free < n {
        let message = format!(
            "{n} landmarks were asked for (-n), but there are only {free} genes: {total} scored, {} excluded",
            total - free
        );
        return Err(Error::Data(message));
    }
    let first = (0..total).filter(|i| included[*i]);
    let rest = (0..total).filter(|i| !included[*i] && !excluded[*i]);
    let chosen: Vec<usize> = first.chain(rest).take(n).collect();
    Ok(ScoreTable {
        genes: scores.genes.select(&chosen),
        scores: chosen.iter().map(|i| scores.scores[*i]).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Table;

    fn scores() -> ScoreTable {
        let genes = Table::new("gene_id", ["a", "b", "c", "d", "e"].map(String::from).to_vec());
        ScoreTable::rank(&genes, &[1.0, 5.0, 3.0, 3.0, 0.0])
    }

    #[test]
    fn best_first_with_ties_by_id() {
        assert_eq!(top(&scores(), 3, &[], &[]).unwrap().genes.ids, ["b", "c", "d"]);
        assert_eq!(top(&scores(), 5, &[], &[]).unwrap().genes.ids, ["b", "c", "d", "a", "e"]);
    }

    #[test]
    fn included_first_excluded_never() {
        // positions in the ranked table: b c d a e
        let chosen = top(&scores(), 3, &[4], &[0]).unwrap();
        assert_eq!(chosen.genes.ids, ["e", "c", "d"]);
        assert_eq!(chosen.scores, [0.0, 3.0, 3.0]);
    }

    #[test]
    fn impossible_requests_say_how_many_there_are() {
        let message = |n, include: &[usize], exclude: &[usize]| {
            top(&scores(), n, include, exclude).unwrap_err().to_string()
        };
        assert!(message(6, &[], &[]).contains("only 5 genes"));
        assert!(message(5, &[], &[1]).contains("only 4 genes: 5 scored, 1 excluded"));
        assert!(message(1, &[0, 1], &[]).contains("2 genes are to be included"));
        assert!(message(1, &[2], &[2]).contains("gene d is on an --include and on an --exclude list"));
        assert!(matches!(top(&scores(), 0, &[], &[]), Err(Error::Usage(_))));
    }
}
