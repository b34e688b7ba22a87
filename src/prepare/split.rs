//! Splits the samples of a store into stores for training, validation and testing.

use std::path::Path;

use crate::device::random::Stream;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::progress::{Event, Reporter};
use crate::store::{Origin, Store, StoreWriter, atomic};

/// What binds the draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw<'a> {
    /// Nothing: samples at random.
    Samples,
    /// Samples of one value in this column stay together. Groups are shuffled and each goes where most samples are
    /// still wanted, so parts come as close to their fractions as the groups allow.
    Groups(&'a str),
    /// Every value in this column is spread over the parts by their fractions, to within two samples. Samples are
    /// shuffled within each stratum, and dealt out stratum by stratum to the part that is furthest behind.
    Strata(&'a str),
}

impl Draw<'_> {
    /// The column, by the kind of draw.
    fn column(self) -> Option<(&'static str, String)> {
        match self {
            Draw::Samples => None,
            Draw::Groups(column) => Some(("group_by", column.into())),
            Draw::Strata(column) => Some(("stratify", column.into())),
        }
    }
}

/// Writes `DIR/train.gex` and `DIR/test.gex`, or with three fractions `train`, `validation` and `test`.
///
/// Samples are drawn as [`Draw`] says. Within a part they keep their order. No part is empty.
///
/// # Errors
/// [`Error::Usage`] for fractions that are not two or three positive numbers of sum 1, or an unknown column;
/// [`Error::Data`] for fewer samples or groups than parts; outputs that exist.
pub fn split(
    store: &Store,
    dir: &Path,
    fractions: &[f64],
    draw: Draw,
    seed: u64,
    force: bool,
) -> Result<Vec<Store>> {
    let names = names(fractions)?;
    let part_of = part_of(store, fractions, draw, seed)?;
    let files = files(names.len());
    let outputs = atomic::Parts::new(dir, &files, force)?;
    atomic::check_space(dir, store.bytes())?;
    let part = |part: usize, dir: &Path| {
        let name = names[part];
        let samples: Vec<usize> = (0..store.n_samples()).filter(|s| part_of[*s] == part).collect();
        let mut record = serde_json::json!({ "part": name, "fractions": fractions, "seed": seed });
        if let Some((kind, column)) = draw.column() {
            record[kind] = column.into();
        }
        let origin = Origin::derived(store, serde_json::json!({ "split": record }));
        let table = store.samples().select(&samples);
        write(store, &dir.join(&files[part]), &samples, table, origin, false)
    };
    outputs.write(|dir| (0..names.len()).map(|i| part(i, dir)).collect())
}

/// The files of a split into so many parts; none for a number of parts that there is no split into.
pub fn files(parts: usize) -> Vec<String> {
    part_names(parts).iter().map(|name| format!("{name}.gex")).collect()
}

fn part_names(parts: usize) -> &'static [&'static str] {
    match parts {
        2 => &["train", "test"],
        3 => &["train", "validation", "test"],
        _ => &[],
    }
}

/// As [`split`], with the parts in memory and nothing written.
///
/// # Errors
/// As [`split`].
pub fn parts(store: &Store, fractions: &[f64], draw: Draw, seed: u64) -> Result<Vec<Store>> {
    let names = names(fractions)?;
    let part_of = part_of(store, fractions, draw, seed)?;
    let part = |(part, name): (usize, &&str)| {
        let samples: Vec<usize> = (0..store.n_samples()).filter(|s| part_of[*s] == part).collect();
        store.picked(name, &samples)
    };
    names.iter().enumerate().map(part).collect()
}

/// The part of every sample.
fn part_of(store: &Store, fractions: &[f64], draw: Draw, seed: u64) -> Result<Vec<usize>> {
    let by_column = units(store, names(fractions)?.len(), draw)?;
    Ok(match draw {
        Draw::Strata(_) => spread(by_column, fractions, seed),
        Draw::Samples | Draw::Groups(_) => assign(&by_column, fractions, seed),
    })
}

