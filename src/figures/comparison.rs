//! What a comparison's folder tells: densities, sets against each other by gene, the error by size, how lists overlap.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Figure;
use super::against;
use super::axis::count;
use super::density::{self, Measure, Set};
use super::growth::{self, Size, Strategy};
use super::overlap;
use super::table::Table;
use super::text::name;
use crate::error::{Error, Result};

/// Draws of a group that densities pool.
const POOLED: usize = 5;
/// Sets that have a curve of their own.
const SETS: usize = 5;
/// Sets that the first is drawn against.
const RIVALS: usize = 2;

/// A row of `summary.tsv`.
struct Row {
    set: String,
    kind: String,
    test: String,
    n: f64,
    genes: f64,
    samples: f64,
    error: f64,
}

struct Comparison {
    dir: PathBuf,
    rows: Vec<Row>,
    /// (test, set, n) → interval.
    intervals: HashMap<(String, String, u64), (f64, f64)>,
}

/// From a folder that `compare` wrote.
pub(super) fn figures(dir: &Path) -> Result<Vec<Figure>> {
    let all = Comparison::read(dir)?;
    let mut tests: Vec<&str> = Vec::new();
    all.rows.iter().for_each(|row| {
        if !tests.contains(&row.test.as_str()) {
            tests.push(&row.test)
        }
    });
    let mut found = Vec::new();
    for (i, test) in tests.iter().enumerate() {
        let (end, on) = match tests.len() {
            1 => (String::new(), String::new()),
            _ => (format!("-{}", i + 1), format!(", test {}", of_path(test))),
        };
        found.extend(all.growth(test, &end, &on));
        found.extend(all.by_gene(test, &end, &on)?);
    }
    found.extend(all.overlap()?);
    Ok(found)
}

/// What a test is called: the file's name, and for `test.gex` of a run its folder's too.
fn of_path(test: &str) -> String {
    let path = Path::new(test);
    name(&path.file_stem().map_or_else(|| test.into(), |stem| stem.to_string_lossy()), 30)
}

impl Comparison {
    fn read(dir: &Path) -> Result<Comparison> {
        let table = Table::read(&dir.join("summary.tsv"))?;
        let [sets, kinds, tests] = [table.texts("set")?, table.texts("kind")?, table.texts("test")?];
        let [n, genes, samples, errors] =
            ["n_landmarks", "n_targets", "n_samples", "nmse_mean"].map(|c| table.numbers(c));
        let (n, genes, samples, errors) = (n?, genes?, samples?, errors?);
        let row = |i: usize| Row {
            set: sets[i].clone(),
            kind: kinds[i].clone(),
            test: tests[i].clone(),
            n: n[i],
            genes: genes[i],
            samples: samples[i],
            error: errors[i],
        };
        Ok(Comparison {
            dir: dir.into(),
            rows: (0..table.len()).map(row).collect(),
            intervals: intervals(dir)?,
        })
    }

    fn of<'a>(&'a self, test: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.test == test && row.kind == kind)
    }

    /// The largest size, whose tables by gene are looked at.
    fn largest(&self) -> f64 {
        self.rows.iter().map(|row| row.n).fold(0.0, f64::max)
    }

    fn growth(&self, test: &str, end: &str, on: &str) -> Option<Figure> {
        let mut strategies: Vec<Strategy> = Vec::new();
        let mut add = |label: &str, draws: bool, size: Size| {
            let at = strategies.iter().position(|s| s.label == label && s.draws == draws);
            let at = at.unwrap_or_else(|| {
                strategies.push(Strategy { label: label.into(), draws, sizes: Vec::new() });
                strategies.len() - 1
            });
            strategies[at].sizes.push(size);
        };
        for row in self.of(test, "set") {
            let key = (row.test.clone(), row.set.clone(), row.n as u64);
            let interval = self.intervals.get(&key).copied();
            add(&row.set, false, Size { n: row.n, errors: vec![row.error], interval });
        }
        for group in self.of(test, "draws mean") {
            let errors = self.draws(test, group).map(|row| row.error).collect();
            add(base(group), true, Size { n: group.n, errors, interval: None });
        }
        let row = self.rows.iter().find(|row| row.test == test)?;
        let of = format!(
            "n = {} held-out samples, {} genes",
            count(row.samples as usize),
            count(row.genes as usize)
        );
        growth::figure(&format!("error-by-size{end}"), strategies, &of, on)
    }

    /// The draws of a group at its size.
    fn draws<'a>(&'a self, test: &'a str, group: &'a Row) -> impl Iterator<Item = &'a Row> {
        self.of(test, "draw").filter(move |row| {
            let number = row.set.strip_prefix(group.set.as_str()).and_then(|rest| rest.strip_prefix('-'));
            row.n == group.n && number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        })
    }

    fn by_gene(&self, test: &str, end: &str, on: &str) -> Result<Vec<Figure>> {
        let size = self.largest();
        let sets: Vec<&str> =
            self.of(test, "set").filter(|row| row.n == size).map(|row| row.set.as_str()).collect();
        let groups: Vec<(&Row, Vec<&str>)> = self
            .of(test, "draws mean")
            .filter(|row| row.n == size)
            .map(|group| (group, self.draws(test, group).take(POOLED).map(|row| row.set.as_str()).collect()))
            .collect();
        let wanted: Vec<&str> =
            sets.iter().chain(groups.iter().flat_map(|(_, draws)| draws)).copied().collect();
        let Some(genes) = Genes::read(&self.dir, size, test, &wanted)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for measure in [Measure::Mae, Measure::Pcc] {
            found.extend(self.density(&genes, &sets, &groups, measure, end, on));
            for (i, rival) in sets.iter().skip(1).take(RIVALS).enumerate() {
                let stem = format!("{}-against-{}{end}", measure.column(), i + 2);
                found.extend(genes.against([sets[0], rival], measure, &stem, on));
            }
        }
        Ok(found)
    }

    fn density(
        &self,
        genes: &Genes,
        sets: &[&str],
        groups: &[(&Row, Vec<&str>)],
        measure: Measure,
        end: &str,
        on: &str,
    ) -> Option<Figure> {
        let own = sets.iter().take(SETS).map(|set| Set {
            label: name(set, 30),
            values: genes.values(set, measure),
            back: false,
        });
        let pooled = groups.iter().map(|(group, draws)| Set {
            label: format!("{} ({} draws)", name(base(group), 24), draws.len()),
            values: draws.iter().flat_map(|set| genes.values(set, measure)).collect(),
            back: true,
        });
        let all: Vec<Set> = own.chain(pooled).filter(|set| !set.values.is_empty()).collect();
        let n = genes.names.len();
        let about = format!(
            "with each set of {} landmarks (n = {} genes that are in no set){on}; of random draws {POOLED} or fewer are pooled",
            count(self.largest() as usize),
            count(n)
        );
        let title = format!("{} by gene", measure.column().to_uppercase());
        let note = format!("n = {} genes", count(n));
        density::figure(&format!("density-{}{end}", measure.column()), &title, &about, &note, measure, &all)
    }

    fn overlap(&self) -> Result<Option<Figure>> {
        let size = self.largest();
        let path = of_size(&self.dir, size, "sets.tsv");
        if !path.is_file() {
            return Ok(None);
        }
        let mut sets: Vec<(String, Vec<String>)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.kind == "set" && row.n == size) {
            if sets.iter().all(|(set, _)| *set != row.set) {
                sets.push((row.set.clone(), Vec::new()));
            }
        }
        let wanted: Vec<String> = sets.iter().map(|(set, _)| set.clone()).collect();
        let table = Table::rows(&path, &["set", "gene_id"], |row| wanted.iter().any(|set| set == row[0]))?;
        for (set, gene) in table.texts("set")?.iter().zip(table.texts("gene_id")?) {
            if let Some((_, genes)) = sets.iter_mut().find(|(name, _)| name == set) {
                genes.push(gene.clone());
            }
        }
        Ok(overlap::figure(&sets))
    }
}

