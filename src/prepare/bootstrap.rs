//! A bootstrap draw of a store's samples.

use std::path::Path;

use super::split;
use crate::device::random::Stream;
use crate::error::Result;
use crate::store::{Origin, Store};

/// Writes as many samples as `store` has, drawn with replacement; the draw hangs on `seed` and `index`. A sample
/// that is drawn again gets a number behind its id (`#2`, `#3`, …).
///
/// # Errors
/// Outputs that exist, without `force`; [`crate::Error::Io`].
pub fn bootstrap(store: &Store, path: &Path, seed: u64, index: u64, force: bool) -> Result<Store> {
    let n = store.n_samples();
    let mut stream = Stream::new(seed, "bootstrap", index);
    let mut draw: Vec<usize> = (0..n).map(|_| stream.below(n as u64) as usize).collect();
    draw.sort_unstable();
    let mut samples = store.samples().select(&draw);
    let mut times = vec![0; n];
    for (id, sample) in samples.ids.iter_mut().zip(&draw) {
        times[*sample] += 1;
        if times[*sample] > 1 {
            *id = format!("{id}#{}", times[*sample]);
        }
    }
    let origin = Origin::derived(store, serde_json::json!({"bootstrap": {"seed": seed, "index": index}}));
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
            let drawn = bootstrap(&store, &dir.path().join(name), 5, index, false).unwrap();
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
    }
}
