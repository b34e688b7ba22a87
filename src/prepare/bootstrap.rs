//! A bootstrap draw of a store's samples.

use std::path::Path;

use super::split::{self, groups};
use crate::device::random::Stream;
use crate::error::Result;
use crate::store::{Origin, Store};

/// Samples drawn with replacement, ascending: as many as there are, or as many groups as there are by the sample column `group_by`,
/// each whole, since samples of one group are alike. The draw hangs on `seed` and `index`.
///
/// # Errors
/// [`crate::Error::Usage`] for a column that the store lacks.
pub fn draw(store: &Store, group_by: Option<&str>, seed: u64, index: u64) -> Result<Vec<usize>> {
    let groups = groups(store, group_by)?;
    let n = groups.len() as u64;
    let mut stream = Stream::new(seed, "bootstrap", index);
    let mut draw: Vec<usize> = (0..n).flat_map(|_| groups[stream.below(n) as usize].clone()).collect();
    draw.sort_unstable();
    Ok(draw)
}

/// Writes the samples of [`draw()`]. A sample that is drawn again gets a number behind its id (`#2`, `#3`, …).
///
/// # Errors
/// As [`draw()`]; outputs that exist, without `force`; [`crate::Error::Io`].
pub fn bootstrap(
    store: &Store,
    path: &Path,
    group_by: Option<&str>,
    (seed, index): (u64, u64),
    force: bool,
) -> Result<Store> {
    let n = store.n_samples();
    let draw = draw(store, group_by, seed, index)?;
    let mut samples = store.samples().select(&draw);
    let mut times = vec![0; n];
    for (id, sample) in samples.ids.iter_mut().zip(&draw) {
        times[*sample] += 1;
        if times[*sample] > 1 {
            *id = format!("{id}#{}", times[*sample]);
        }
    }
    let origin = Origin::derived(
        store,
        serde_json::json!({"bootstrap": {"seed": seed, "index": index, "group_by": group_by}}),
    );
    split::write(store, path, &draw, samples, origin, force)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::Element;
    use crate::genes::Table;
    use crate::store::StoreWriter;

    #[test]
    fn a_draw_repeats_samples_and_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = StoreWriter::create(&dir.path().join("all.gex"), 2, Element::F32, false).unwrap();
        (0..100).for_each(|s| writer.push_rows(&[s as f32, 1.0]).unwrap());
        let (genes, samples) = (Table::numbered("gene_id", "g", 2), Table::numbered("sample_id", "s", 100));
        let store = writer.finish(genes, samples, Origin::default()).unwrap();
        let draw = |name: &str, index| {
            let drawn = bootstrap(&store, &dir.path().join(name), None, (5, index), false).unwrap();
            let mut row = [0.0; 2];
            let value = |s: usize| {
                drawn.read_row(s, &mut row);
                row[0] as usize
            };
            ((0..drawn.n_samples()).map(value).collect::<Vec<_>>(), drawn.samples().ids.clone())
        };
        let (first, ids) = draw("a.gex", 1);
        let distinct: std::collections::BTreeSet<_> = first.iter().collect();
        // 1 − 1/e of them, about 63
        assert!(first.len() == 100 && (50..77).contains(&distinct.len()), "{}", distinct.len());
        for (value, id) in first.iter().zip(&ids) {
            assert_eq!(id.split('#').next(), Some(&*store.samples().ids[*value]));
        }
        assert_eq!(draw("b.gex", 1).0, first);
        assert_ne!(draw("c.gex", 2).0, first);

        let mut samples = store.samples().clone();
        samples.set_column("study", (0..100).map(|s| (s / 9).to_string()).collect());
        let grouped =
            Store::in_memory("g", vec![1.0; 100], samples, Table::numbered("gene_id", "g", 1)).unwrap();
        let drawn = super::draw(&grouped, Some("study"), 5, 1).unwrap();
        let times = |s: &usize| drawn.iter().filter(|d| *d == s).count();
        for first in (0..100).step_by(9) {
            let of_study: std::collections::BTreeSet<usize> =
                (first..100.min(first + 9)).map(|s| times(&s)).collect();
            assert_eq!(of_study.len(), 1, "whole studies");
        }
        assert!(super::draw(&grouped, Some("no"), 5, 1).is_err());
    }
}
