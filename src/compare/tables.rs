//! A comparison as tables for programs: TSV, full precision.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ceiling::Ceiling;
use super::{Curve, Measure, Outcome, PairDifference, PairTest, Plan, Rank, Tested};
use crate::error::Result;
use crate::evaluate::statistics::{mean, quantile, sd, sorted};
use crate::evaluate::{Figures, UnitFigures, optional};
use crate::genes::writer::write_rows;
use crate::genes::{Names, Table};
use crate::store::{atomic, sealed};

/// Names of the quantiles of a figure over targets.
const QUANTILES: [(&str, f64); 7] =
    [("min", 0.0), ("q05", 0.05), ("q25", 0.25), ("median", 0.5), ("q75", 0.75), ("q95", 0.95), ("max", 1.0)];

/// Figures by the names of their columns in `summary.tsv`.
pub(super) type Named = Vec<(String, Option<f64>)>;

/// One row of the summary.
pub(super) struct Row {
    pub name: String,
    pub kind: &'static str,
    pub landmarks: usize,
    pub figures: Named,
}

impl Row {
    /// The figure of a column.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).and_then(|(_, value)| *value)
    }
}

/// Mean and quantiles of a figure.
fn spread(name: &str, values: &[f64]) -> Named {
    let quantiles = QUANTILES.map(|(q, at)| (format!("{name}_{q}"), quantile(values, at)));
    [(format!("{name}_mean"), mean(values.iter().copied()))].into_iter().chain(quantiles).collect()
}

fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

fn figures(outcome: &Outcome) -> Named {
    let (genes, samples) = (&outcome.by_gene, &outcome.by_sample);
    let over = |f: &dyn Fn(&Figures) -> Option<f64>| mean(genes.iter().filter_map(f));
    let pcc = sorted(genes.iter().filter_map(|f| f.pcc));
    let passed = outcome.permutation.passed() as f64;
    let size = &outcome.of_size;
    let mut all = Vec::new();
    let mut add = |name: &str, value| all.push((name.to_string(), value));
    add("nmse_mean", over(&|f| f.nmse));
    add("nmse_median", median(genes.iter().filter_map(|f| f.nmse)));
    spread("mae", &sorted(genes.iter().map(|f| f.mae)))
        .into_iter()
        .for_each(|(name, value)| add(&name, value));
    spread("pcc", &pcc).into_iter().for_each(|(name, value)| add(&name, value));
    add("pcc_undefined", Some((genes.len() - pcc.len()) as f64));
    add("mse_mean", over(&|f| Some(f.mse)));
    add("r2_mean", over(&|f| f.r2));
    add("r2_median", median(genes.iter().filter_map(|f| f.r2)));
    add("baseline_mae_mean", over(&|f| Some(f.baseline_mae)));
    add("sample_mae_mean", mean(samples.iter().map(|f| f.mae)));
    add("sample_pcc_mean", mean(samples.iter().filter_map(|f| f.pcc)));
    add("sample_pcc_constant", mean(samples.iter().filter_map(|f| f.baseline_pcc)));
    let within = |f: &dyn Fn(&UnitFigures) -> Option<f64>| mean(outcome.by_unit.groups.iter().filter_map(f));
    add("within_pcc_mean", within(&|f| f.pcc));
    add("within_r2_median", within(&|f| f.r2));
    add("permutation_passed", Some(passed));
    add("permutation_share", Some(passed / genes.len() as f64));
    add("permutation_undefined", Some(outcome.permutation.undefined() as f64));
    add("size_targets", Some(size.len() as f64));
    add("size_nmse_mean", mean(size.iter().filter_map(|f| f.nmse)));
    add("size_pcc_mean", mean(size.iter().filter_map(|f| f.pcc)));
    add("size_r2_median", median(size.iter().filter_map(|f| f.r2)));
    all
}