/// How many samples each part will have.
///
/// # Errors
/// As [`check`].
pub fn sizes(store: &Store, fractions: &[f64], draw: Draw, seed: u64) -> Result<Vec<usize>> {
    let part_of = part_of(store, fractions, draw, seed)?;
    Ok((0..fractions.len()).map(|part| part_of.iter().filter(|of| **of == part).count()).collect())
}

/// The parts' names.
///
/// # Errors
/// [`Error::Usage`] for fractions that are not two or three positive numbers of sum 1.
pub fn names(fractions: &[f64]) -> Result<&'static [&'static str]> {
    let names = part_names(fractions.len());
    if names.is_empty() {
        let n = fractions.len();
        return Err(Error::Usage(format!("--fractions has {n} numbers; two or three are needed")));
    }
    let sum: f64 = fractions.iter().sum();
    if !fractions.iter().all(|f| *f > 0.0) || (sum - 1.0).abs() > 1e-6 {
        let given: Vec<String> = fractions.iter().map(f64::to_string).collect();
        let given = given.join(",");
        return Err(Error::Usage(format!("--fractions {given} must be positive and add to 1, not {sum}")));
    }
    Ok(names)
}

/// Whether a store can be split so.
///
/// # Errors
/// As [`split`].
pub fn check(store: &Store, fractions: &[f64], draw: Draw) -> Result<()> {
    units(store, names(fractions)?.len(), draw).map(|_| ())
}

/// The samples by the column that binds the draw, if there are enough for every part.
fn units(store: &Store, parts: usize, draw: Draw) -> Result<Vec<Vec<usize>>> {
    let (by_column, units, what) = match draw {
        Draw::Samples => (groups(store, None)?, store.n_samples(), "samples".into()),
        Draw::Strata(column) => (labelled(store, Some(column))?, store.n_samples(), "samples".into()),
        Draw::Groups(column) => {
            let groups = groups(store, Some(column))?;
            let n = groups.len();
            (groups, n, format!("{} by {column:?}", if n == 1 { "group" } else { "groups" }))
        }
    };
    if units < parts {
        let path = store.path().display();
        return Err(Error::Data(format!("{path}: {units} {what} cannot make {parts} parts")));
    }
    Ok(by_column)
}

/// Whether a label says that nothing is known: blank, `NA`, `nan`, `null`.
pub(crate) fn is_unlabelled(label: &str) -> bool {
    let label = label.trim();
    label.is_empty()
        || ["na", "n/a", "#n/a", "<na>", "nan", "null"].contains(&label.to_ascii_lowercase().as_str())
}

/// Warns where groups of samples are only partly known: what is to be kept together may come apart. Nothing is said of a column that is not there.
pub(crate) fn warn_of_unlabelled(store: &Store, column: &str, report: Reporter) {
    let labels = store.samples().column(column).unwrap_or_default();
    let unknown = labels.iter().filter(|label| is_unlabelled(label)).count();
    if unknown > 0 {
        report(Event::Warning(format!(
            "{unknown} of {} samples of {} have no label in {column}; each is taken for a group by itself, so samples of one group may be \
             held apart from one another",
            labels.len(),
            store.path().display()
        )));
    }
}

/// The samples of each group, groups in order of first appearance; a sample without a label is a group by itself, and without a
/// column each is.
pub(crate) fn groups(store: &Store, column: Option<&str>) -> Result<Vec<Vec<usize>>> {
    let mut groups = labelled(store, column)?;
    let Some(fields) = column.and_then(|column| store.samples().column(column)) else { return Ok(groups) };
    if let Some(at) = groups.iter().position(|group| is_unlabelled(&fields[group[0]])) {
        let unknown = groups.remove(at);
        groups.extend(unknown.into_iter().map(|sample| vec![sample]));
    }
    Ok(groups)
}

/// As [`groups`], with the samples without a label as one.
fn labelled(store: &Store, column: Option<&str>) -> Result<Vec<Vec<usize>>> {
    let Some(name) = column else {
        return Ok((0..store.n_samples()).map(|s| vec![s]).collect());
    };
    let fields = store.sample_column(name)?;
    let mut positions = std::collections::HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (sample, field) in fields.iter().enumerate() {
        let field = if is_unlabelled(field) { "" } else { field.as_str() };
        let group = *positions.entry(field).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(sample);
    }
    Ok(groups)
}

