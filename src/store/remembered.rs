//! Samples as something that was made from them remembers them, so that it is noticed when it is tested on the same ones: a hash
//! of each one's id, and one of each one's values, since copies go under other names.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use super::Store;
use crate::progress::{Event, Reporter};

/// Samples that something was made from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Remembered {
    /// Of ids.
    ids: Hashes,
    /// Of values, in the order of the store's genes, as f32.
    values: Hashes,
}

/// Hashes of 64 bits; in a file one text of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Hashes(Vec<u64>);

/// Samples of a store that something was made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shared {
    /// Those whose id is known.
    pub by_id: Vec<usize>,
    /// Those whose values are known, under another id.
    pub by_values: Vec<usize>,
}

impl Remembered {
    /// Samples of a store.
    pub fn of(store: &Store, samples: &[usize]) -> Remembered {
        Remembered::of_genes(store, samples, None)
    }

    /// Samples of a store by their values of these genes alone, in this order: what is applied to other samples of them may find
    /// them among any others, in any order.
    pub fn of_genes(store: &Store, samples: &[usize], genes: Option<&[usize]>) -> Remembered {
        let hashes: Vec<(u64, Option<u64>)> =
            samples.par_iter().map(|sample| hash(store, *sample, genes)).collect();
        Remembered {
            ids: Hashes(hashes.iter().map(|(id, _)| *id).collect()),
            values: Hashes(hashes.into_iter().filter_map(|(_, values)| values).collect()),
        }
    }

    /// All samples of a store.
    pub fn all(store: &Store) -> Remembered {
        Remembered::of(store, &(0..store.n_samples()).collect::<Vec<_>>())
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.ids.0.is_empty()
    }

    /// These and others.
    pub fn and(mut self, other: &Remembered) -> Remembered {
        for (mine, others) in [(&mut self.ids, &other.ids), (&mut self.values, &other.values)] {
            mine.0.extend(&others.0);
            mine.0.sort_unstable();
            mine.0.dedup();
        }
        self
    }

    /// Which of a store's samples are among them. `genes` are the places of those that they were remembered by, if not all.
    pub fn shared(&self, store: &Store, samples: &[usize], genes: Option<&[usize]>) -> Shared {
        let (ids, values) = self.sets();
        let found: Vec<(usize, bool, bool)> = samples
            .par_iter()
            .map(|sample| {
                let (id, row) = hash(store, *sample, genes);
                (*sample, ids.contains(&id), row.is_some_and(|row| values.contains(&row)))
            })
            .collect();
        let pick = |wanted: &dyn Fn(bool, bool) -> bool| {
            found.iter().filter(|(_, id, row)| wanted(*id, *row)).map(|(sample, ..)| *sample).collect()
        };
        Shared { by_id: pick(&|id, _| id), by_values: pick(&|id, row| row && !id) }
    }

    /// How many of a store's samples are among them by their values, or by an id and whatever values, and which of the latter have
    /// other values than they were remembered with. `genes` as in [`Remembered::shared`].
    pub fn changed(&self, store: &Store, genes: Option<&[usize]>) -> (usize, Vec<usize>) {
        let (ids, values) = self.sets();
        let all: Vec<usize> = (0..store.n_samples()).collect();
        let look = |sample: usize| {
            let (id, row) = hash(store, sample, genes);
            let same = row.is_some_and(|row| values.contains(&row));
            let named = ids.contains(&id);
            (sample, named || same, named && row.is_some() && !same)
        };
        let found: Vec<(usize, bool, bool)> = all.into_par_iter().map(look).collect();
        let known = found.iter().filter(|(_, known, _)| *known).count();
        (known, found.into_iter().filter(|(.., changed)| *changed).map(|(sample, ..)| sample).collect())
    }

    fn sets(&self) -> (HashSet<u64>, HashSet<u64>) {
        (self.ids.0.iter().copied().collect(), self.values.0.iter().copied().collect())
    }

    /// Says which samples of `store`, on which something is tested, it was made from.
    pub fn warn(&self, what: &str, store: &Store, samples: &[usize], report: Reporter) {
        self.warn_by_genes(what, store, (samples, None), report);
    }

    /// As [`Remembered::warn`], of samples that are remembered by some genes, which are at these places.
    pub fn warn_by_genes(
        &self,
        what: &str,
        store: &Store,
        (samples, genes): (&[usize], Option<&[usize]>),
        report: Reporter,
    ) {
        let Shared { by_id, by_values } = self.shared(store, samples, genes);
        let (n, path) = (samples.len(), store.path().display());
        for (shared, how) in [(by_id, "by id"), (by_values, "with the same values under other names")] {
            let Some(first) = shared.first().map(|sample| &store.samples().ids[*sample]) else { continue };
            report(Event::Warning(format!(
                "{} of {n} samples of {path} are among those that {what} comes from, {how} ({first} first); figures on samples that \
                 were learned from are too good",
                shared.len()
            )));
        }
    }
}

/// So many values besides the smallest make equal rows a sign of a copy: two cells may well share their only count.
const TELLING: usize = 16;

/// Of a sample: its id's hash and, unless too few of its values tell it from others, its values'.
fn hash(store: &Store, sample: usize, genes: Option<&[usize]>) -> (u64, Option<u64>) {
    let mut row = vec![0.0; genes.map_or(store.n_genes(), <[usize]>::len)];
    match genes {
        Some(genes) => store.read_genes(sample, genes, &mut row),
        None => store.read_row(sample, &mut row),
    }
    // Adding 0 makes −0 and 0 one value.
    row.iter_mut().for_each(|x| *x += 0.0);
    let least = row.iter().copied().fold(f32::INFINITY, f32::min);
    let telling = row.iter().filter(|x| **x != least).count();
    let tells = telling >= TELLING.min(row.len().saturating_sub(1)).max(1);
    let values = tells.then(|| xxh3_64(bytemuck::cast_slice(&row)));
    (xxh3_64(store.samples().ids[sample].as_bytes()), values)
}