/// The sets, then mean and sd over the draws of one thing.
pub(super) fn rows(plan: &Plan, tested: &Tested) -> Vec<Row> {
    let mut rows: Vec<Row> = (plan.sets.iter().zip(&tested.outcomes))
        .map(|(set, outcome)| Row {
            name: set.name.clone(),
            kind: if set.draw_of.is_some() { "draw" } else { "set" },
            landmarks: set.genes.len(),
            figures: figures(outcome),
        })
        .collect();
    for (name, draws) in plan.draws() {
        let first = &rows[draws[0]];
        let landmarks = first.landmarks;
        let names: Vec<String> = first.figures.iter().map(|(name, _)| name.clone()).collect();
        let column = |c: usize| draws.iter().map(|d| rows[*d].figures[c].1).collect::<Option<Vec<f64>>>();
        let over = |f: &dyn Fn(&[f64]) -> Option<f64>| -> Named {
            names.iter().enumerate().map(|(c, name)| (name.clone(), column(c).and_then(|v| f(&v)))).collect()
        };
        let (centre, spread) = (over(&|v| mean(v.iter().copied())), over(&sd));
        let name = name.to_string();
        rows.push(Row { name: name.clone(), kind: "draws mean", landmarks, figures: centre });
        rows.push(Row { name, kind: "draws sd", landmarks, figures: spread });
    }
    rows
}

/// What replicates allow, as a row.
fn ceiling_row(ceiling: &Ceiling, names: &Named) -> Row {
    let figure = |name: &str| match name {
        "nmse_mean" => ceiling.nmse,
        "pcc_mean" => ceiling.pcc,
        "r2_median" => ceiling.r2,
        _ => None,
    };
    let figures = names.iter().map(|(name, _)| (name.clone(), figure(name))).collect();
    Row { name: "replicates".into(), kind: "ceiling", landmarks: 0, figures }
}

/// How one set did on one test, in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetFigures {
    /// The set, or what draws are draws of.
    pub name: String,
    /// Whether the figures are means over draws.
    pub draws: bool,
    /// Genes that are measured.
    pub landmarks: usize,
    /// Mean over targets of the squared error over the gene's training variance.
    pub nmse: Option<f64>,
    /// Mean absolute error over targets.
    pub mae: Option<f64>,
    /// Mean correlation over targets.
    pub pcc: Option<f64>,
    /// Median R² over targets.
    pub r2: Option<f64>,
    /// Share of the targets that pass the permutation test.
    pub passing: Option<f64>,
    /// Place among the random draws by `nmse`, and how many there are.
    pub rank: Option<(usize, usize)>,
}

/// The named sets and the means of draws.
pub fn set_figures(plan: &Plan, tested: &[Tested], test: usize, ranks: &[Rank]) -> Vec<SetFigures> {
    let rows = rows(plan, &tested[test]).into_iter().filter(|row| matches!(row.kind, "set" | "draws mean"));
    let figures = |row: Row| SetFigures {
        draws: row.kind != "set",
        landmarks: row.landmarks,
        nmse: row.get("nmse_mean"),
        mae: row.get("mae_mean"),
        pcc: row.get("pcc_mean"),
        r2: row.get("r2_median"),
        passing: row.get("permutation_share"),
        rank: rank_of(&row.name, test, ranks).map(|rank| (rank.rank, rank.draws)),
        name: row.name,
    };
    rows.map(figures).collect()
}

/// The place of a set by the leading measure.
pub(super) fn rank_of<'a>(set: &str, test: usize, ranks: &'a [Rank]) -> Option<&'a Rank> {
    ranks.iter().find(|rank| rank.set == set && rank.test == test && rank.measure == Measure::Nmse)
}

/// A table: its header, then its rows.
type Lines = Vec<Vec<String>>;

fn header(names: &[&str]) -> Lines {
    vec![names.iter().map(|name| name.to_string()).collect()]
}

/// The header of a table in which a gene's names stand between other columns.
fn named(before: &[&str], names: Names, after: &[&str]) -> Lines {
    let text = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    vec![text(before).into_iter().chain(names.header()).chain(text(after)).collect()]
}