/// The part of every sample: groups are shuffled, and each goes where most samples are still wanted; no part is empty where
/// there are as many groups.
pub(crate) fn assign(groups: &[Vec<usize>], fractions: &[f64], seed: u64) -> Vec<usize> {
    let mut order: Vec<&[usize]> = groups.iter().map(Vec::as_slice).collect();
    Stream::new(seed, "split", 0).shuffle(&mut order);
    deal(&order, fractions, false)
}

/// The part of every sample: strata are shuffled, and samples within them, and dealt out one after another.
fn spread(mut strata: Vec<Vec<usize>>, fractions: &[f64], seed: u64) -> Vec<usize> {
    let mut stream = Stream::new(seed, "split", 0);
    stream.shuffle(&mut strata);
    strata.iter_mut().for_each(|stratum| stream.shuffle(stratum));
    let order: Vec<&[usize]> = strata.iter().flat_map(|stratum| stratum.chunks(1)).collect();
    deal(&order, fractions, true)
}

/// The part of every sample: each group in turn goes where most is lacking, of what a part is to have in the end, or of
/// its share so far.
fn deal(groups: &[&[usize]], fractions: &[f64], so_far: bool) -> Vec<usize> {
    let n: usize = groups.iter().map(|group| group.len()).sum();
    let mut sizes = vec![0usize; fractions.len()];
    let (mut part_of, mut placed) = (vec![0; n], 0);
    for (done, group) in groups.iter().enumerate() {
        placed += group.len();
        let whole = if so_far { placed } else { n } as f64;
        let empty = sizes.iter().filter(|size| **size == 0).count();
        let must_fill = groups.len() - done == empty;
        let parts = (0..sizes.len()).filter(|part| !must_fill || sizes[*part] == 0);
        let lack = |part: &usize| fractions[*part] * whole - sizes[*part] as f64;
        let part = parts.max_by(|a, b| lack(a).total_cmp(&lack(b))).expect("there are parts");
        sizes[part] += group.len();
        group.iter().for_each(|sample| part_of[*sample] = part);
    }
    part_of
}

