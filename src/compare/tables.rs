//! A comparison as tables: for programs (TSV, full precision) and for a reader.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Outcome, PairTest, Plan, Tested};
use crate::error::Result;
use crate::evaluate::statistics::{mean, quantile, sd, sorted};
use crate::evaluate::{Figures, optional};
use crate::genes::writer::write_rows;
use crate::genes::{Names, Table};
use crate::nouns::counted;
use crate::store::{atomic, sealed};
use crate::visible;

/// Columns of `summary.tsv` that are averaged over draws.
const FIGURES: [&str; 26] = [
    "mae_mean",
    "mae_min",
    "mae_q05",
    "mae_q25",
    "mae_median",
    "mae_q75",
    "mae_q95",
    "mae_max",
    "pcc_mean",
    "pcc_min",
    "pcc_q05",
    "pcc_q25",
    "pcc_median",
    "pcc_q75",
    "pcc_q95",
    "pcc_max",
    "pcc_undefined",
    "mse_mean",
    "r2_mean",
    "r2_median",
    "baseline_mae_mean",
    "sample_mae_mean",
    "sample_pcc_mean",
    "permutation_passed",
    "permutation_share",
    "permutation_undefined",
];
const QUANTILES: [f64; 7] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0];
/// Places in [`FIGURES`] of what a reader is shown: MAE, PCC, MSE, the median of R² (a gene that hardly varies can have any, and spoils
/// the mean), the share that passes.
const SHOWN: [usize; 5] = [0, 8, 17, 19, 24];

/// One row of the summary.
struct Row {
    name: String,
    kind: &'static str,
    landmarks: usize,
    figures: Vec<Option<f64>>,
}

fn figures(outcome: &Outcome) -> Vec<Option<f64>> {
    let (genes, samples) = (&outcome.by_gene, &outcome.by_sample);
    let over = |f: &dyn Fn(&Figures) -> Option<f64>| mean(genes.iter().filter_map(f));
    let spread = |values: &[f64]| {
        let quantiles = QUANTILES.map(|q| quantile(values, q));
        [mean(values.iter().copied())].into_iter().chain(quantiles).collect::<Vec<_>>()
    };
    let pcc = sorted(genes.iter().filter_map(|f| f.pcc));
    let passed = outcome.permutation.passed() as f64;
    let mut all = spread(&sorted(genes.iter().map(|f| f.mae)));
    all.extend(spread(&pcc));
    all.extend([
        Some((genes.len() - pcc.len()) as f64),
        over(&|f| Some(f.mse)),
        over(&|f| f.r2),
        quantile(&sorted(genes.iter().filter_map(|f| f.r2)), 0.5),
        over(&|f| Some(f.baseline_mae)),
        mean(samples.iter().map(|f| f.mae)),
        mean(samples.iter().filter_map(|f| f.pcc)),
        Some(passed),
        Some(passed / genes.len() as f64),
        Some(outcome.permutation.undefined() as f64),
    ]);
    all
}

/// The sets, then mean and sd over the draws of one thing.
fn rows(plan: &Plan, tested: &Tested) -> Vec<Row> {
    let mut rows: Vec<Row> = (plan.sets.iter().zip(&tested.outcomes))
        .map(|(set, outcome)| Row {
            name: set.name.clone(),
            kind: if set.draw_of.is_some() { "draw" } else { "set" },
            landmarks: set.genes.len(),
            figures: figures(outcome),
        })
        .collect();
    for (name, draws) in plan.draws() {
        let landmarks = rows[draws[0]].landmarks;
        let column = |c: usize| draws.iter().map(|d| rows[*d].figures[c]).collect::<Option<Vec<f64>>>();
        let over = |f: &dyn Fn(&[f64]) -> Option<f64>| {
            (0..FIGURES.len()).map(|c| f(&column(c)?)).collect::<Vec<_>>()
        };
        let (centre, spread) = (over(&|v| mean(v.iter().copied())), over(&sd));
        let name = name.to_string();
        rows.push(Row { name: name.clone(), kind: "draws mean", landmarks, figures: centre });
        rows.push(Row { name, kind: "draws sd", landmarks, figures: spread });
    }
    rows
}

/// How one set did on one test store, in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetFigures {
    /// The set, or what draws are draws of.
    pub name: String,
    /// Whether the figures are means over draws.
    pub draws: bool,
    /// Genes that are measured.
    pub landmarks: usize,
    /// Mean absolute error over targets.
    pub mae: Option<f64>,
    /// Mean correlation over targets.
    pub pcc: Option<f64>,
    /// Median R² over targets.
    pub r2: Option<f64>,
    /// Share of the targets that pass the permutation test.
    pub passing: Option<f64>,
}