/// Says in the record of a step of `prepare` that it took something from all samples.
pub(crate) const LEARNED: &str = "learned";

/// Such steps, as `store.json` of older versions names them, which had no [`LEARNED`].
const LEARNING: [&str; 6] = ["quantile_normalize", "range", "min_detected", "min_sd", "min_max", "zscore"];

/// Says where a store's samples, on which something is tested, were prepared together with those that are learned from.
pub fn warn_of_preparation(store: &Store, report: Reporter) {
    let transforms = &store.info().origin.transforms;
    let steps: Vec<(&String, &serde_json::Value)> =
        transforms.iter().filter_map(|transform| transform.as_object()?.iter().next()).collect();
    let learned = |(name, how): &&(&String, &serde_json::Value)| {
        how[LEARNED] == true || LEARNING.contains(&name.as_str())
    };
    let split = steps.iter().rposition(|(name, _)| *name == "split");
    let before = steps[..split.unwrap_or(0)].iter().find(learned);
    let together = steps.iter().position(|(name, _)| *name == "together");
    let after = together.and_then(|at| steps[at..].iter().find(learned));
    let path = store.path().display();
    if let Some((step, _)) = before {
        report(Event::Warning(format!(
            "{path}: the step {step} was fitted before the split, to these samples too; split first, prepare the training part, and \
             the others like it (--like)"
        )));
    } else if let Some((step, _)) = after {
        report(Event::Warning(format!(
            "{path}: the step {step} was fitted to these samples together with others; prepare the training samples, and these like \
             them (--like)"
        )));
    }
}

impl Serialize for Hashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(|hash| format!("{hash:016x}")).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("expected hexadecimal digits, 16 a sample");
        if !text.len().is_multiple_of(16) || !text.is_ascii() {
            return Err(wrong());
        }
        let hash = |at: usize| u64::from_str_radix(&text[at..at + 16], 16).map_err(|_| wrong());
        (0..text.len()).step_by(16).map(hash).collect::<Result<_, _>>().map(Hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Element;
    use crate::genes::Table;
    use crate::store::{Origin, StoreWriter};

    fn store(dir: &std::path::Path, name: &str, samples: &[(&str, [f32; 3])]) -> Store {
        let mut writer = StoreWriter::create(&dir.join(name), 3, Element::F32, false).unwrap();
        samples.iter().for_each(|(_, row)| writer.push_rows(row).unwrap());
        let ids = samples.iter().map(|(id, _)| id.to_string()).collect();
        let genes = Table::numbered("gene_id", "g", 3);
        writer.finish(genes, Table::new("sample_id", ids), Origin::default()).unwrap()
    }

    #[test]
    fn a_sample_is_known_by_its_id_and_by_its_values() {
        let dir = tempfile::tempdir().unwrap();
        let known = [("a", [1.0, 2.0, 3.0]), ("b", [4.0, 5.0, 6.0]), ("c", [0.0; 3])];
        let tested =
            [("b", [9.0, 8.0, 7.0]), ("x", [1.0, 2.0, 3.0]), ("y", [0.0; 3]), ("z", [1.0, 2.0, 4.0])];
        let (known, tested) = (store(dir.path(), "a.gex", &known), store(dir.path(), "b.gex", &tested));
        let remembered = Remembered::all(&known);
        let text = serde_json::to_string(&remembered).unwrap();
        let remembered: Remembered = serde_json::from_str(&text).unwrap();
        assert_eq!(remembered, Remembered::all(&known));
        let shared = remembered.shared(&tested, &[0, 1, 2, 3], None);
        // equal samples of one value are no sign of a copy
        assert_eq!(shared, Shared { by_id: vec![0], by_values: vec![1] });
        assert!(serde_json::from_str::<Remembered>(&text.replacen('"', "\"é", 3)).is_err());
        let said = std::sync::Mutex::new(Vec::new());
        remembered.warn("X", &tested, &[1], &|event| said.lock().unwrap().push(event));
        let said = said.into_inner().unwrap();
        assert!(
            matches!(&said[..], [Event::Warning(text)] if text.contains("1 of 1 samples") && text.contains("(x first)"))
        );
        let both = Remembered::of(&known, &[0]).and(&Remembered::of(&known, &[1, 2]));
        assert_eq!(both.shared(&tested, &[0, 1], None), shared);
    }

    #[test]
    fn samples_are_known_by_some_genes_wherever_they_are_and_not_by_a_single_count() {
        let dir = tempfile::tempdir().unwrap();
        let known = store(dir.path(), "a.gex", &[("a", [1.0, 2.0, 3.0]), ("b", [0.0, 0.0, 5.0])]);
        let tested = store(dir.path(), "b.gex", &[("x", [3.0, 9.0, 1.0]), ("y", [5.0, 0.0, 0.0])]);
        let remembered = Remembered::of_genes(&known, &[0, 1], Some(&[0, 2]));
        let shared = remembered.shared(&tested, &[0, 1], Some(&[2, 0]));
        assert_eq!(shared, Shared { by_id: vec![], by_values: vec![0, 1] });
        let whole = Remembered::all(&known).shared(&known, &[0, 1], None);
        assert_eq!(whole, Shared { by_id: vec![0, 1], by_values: vec![] });
        let renamed = store(dir.path(), "c.gex", &[("y", [0.0, 0.0, 5.0])]);
        // of three values two are the smallest: other samples may be like it by chance
        assert!(Remembered::all(&known).shared(&renamed, &[0], None).by_values.is_empty());
    }
}