fn summary(told: &Told) -> Lines {
    let own = ["set", "kind", "test", "n_landmarks", "n_targets", "n_samples"];
    let mut lines: Lines = Vec::new();
    for (test, tested) in told.tested.iter().enumerate() {
        let (targets, samples) = (tested.targets.len(), tested.outcomes[0].by_sample.len());
        let mut rows = rows(told.plan, tested);
        let ceiling = told.ceilings.get(test).and_then(Option::as_ref);
        rows.extend(ceiling.map(|ceiling| ceiling_row(ceiling, &rows[0].figures)));
        if lines.is_empty() {
            let names = rows[0].figures.iter().map(|(name, _)| name.clone());
            lines.push(own.map(String::from).into_iter().chain(names).collect());
        }
        for Row { name, kind, landmarks, figures } in rows {
            let counts = [landmarks, targets, samples].map(|n| n.to_string());
            let mut line = vec![name, kind.to_string(), tested.store.clone()];
            line.extend(counts.into_iter().chain(figures.into_iter().map(|(_, value)| optional(value))));
            lines.push(line);
        }
    }
    lines
}

fn genes(plan: &Plan, tested: &[Tested], genes: &Table) -> Lines {
    let names = Names::of(genes);
    let figures = [Figures::HEADER.as_slice(), &["permutation_rank", "passes"]].concat();
    let mut lines = named(&["set", "test"], names, &figures);
    for tested in tested {
        for (set, outcome) in plan.sets.iter().zip(&tested.outcomes) {
            for (i, (gene, f)) in tested.targets.iter().zip(&outcome.by_gene).enumerate() {
                let permutation = &outcome.permutation;
                let mut line = vec![set.name.clone(), tested.store.clone()];
                line.extend(names.fields(*gene));
                line.extend(f.fields());
                line.extend([optional(permutation.rank(i)), optional(permutation.passes(i))]);
                lines.push(line);
            }
        }
    }
    lines
}

const GENE_TESTS: [&str; 18] = [
    "test",
    "measure",
    "a",
    "b",
    "genes",
    "mean_a",
    "mean_b",
    "mean_difference",
    "interval_low",
    "interval_high",
    "t",
    "t_p",
    "cohens_d",
    "wilcoxon",
    "wilcoxon_p",
    "rank_biserial",
    "share_won",
    "share_lost",
];

fn gene_tests(tested: &[Tested], tests: &[PairTest]) -> Lines {
    let mut lines = header(&GENE_TESTS);
    for test in tests {
        let PairTest { measure, a, b, genes, .. } = test;
        let store = &tested[test.test].store;
        let mut line =
            vec![store.clone(), measure.name().to_string(), a.clone(), b.clone(), genes.to_string()];
        let fields = [
            test.means.map(|m| m.0),
            test.means.map(|m| m.1),
            test.means.map(|m| m.0 - m.1),
            test.interval.map(|i| i.0),
            test.interval.map(|i| i.1),
            test.t.map(|t| t.t),
            test.t.map(|t| t.p),
            test.t.map(|t| t.d),
            test.wilcoxon.map(|w| w.statistic),
            test.wilcoxon.map(|w| w.p),
            test.wilcoxon.map(|w| w.rank_biserial),
            test.won,
            test.lost,
        ];
        line.extend(fields.map(exact));
        lines.push(line);
    }
    lines
}

/// Of every two sets what they share; means over rounds where one has a list for each.
fn overlap(plan: &Plan) -> Lines {
    let mut lines = header(&["a", "b", "n_a", "n_b", "shared", "jaccard"]);
    for (i, a) in plan.sets.iter().enumerate() {
        let genes: Vec<HashSet<usize>> =
            a.lists().iter().map(|list| list.iter().copied().collect()).collect();
        for b in &plan.sets[i + 1..] {
            let rounds = genes.len().max(b.lists().len());
            let shared = |round: usize| {
                let genes = genes.get(round).unwrap_or(&genes[0]);
                b.of_round(round).iter().filter(|gene| genes.contains(gene)).count() as f64
            };
            let shared: Vec<f64> = (0..rounds).map(shared).collect();
            let (n, m) = (a.genes.len(), b.genes.len());
            let jaccard = shared.iter().map(|shared| shared / ((n + m) as f64 - shared));
            let mut line = vec![a.name.clone(), b.name.clone()];
            line.extend([n, m].map(|n| n.to_string()));
            line.extend([optional(mean(shared.iter().copied())), optional(mean(jaccard))]);
            lines.push(line);
        }
    }
    lines
}

