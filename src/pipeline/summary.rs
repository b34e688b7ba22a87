//! What a run found, in plain words: the lists, how each was chosen, how well it predicts, and what to be wary of.

use std::fmt::Write;

use super::config::Config;
use super::flow::Layout;
use super::record::Record;
use super::runner::Done;
use super::stages::compare::{PairFacts, TestFacts};
use super::stages::select::{self, Options};
use super::stages::{attribute, compare, evaluate, fit, import, split, stability, train};
use crate::error::Result;
use crate::infer::linear::penalties;
use crate::select::Strategy;
use crate::visible;

/// Fewer samples to learn from are worth a warning: with so few, what a list explains is mostly these samples.
const FEW_TO_LEARN: usize = 100;
/// Fewer held-out samples are worth a warning: correlations over so few move by a tenth from draw to draw.
const FEW_HELD_OUT: usize = 30;

/// The summary of a finished run.
///
/// # Errors
/// [`crate::Error::Data`] for a record of another form.
pub fn summary(config: &Config, done: &Done) -> Result<String> {
    let summary = Summary {
        config,
        record: &done.record,
        imported: done.facts("import")?,
        sizes: done.facts("split")?,
        trained: done.facts("train")?,
        evaluated: done.facts("evaluate")?,
        attributed: done.facts("attribute")?,
        selected: done.facts("select")?,
        fitted: done.facts("fit")?,
        compared: done.facts("compare")?,
        repeated: done.facts("stability")?,
    };
    Ok(summary.text())
}

/// What the stages told.
struct Summary<'a> {
    config: &'a Config,
    record: &'a Record,
    imported: Option<import::Facts>,
    sizes: Option<split::Facts>,
    trained: Option<train::Facts>,
    evaluated: Option<evaluate::Facts>,
    attributed: Option<attribute::Facts>,
    selected: Option<select::Facts>,
    fitted: Option<fit::Facts>,
    compared: Option<compare::Facts>,
    repeated: Option<stability::Facts>,
}

/// By what a strategy chooses, and whether the network had a part in it.
fn basis(options: &Options) -> (&'static str, bool) {
    let network = options.needs().model;
    match options.strategy() {
        Strategy::Top => ("DeepLIFT scores of the network", true),
        Strategy::Diverse if network => ("what the data and the network explain", true),
        Strategy::Diverse => ("what the data explain", false),
        Strategy::Random => ("chance", false),
        Strategy::Variance => ("the data's variance", false),
        Strategy::Pca => ("the data's components", false),
        Strategy::Css => ("what the data explain (css)", false),
        Strategy::Concrete => ("a network of its own (concrete)", false),
        Strategy::PeelOff | Strategy::KMedoids => ("the data's clusters", false),
        Strategy::FacilityLocation => ("the data's correlations", false),
    }
}

/// How one set did beside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    Open,
}

impl Verdict {
    /// By the interval of the difference of errors.
    fn of(pair: &PairFacts) -> Verdict {
        match pair.interval {
            Some((_, high)) if high < 0.0 => Verdict::Better,
            Some((low, _)) if low > 0.0 => Verdict::Worse,
            _ => Verdict::Open,
        }
    }
}

/// "better than random draws by 4.2 % (3.9 to 4.5)".
fn beside(pair: &PairFacts, what: &str) -> String {
    let Some((a, b)) = pair.means else { return format!("not comparable with {what}") };
    let percent = |x: f64| 100.0 * x / b;
    let interval = |low: f64, high: f64| match pair.interval {
        None => String::new(),
        Some(_) => format!(" ({low:.1} to {high:.1})"),
    };
    let (low, high) = pair.interval.unwrap_or_default();
    let (low, high) = (percent(low), percent(high));
    match Verdict::of(pair) {
        Verdict::Better => format!("better than {what} by {:.1} %{}", percent(b - a), interval(-high, -low)),
        Verdict::Worse => format!("worse than {what} by {:.1} %{}", percent(a - b), interval(low, high)),
        Verdict::Open => {
            format!("no different from {what}, {:+.1} %{}", percent(b - a), interval(-high, -low))
        }
    }
}