/// The named sets and the means of draws.
pub fn set_figures(plan: &Plan, tested: &Tested) -> Vec<SetFigures> {
    let [mae, pcc, _, r2, passing] = SHOWN;
    let rows = rows(plan, tested).into_iter().filter(|row| matches!(row.kind, "set" | "draws mean"));
    let figures = |row: Row| SetFigures {
        draws: row.kind != "set",
        landmarks: row.landmarks,
        mae: row.figures[mae],
        pcc: row.figures[pcc],
        r2: row.figures[r2],
        passing: row.figures[passing],
        name: row.name,
    };
    rows.map(figures).collect()
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

fn summary(plan: &Plan, tested: &[Tested]) -> Lines {
    let own = ["set", "kind", "test", "n_landmarks", "n_targets", "n_samples"];
    let mut lines = header(&[own.as_slice(), &FIGURES].concat());
    for tested in tested {
        let (targets, samples) = (tested.targets.len(), tested.outcomes[0].by_sample.len());
        for Row { name, kind, landmarks, figures } in rows(plan, tested) {
            let counts = [landmarks, targets, samples].map(|n| n.to_string());
            let mut line = vec![name, kind.to_string(), tested.store.clone()];
            line.extend(counts.into_iter().chain(figures.into_iter().map(optional)));
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

const TESTS: [&str; 18] = [
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

fn tests(tested: &[Tested], tests: &[PairTest]) -> Lines {
    let mut lines = header(&TESTS);
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
        // with an exponent where a p-value needs one
        line.extend(fields.into_iter().map(|x| optional(x.map(|x| format!("{x:?}")))));
        lines.push(line);
    }
    lines
}

fn overlap(plan: &Plan) -> Lines {
    let mut lines = header(&["a", "b", "n_a", "n_b", "shared", "jaccard"]);
    for (i, a) in plan.sets.iter().enumerate() {
        let genes: HashSet<usize> = a.genes.iter().copied().collect();
        for b in &plan.sets[i + 1..] {
            let shared = b.genes.iter().filter(|gene| genes.contains(gene)).count();
            let (n, m) = (a.genes.len(), b.genes.len());
            let jaccard = shared as f64 / (n + m - shared) as f64;
            let mut line = vec![a.name.clone(), b.name.clone()];
            line.extend([n, m, shared].map(|n| n.to_string()));
            line.push(jaccard.to_string());
            lines.push(line);
        }
    }
    lines
}

fn sets(plan: &Plan, genes: &Table) -> Lines {
    let names = Names::of(genes);
    let mut lines = named(&["set", "rank"], names, &[]);
    for set in &plan.sets {
        let own = |i: usize| [set.name.clone(), (i + 1).to_string()].into_iter();
        let rows = set.genes.iter().enumerate();
        lines.extend(rows.map(|(i, gene)| own(i).chain(names.fields(*gene)).collect()));
    }
    lines
}

/// The files of a comparison.
pub const FILES: [&str; 6] =
    ["summary.tsv", "genes.tsv", "tests.tsv", "overlap.tsv", "sets.tsv", "compare.json"];

/// Writes `summary.tsv`, `genes.tsv`, `tests.tsv`, `overlap.tsv`, `sets.tsv` and `compare.json` as the folder `dir`, all or none;
/// what is not defined is `NA`. `names` are the training store's genes, `notes` the settings and the data's fingerprints.
///
/// # Errors
/// As [`atomic::write_folder`].
pub fn write(
    dir: &Path,
    plan: &Plan,
    tested: &[Tested],
    pairs: &[PairTest],
    names: &Table,
    notes: &serde_json::Value,
    force: bool,
) -> Result<()> {
    atomic::write_folder(dir, force, &FILES, |dir| write_into(dir, plan, tested, pairs, names, notes))
}

/// As [`write`], into a folder that is being made.
///
/// # Errors
/// What the system refuses.
pub fn write_into(
    dir: &Path,
    plan: &Plan,
    tested: &[Tested],
    pairs: &[PairTest],
    names: &Table,
    notes: &serde_json::Value,
) -> Result<()> {
    let files = [
        ("summary.tsv", summary(plan, tested)),
        ("genes.tsv", genes(plan, tested, names)),
        ("tests.tsv", tests(tested, pairs)),
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

/// The comparison for a reader: of each test store the sets by MAE, best first, among them the random draws.
pub fn describe(plan: &Plan, tested: &[Tested]) -> String {
    let mut text = String::new();
    for tested in tested {
        let samples = tested.outcomes[0].by_sample.len();
        text += &format!(
            "{}: {}, {}\n",
            visible::line(&tested.store),
            counted(samples, "sample"),
            counted(tested.targets.len(), "target")
        );
        let rows = rows(plan, tested);
        let mut shown: Vec<&Row> =
            rows.iter().filter(|row| matches!(row.kind, "set" | "draws mean")).collect();
        shown.sort_by(|a, b| {
            let mae = |row: &Row| row.figures[0].unwrap_or(f64::INFINITY);
            mae(a).total_cmp(&mae(b))
        });
        let mut lines =
            vec![["set", "genes", "MAE", "PCC", "MSE", "median R²", "pass"].map(String::from).to_vec()];
        for row in shown {
            let spread =
                rows.iter().find(|r| row.kind == "draws mean" && r.kind == "draws sd" && r.name == row.name);
            let mut line = vec![visible::line(&row.name).into_owned(), row.landmarks.to_string()];
            line.extend(SHOWN.iter().map(|c| {
                let percent = FIGURES[*c] == "permutation_share";
                let number = |x: f64| if percent { format!("{:.1}%", 100.0 * x) } else { format!("{x:.4}") };
                let figure = row.figures[*c].map_or("NA".into(), number);
                match spread.and_then(|row| row.figures[*c]) {
                    Some(spread) => format!("{figure} ± {}", number(spread)),
                    None => figure,
                }
            }));
            lines.push(line);
        }
        let width = |c: usize| lines.iter().map(|line| line[c].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
    }
    text
}