fn sets(plan: &Plan, genes: &Table) -> Lines {
    let names = Names::of(genes);
    let mut lines = named(&["set", "rank"], names, &[]);
    for set in &plan.sets {
        let rounds = set.by_round.iter().enumerate();
        let mut lists: Vec<(String, &[usize])> =
            rounds.map(|(i, genes)| (format!("{}, round {}", set.name, i + 1), genes.as_slice())).collect();
        if lists.is_empty() {
            lists.push((set.name.clone(), &set.genes));
        }
        for (name, genes) in lists {
            let own = |i: usize| [name.clone(), (i + 1).to_string()].into_iter();
            let rows = genes.iter().enumerate();
            lines.extend(rows.map(|(i, gene)| own(i).chain(names.fields(*gene)).collect()));
        }
    }
    lines
}

/// The number with an exponent where a p-value needs one.
fn exact(x: Option<f64>) -> String {
    optional(x.map(|x| format!("{x:?}")))
}

const TESTS: [&str; 17] = [
    "test",
    "measure",
    "a",
    "b",
    "over",
    "units",
    "mean_a",
    "mean_b",
    "mean_difference",
    "interval_low",
    "interval_high",
    "df",
    "t",
    "p",
    "flips_p",
    "flips_least_p",
    "share_won",
];

fn tests(tested: &[Tested], pairs: &[PairDifference]) -> Lines {
    let mut lines = header(&TESTS);
    for pair in pairs {
        let PairDifference { measure, a, b, basis, means, difference, .. } = pair;
        let units = difference.map_or(0, |d| d.units).to_string();
        let mut line =
            [&tested[pair.test].store, measure.name(), a, b, basis.name(), &units].map(String::from).to_vec();
        let interval = difference.and_then(|d| d.interval);
        let fields = [
            means.map(|m| m.0),
            means.map(|m| m.1),
            difference.map(|d| d.mean),
            interval.map(|i| i.0),
            interval.map(|i| i.1),
            difference.and_then(|d| d.freedom),
            difference.and_then(|d| d.t),
            difference.and_then(|d| d.p),
            difference.and_then(|d| d.flips_p),
            difference.and_then(|d| d.flips_least),
            pair.won,
        ];
        line.extend(fields.map(exact));
        lines.push(line);
    }
    lines
}

fn rank_lines(tested: &[Tested], ranks: &[Rank]) -> Lines {
    let mut lines = header(&["test", "measure", "set", "rank", "draws", "p"]);
    lines.extend(ranks.iter().map(|rank| {
        let counts = [rank.rank, rank.draws].map(|n| n.to_string());
        let own = [tested[rank.test].store.clone(), rank.measure.name().into(), rank.set.clone()];
        own.into_iter().chain(counts).chain([exact(Some(rank.p))]).collect()
    }));
    lines
}

const UNIT: [&str; 4] = ["nmse", "mae", "pcc", "r2"];

fn unit_fields(figures: &UnitFigures) -> [String; 4] {
    [figures.nmse, figures.mae, figures.pcc, figures.r2].map(optional)
}

/// Of every set, each group's figures.
fn groups(plan: &Plan, tested: &[Tested]) -> Lines {
    let mut lines = header(&[["set", "test", "group", "n_samples"].as_slice(), &UNIT].concat());
    for tested in tested {
        let sizes = |group: usize| tested.test.group.iter().filter(|of| **of == group).count();
        for (set, outcome) in plan.sets.iter().zip(&tested.outcomes) {
            for (i, (name, figures)) in tested.test.groups.iter().zip(&outcome.by_unit.groups).enumerate() {
                let own = [set.name.clone(), tested.store.clone(), name.clone(), sizes(i).to_string()];
                lines.push(own.into_iter().chain(unit_fields(figures)).collect());
            }
        }
    }
    lines
}