fn number(x: Option<f64>) -> String {
    x.map_or("undefined".into(), |x| format!("{x:.3}"))
}

impl Summary<'_> {
    fn text(&self) -> String {
        let parts =
            [self.data(), self.network(), self.lists(), self.stability(), self.warnings(), self.files()];
        format!("\n{}", parts.concat())
    }

    fn data(&self) -> String {
        let (Some(all), Some(sizes)) = (&self.imported, &self.sizes) else { return String::new() };
        let (train, test) = (sizes.samples.first().unwrap_or(&0), sizes.samples.last().unwrap_or(&0));
        format!(
            "Data        {} samples × {} genes; {train} to learn from, {test} held out\n",
            all.samples, all.genes
        )
    }

    fn network(&self) -> String {
        let (Some(train), Some(evaluated)) = (&self.trained, &self.evaluated) else {
            return "Model       none (train = false)\n".into();
        };
        let device = self.record.device["name"].as_str().unwrap_or("cpu");
        let mut text = format!(
            "Model       autoencoder, {} epochs, last training loss {} ({})\n\
             Held out    mean error {:.3} against {:.3} for predicting each gene's median: ratio {}\n\
             \x20           correlation with the measured values, by gene: mean {}\n",
            train.epochs,
            number(train.last.as_ref().map(|last| last.train_loss)),
            visible::line(device),
            evaluated.mae,
            evaluated.baseline_mae,
            number(evaluated.mae_ratio),
            number(evaluated.pcc_gene_mean),
        );
        if let Some(scores) = &self.attributed {
            let _ = writeln!(
                text,
                "Scores      DeepLIFT of {} neurons over {} samples; contributions add up within {:.1e}",
                scores.neurons,
                scores.samples,
                scores.completeness.relative()
            );
        }
        text
    }

    fn lists(&self) -> String {
        let layout = Layout { config: self.config };
        let mut text = String::new();
        for (i, list) in layout.lists().iter().enumerate() {
            let (by, network) = basis(&list.options);
            let part = if network { "the network had a part" } else { "without the network" };
            let word = if i == 0 { "Landmarks" } else { "Also" };
            let path = list.path.display();
            let _ = writeln!(text, "{word:<11} {}: by {by}, {part}; {path}", list.name);
            if let (0, Some(selected)) = (i, &self.selected) {
                let names = visible::line(&selected.shown()).into_owned();
                let _ = writeln!(text, "            {} genes, best first: {names}", selected.genes);
            }
        }
        if let Some(compared) = self.compared.as_ref().and_then(|compared| compared.sizes.first()) {
            compared.tests.iter().for_each(|test| text += &self.test(test));
        }
        text
    }

    /// How the lists predict the genes of one test store.
    fn test(&self, test: &TestFacts) -> String {
        let method = self.fitted.as_ref().map_or("linear".into(), |fit| super::choice::word(fit.method));
        let mut text = format!(
            "\nPrediction  of {} genes in the {} samples of {}, by {method}, from\n",
            test.targets, test.samples, test.store
        );
        let mut sets: Vec<_> = test.sets.iter().collect();
        sets.sort_by(|a, b| a.mae.unwrap_or(f64::INFINITY).total_cmp(&b.mae.unwrap_or(f64::INFINITY)));
        for set in sets {
            let share = set.passing.map_or("NA".into(), |share| format!("{:.0} %", 100.0 * share));
            let mean = if set.draws { " (mean of draws)" } else { "" };
            let figures = format!("error {}, R² {}, {share} pass", number(set.mae), number(set.r2));
            let _ = writeln!(text, "            {:<12} {figures}{mean}", visible::line(&set.name));
        }
        text + &self.verdict(test)
    }

    /// Whether each list beats random draws and L1000, and by how much.
    fn verdict(&self, test: &TestFacts) -> String {
        let mut text = String::new();
        for (i, list) in (Layout { config: self.config }).lists().iter().enumerate() {
            let against = |what: &str| {
                let other =
                    |name: &str| name == what || name.strip_prefix(what).is_some_and(|n| n.starts_with('-'));
                test.pairs.iter().find(|pair| pair.a == list.name && other(&pair.b))
            };
            let beside: Vec<String> = [("random", "random draws"), ("l1000", "L1000")]
                .into_iter()
                .filter_map(|(what, called)| Some(beside(against(what)?, called)))
                .collect();
            let word = if i == 0 { "Verdict" } else { "" };
            if !beside.is_empty() {
                let _ = writeln!(text, "{word:<11} {}: {}", list.name, beside.join(",\n              "));
            }
        }
        text
    }

    fn stability(&self) -> String {
        let Some(facts) = &self.repeated else { return String::new() };
        format!(
            "Stability   {} repeats over {}: Kuncheva's index {} on average, {} at least (1: equal lists, 0: chance)\n\
             \x20           {} genes always chosen, {} ever; see {}/stability.tsv\n",
            facts.repeats,
            facts.over(),
            number(facts.kuncheva.mean),
            number(facts.kuncheva.min),
            facts.always_chosen,
            facts.ever_chosen,
            self.config.output.display()
        )
    }

    /// What makes the result weak.
    fn warnings(&self) -> String {
        let mut weak = Vec::new();
        if let Some(ratio) = self.evaluated.as_ref().and_then(|e| e.mae_ratio).filter(|ratio| *ratio >= 1.0) {
            weak.push(format!(
                "the network predicts held-out samples no better than each gene's median (ratio {ratio:.3}), so its scores mean little; \
                 train longer, or look at the data",
            ));
        }
        if let Some(sizes) = &self.sizes {
            let (train, test) = (sizes.samples.first().copied(), sizes.samples.last().copied());
            weak.extend(train.filter(|n| *n < FEW_TO_LEARN).map(|n| {
                format!("{n} samples to learn from are few; another draw of them may give another list ([stability])")
            }));
            weak.extend(
                test.filter(|n| *n < FEW_HELD_OUT)
                    .map(|n| format!("{n} held-out samples are few; the figures are rough")),
            );
        }
        weak.extend(self.not_better());
        weak.extend(self.penalty_at_the_end());
        let mut text = String::new();
        for line in weak {
            let _ = writeln!(text, "Warning     {line}");
        }
        text
    }

    fn not_better(&self) -> Vec<String> {
        let tests = self.compared.iter().flat_map(|compared| &compared.sizes).flat_map(|size| &size.tests);
        let random = |test: &TestFacts| {
            let pairs = test.pairs.iter().filter(|pair| pair.b.starts_with("random"));
            let pairs = pairs.filter(|pair| Verdict::of(pair) != Verdict::Better);
            let told = |pair: &PairFacts| {
                format!(
                    "{} is no better than random draws of its size on {}",
                    visible::line(&pair.a),
                    test.store
                )
            };
            pairs.map(told).collect::<Vec<_>>()
        };
        tests.flat_map(random).collect()
    }

    fn penalty_at_the_end(&self) -> Option<String> {
        let penalty = self.fitted.as_ref()?.chosen["penalty"].as_f64()?;
        let grid = penalties();
        let asked = self.config.fit.as_ref().is_some_and(|fit| fit.penalty.is_some());
        let end = grid.first() == Some(&penalty) || grid.last() == Some(&penalty);
        (end && !asked).then(|| {
            format!("the penalty {penalty} is at the end of those that were tried; set fit.penalty to look further")
        })
    }

    fn files(&self) -> String {
        let out = self.config.output.display();
        let mut text = format!("\n{out}/landmarks.tsv    the list\n");
        let rows = [
            (self.attributed.is_some(), "scores.tsv       every gene's score"),
            (
                self.evaluated.is_some(),
                "evaluation/      the network's errors on held-out samples, by gene and by sample",
            ),
            (
                self.fitted.is_some(),
                "predictor.safetensors  infers the other genes from the landmarks (genelift predict)",
            ),
            (self.compared.is_some(), "comparison/      every list's figures by gene, tests, overlaps"),
            (true, "run.json         settings, checksums, device, timings"),
        ];
        for (_, row) in rows.iter().filter(|(there, _)| *there) {
            let _ = writeln!(text, "{out}/{row}");
        }
        text
    }
}