/// The given samples of a store as a store of their own, `table` describing them.
pub(super) fn write(
    store: &Store,
    path: &Path,
    samples: &[usize],
    table: Table,
    origin: Origin,
    force: bool,
) -> Result<Store> {
    let mut writer = StoreWriter::create_in(store.layout(), path, store.n_genes(), store.element(), force)?;
    writer.expect(samples.len())?;
    let mut row = vec![0.0; store.n_genes()];
    for &sample in samples {
        store.read_row(sample, &mut row);
        writer.push_rows(&row)?;
    }
    writer.finish(store.genes().clone(), table, origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::Element;

    fn store(dir: &Path, n: usize, group: impl Fn(usize) -> usize) -> Store {
        let mut writer = StoreWriter::create(&dir.join("all.gex"), 3, Element::F32, false).expect("created");
        for s in 0..n {
            writer.push_rows(&[s as f32, 1.0, 2.0]).expect("pushed");
        }
        let mut samples = Table::numbered("sample_id", "s", n);
        samples.set_column("study", (0..n).map(|s| group(s).to_string()).collect());
        writer.finish(Table::numbered("gene_id", "g", 3), samples, Origin::default()).expect("finished")
    }

    /// The first gene's values, which number the samples.
    fn numbers(store: &Store) -> Vec<usize> {
        let mut values = Vec::new();
        store.read_columns(0, 1, &mut values);
        values.into_iter().map(|x| x as usize).collect()
    }

    #[test]
    fn parts_have_their_size_and_share_no_sample() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let all = store(dir.path(), 257, |s| s);
        let parts =
            split(&all, &dir.path().join("a"), &[0.8, 0.1, 0.1], Draw::Samples, 7, false).expect("split");
        let sizes: Vec<_> = parts.iter().map(Store::n_samples).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 257);
        for (size, wanted) in sizes.iter().zip([205.6, 25.7, 25.7]) {
            assert!((*size as f64 - wanted).abs() < 1.0, "{sizes:?}");
        }
        let mut seen: Vec<_> = parts.iter().flat_map(numbers).collect();
        for part in &parts {
            assert!(
                part.samples().ids.iter().zip(numbers(part)).all(|(id, s)| *id == format!("s_{}", s + 1))
            );
        }
        assert_ne!(seen, (0..257).collect::<Vec<_>>());
        seen.sort_unstable();
        assert_eq!(seen, (0..257).collect::<Vec<_>>());

        let again =
            split(&all, &dir.path().join("b"), &[0.8, 0.1, 0.1], Draw::Samples, 7, false).expect("split");
        assert_eq!(numbers(&again[2]), numbers(&parts[2]));
        assert_eq!(again[0].info().fingerprint(), parts[0].info().fingerprint());
        let other =
            split(&all, &dir.path().join("b"), &[0.8, 0.1, 0.1], Draw::Samples, 8, true).expect("replaced");
        assert_ne!(numbers(&other[2]), numbers(&parts[2]));
        assert_eq!(parts[0].info().origin.inputs[0].sha256, all.info().fingerprint());
    }

    #[test]
    fn groups_stay_whole_and_no_part_is_empty() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // One study of 90 and ten of one sample each: the large one must not take every part's share.
        let all = store(dir.path(), 100, |s| s.saturating_sub(89));
        for seed in 0..20 {
            let parts = split(&all, &dir.path().join("p"), &[0.5, 0.5], Draw::Groups("study"), seed, true)
                .expect("split");
            let studies = |store: &Store| store.samples().column("study").expect("kept").to_vec();
            assert!(parts.iter().all(|part| part.n_samples() > 0));
            assert!(studies(&parts[0]).iter().all(|study| !studies(&parts[1]).contains(study)));
        }
        let few = split(&all, &dir.path().join("q"), &[0.98, 0.01, 0.01], Draw::Groups("study"), 1, false)
            .expect("split");
        assert!(few.iter().all(|part| part.n_samples() > 0));
    }

    #[test]
    fn every_stratum_is_spread_by_the_fractions() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // strata of 1 to 20 samples, mixed
        let all = store(dir.path(), 210, |s| {
            (0..20).find(|g| s * 101 % 210 < (g + 1) * (g + 2) / 2).expect("of 20")
        });
        let of = |store: &Store, stratum: usize| {
            let column = store.samples().column("study").expect("kept");
            column.iter().filter(|field| **field == stratum.to_string()).count() as f64
        };
        for seed in 0..10 {
            let path = dir.path().join("s");
            let parts =
                split(&all, &path, &[0.6, 0.25, 0.15], Draw::Strata("study"), seed, true).expect("split");
            for (part, fraction) in parts.iter().zip([0.6, 0.25, 0.15]) {
                let off = (part.n_samples() as f64 - fraction * 210.0).abs();
                assert!(off < 1.0, "{off}");
                for stratum in 0..20 {
                    let off = (of(part, stratum) - fraction * of(&all, stratum)).abs();
                    assert!(off < 2.0, "{off} of stratum {stratum}, seed {seed}");
                }
            }
            let mut seen: Vec<_> = parts.iter().flat_map(numbers).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..210).collect::<Vec<_>>());
            assert_eq!(parts[0].info().origin.transforms[0]["split"]["stratify"], "study");
        }
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let all = store(dir.path(), 5, |_| 1);
        let attempt = |fractions: &[f64], draw| {
            let parts = split(&all, &dir.path().join("x"), fractions, draw, 0, false);
            parts.map(|_| ()).expect_err("refused").to_string()
        };
        assert!(attempt(&[0.5, 0.4], Draw::Samples).contains("add to 1"));
        assert!(attempt(&[1.5, -0.5], Draw::Samples).contains("must be positive"));
        assert!(attempt(&[f64::NAN, 0.5], Draw::Samples).contains("must be positive"));
        assert!(attempt(&[1.0], Draw::Samples).contains("two or three"));
        assert!(attempt(&[0.5, 0.5], Draw::Strata("tissue")).contains("it has study"));
        assert!(
            attempt(&[0.5, 0.5], Draw::Groups("study")).contains("1 group by \"study\" cannot make 2 parts")
        );
        assert!(!dir.path().join("x").exists());
    }
}