/// Of every named set and of the mean of draws, what each sample adds.
fn samples(plan: &Plan, tested: &[Tested]) -> Lines {
    let own = ["set", "test", "sample_id", "group", "nmse", "mae", "pcc_share", "pcc", "pcc_constant"];
    let mut lines = header(&own);
    for tested in tested {
        let named = plan.sets.iter().zip(&tested.outcomes).filter(|(set, _)| set.draw_of.is_none());
        for (set, outcome) in named {
            let rows = outcome.by_sample.iter().zip(&outcome.by_unit.samples);
            for (i, (of_sample, share)) in rows.enumerate() {
                let test = &tested.test;
                let group = test.groups.get(test.group[i]).cloned();
                let figures = [share.nmse, share.mae, share.pcc, of_sample.pcc, of_sample.baseline_pcc];
                let own = [set.name.clone(), tested.store.clone(), test.samples[i].clone(), optional(group)];
                lines.push(own.into_iter().chain(figures.map(optional)).collect());
            }
        }
    }
    lines
}

/// All that is told of a comparison at one size.
pub struct Told<'a> {
    /// What was compared.
    pub plan: &'a Plan,
    /// How it did.
    pub tested: &'a [Tested],
    /// Pairs over samples or groups.
    pub differences: &'a [PairDifference],
    /// Places among the random draws.
    pub ranks: &'a [Rank],
    /// Pairs over genes, as in the paper.
    pub over_genes: &'a [PairTest],
    /// What replicates allow, of each test.
    pub ceilings: &'a [Option<Ceiling>],
}