/// A group's name without its size: `random` of `random-200`.
fn base(group: &Row) -> &str {
    group.set.strip_suffix(&format!("-{}", group.n)).unwrap_or(&group.set)
}

/// Where a table of one size is: in the folder, or in that of its size.
fn of_size(dir: &Path, size: f64, file: &str) -> PathBuf {
    let own = dir.join(file);
    if own.is_file() { own } else { dir.join(format!("{size}")).join(file) }
}

/// Low and high by test store, set and number of landmarks.
type Intervals = HashMap<(String, String, u64), (f64, f64)>;

fn intervals(dir: &Path) -> Result<Intervals> {
    let path = dir.join("curve.tsv");
    if !path.is_file() {
        return Ok(HashMap::new());
    }
    let table = Table::read(&path)?;
    let [tests, sets] = [table.texts("test")?, table.texts("set")?];
    let [n, low, high] = ["n_landmarks", "interval_low", "interval_high"].map(|c| table.numbers(c));
    let (n, low, high) = (n?, low?, high?);
    let row = |i: usize| ((tests[i].clone(), sets[i].clone(), n[i] as u64), (low[i], high[i]));
    Ok((0..table.len()).map(row).filter(|(_, (a, b))| a.is_finite() && b.is_finite()).collect())
}

/// Figures by gene of some sets, the genes in one order.
struct Genes {
    names: Vec<String>,
    /// By set: MAE, PCC.
    values: HashMap<String, [Vec<f64>; 2]>,
}

impl Genes {
    fn read(dir: &Path, size: f64, test: &str, sets: &[&str]) -> Result<Option<Genes>> {
        let path = of_size(dir, size, "genes.tsv");
        if !path.is_file() || sets.is_empty() {
            return Ok(None);
        }
        let columns = ["set", "test", "gene_id", "mae", "pcc"];
        let table = match Table::rows(&path, &columns, |row| row[1] == test && sets.contains(&row[0])) {
            Err(Error::Data(_)) => return Ok(None),
            table => table?,
        };
        let (of, ids, names) = (table.texts("set")?, table.texts("gene_id")?, table.genes()?);
        let [mae, pcc] = [table.numbers("mae")?, table.numbers("pcc")?];
        let (mut place, mut all) = (HashMap::new(), Genes { names: Vec::new(), values: HashMap::new() });
        for i in 0..table.len() {
            let at = *place.entry(&ids[i]).or_insert_with(|| {
                all.names.push(names[i].clone());
                all.names.len() - 1
            });
            let values = all.values.entry(of[i].clone()).or_default();
            for (values, value) in values.iter_mut().zip([mae[i], pcc[i]]) {
                values.resize(values.len().max(at + 1), f64::NAN);
                values[at] = value;
            }
        }
        Ok(Some(all))
    }

    fn values(&self, set: &str, measure: Measure) -> Vec<f64> {
        let of = usize::from(measure == Measure::Pcc);
        self.values.get(set).map_or(Vec::new(), |values| values[of].clone())
    }

    fn against(&self, sets: [&str; 2], measure: Measure, stem: &str, on: &str) -> Option<Figure> {
        let [a, b] = sets.map(|set| self.values(set, measure));
        let points = a.into_iter().zip(b).collect();
        against::figure(stem, sets, measure, self.names.clone(), points, on)
    }
}