impl<'a> Told<'a> {
    /// Without replicates.
    pub fn of(plan: &'a Plan, tested: &'a [Tested], tests: &'a Tests) -> Told<'a> {
        let Tests { differences, ranks, over_genes } = tests;
        Told { plan, tested, differences, ranks, over_genes, ceilings: &[] }
    }
}

/// The tests of a comparison.
pub struct Tests {
    /// Over samples or groups.
    pub differences: Vec<PairDifference>,
    /// Among the random draws.
    pub ranks: Vec<Rank>,
    /// Over genes.
    pub over_genes: Vec<PairTest>,
}

impl Tests {
    /// All of them.
    pub fn of(plan: &Plan, tested: &[Tested], resamples: usize, seed: u64) -> Tests {
        Tests {
            differences: super::pair_differences(plan, tested, resamples, seed),
            ranks: super::ranks(plan, tested),
            over_genes: super::pair_tests(plan, tested, resamples, seed),
        }
    }
}

/// The files of a comparison; the last two of several sizes alone, beside a folder of the others for each size.
pub const FILES: [&str; 12] = [
    "summary.tsv",
    "tests.tsv",
    "ranks.tsv",
    "samples.tsv",
    "groups.tsv",
    "genes.tsv",
    "tests_over_genes.tsv",
    "overlap.tsv",
    "sets.tsv",
    "compare.json",
    "curve.tsv",
    "equals.tsv",
];

/// Writes those of [`FILES`] that one size has as the folder `dir`, all or none; what is not defined is `NA`. `names` are the training store's genes, `notes`
/// the settings and the data's fingerprints.
///
/// # Errors
/// As [`atomic::write_folder`].
pub fn write(dir: &Path, told: &Told, names: &Table, notes: &serde_json::Value, force: bool) -> Result<()> {
    atomic::write_folder(dir, force, &FILES, |dir| write_into(dir, told, names, notes))
}

/// As [`write`], into a folder that is being made.
///
/// # Errors
/// What the system refuses.
pub fn write_into(dir: &Path, told: &Told, names: &Table, notes: &serde_json::Value) -> Result<()> {
    let Told { plan, tested, .. } = told;
    let files = [
        ("summary.tsv", summary(told)),
        ("tests.tsv", tests(tested, told.differences)),
        ("ranks.tsv", rank_lines(tested, told.ranks)),
        ("samples.tsv", samples(plan, tested)),
        ("groups.tsv", groups(plan, tested)),
        ("genes.tsv", genes(plan, tested, names)),
        ("tests_over_genes.tsv", gene_tests(tested, told.over_genes)),
        ("overlap.tsv", overlap(plan)),
        ("sets.tsv", sets(plan, names)),
    ];
    let names = files.each_ref().map(|(name, _)| *name);
    for (name, mut lines) in files {
        let rows = lines.split_off(1);
        write_rows(&dir.join(name), true, lines.remove(0), rows)?;
    }
    sealed::seal(dir, "compare", &names, notes.clone())
}

/// The curves' points as a table.
pub fn curve_lines(curves: &[Curve]) -> Vec<Vec<String>> {
    let own = [
        "test",
        "set",
        "n_landmarks",
        "nmse",
        "interval_low",
        "interval_high",
        "gain_of_next",
        "gain_low",
        "gain_high",
        "enough",
    ];
    let mut lines = header(&own);
    for curve in curves {
        lines.extend(curve.points.iter().map(|point| {
            let figures = [
                Some(point.nmse),
                point.interval.map(|i| i.0),
                point.interval.map(|i| i.1),
                point.gain,
                point.gain_interval.map(|i| i.0),
                point.gain_interval.map(|i| i.1),
            ];
            let own = [curve.test.clone(), curve.set.clone(), point.landmarks.to_string()];
            own.into_iter().chain(figures.map(optional)).chain([optional(curve.enough)]).collect()
        }));
    }
    lines
}

/// Where curves meet as a table.
pub fn equal_lines(curves: &[Curve]) -> Vec<Vec<String>> {
    let mut lines = header(&["test", "set", "other", "n_other", "nmse_other", "equal_at"]);
    for curve in curves {
        lines.extend(curve.equals.iter().map(|equal| {
            let own = [curve.test.clone(), curve.set.clone(), equal.set.clone(), equal.landmarks.to_string()];
            own.into_iter().chain([equal.nmse.to_string(), optional(equal.at)]).collect()
        }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{LandmarkSet, Leaks};

    #[test]
    fn overlaps_of_lists_by_round_are_means_over_rounds() {
        let set = |name: &str, lists: &[&[usize]]| {
            let lists: Vec<Vec<usize>> = lists.iter().map(|list| list.to_vec()).collect();
            let (genes, by_round) = (lists[0].clone(), if lists.len() > 1 { lists } else { Vec::new() });
            LandmarkSet { name: name.into(), source: name.into(), draw_of: None, genes, by_round }
        };
        let sets = vec![
            set("a", &[&[1, 2], &[3, 4]]),
            set("b", &[&[2, 5], &[3, 4]]),
            set("c", &[&[1, 2]]),
            set("d", &[&[2, 1, 7, 8]]),
        ];
        let (targets, common, places, leaks) = (Vec::new(), Vec::new(), Vec::new(), Leaks::default());
        let lines = overlap(&Plan { sets, targets, common, places, leaks });
        let told: Vec<String> = lines[1..].iter().map(|line| line[..5].join(" ")).collect();
        let expected = ["a b 2 2 1.5", "a c 2 2 1", "a d 2 4 1", "b c 2 2 0.5", "b d 2 4 0.5", "c d 2 4 2"];
        assert_eq!(told, expected);
        let shares = [(1.0 / 3.0 + 1.0) / 2.0, 0.5, 0.25, 1.0 / 6.0, 0.1, 0.5];
        for (line, share) in lines[1..].iter().zip(shares) {
            assert!((line[5].parse::<f64>().unwrap() - share).abs() < 1e-12, "{line:?}");
        }
    }
}
