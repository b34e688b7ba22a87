//! What a run found, in plain words: the lists, how each was chosen, how well it predicts, and what to be wary of.

use std::fmt::Write;

use super::config::Config;
use super::flow::Layout;
use super::record::Record;
use super::runner::Done;
use super::stages::compare::{PairFacts, SizeFacts, TestFacts};
use super::stages::select::{self, Options};
use super::stages::{attribute, compare, evaluate, fit, import, split, stability, train};
use crate::compare::{Enough, SetFigures, Tried, is_draw_of};
use crate::error::Result;
use crate::nouns::counted;
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
    Ok(Summary::of(config, done)?.text())
}

/// What the stages told.
pub(super) struct Summary<'a> {
    pub config: &'a Config,
    pub record: &'a Record,
    pub imported: Option<import::Facts>,
    pub sizes: Option<split::Facts>,
    pub trained: Option<train::Facts>,
    pub evaluated: Option<evaluate::Facts>,
    pub attributed: Option<attribute::Facts>,
    pub selected: Option<select::Facts>,
    pub fitted: Option<fit::Facts>,
    pub compared: Option<compare::Facts>,
    pub repeated: Option<stability::Facts>,
}

/// By what a strategy chooses, and whether the network had a part in it.
pub(super) fn basis(options: &Options) -> (&'static str, bool) {
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

/// How a list was chosen, in words.
fn chosen_by(options: &Options) -> String {
    let (by, network) = basis(options);
    let part = if network { "the network had a part" } else { "without the network" };
    format!("by {by}, {part}")
}

/// How well a set predicts, in a line.
fn figures(set: &SetFigures) -> String {
    let share = set.passing.map_or("NA".into(), |share| format!("{:.0} %", 100.0 * share));
    format!("error/var {}, median R² {}, {share} pass", number(set.nmse), number(set.r2))
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

/// Whether a list is above nearly all random draws, as one in twenty of them would be.
fn stands_out((rank, draws): (usize, usize)) -> bool {
    rank as f64 <= 0.05 * (draws + 1) as f64
}

/// What is weak about a set beside random draws of its size on a store, if anything; `rank` is its place among so many of them. Of few
/// draws even the first place says little, but nothing against it.
fn weak_beside_draws(pair: &PairFacts, rank: Option<(usize, usize)>, store: &str) -> Option<String> {
    let name = visible::line(&pair.a);
    if pair.interval.is_some() {
        let better = Verdict::of(pair) == Verdict::Better;
        return (!better).then(|| format!("{name} is no better than random draws of its size on {store}"));
    }
    let (place, draws) = rank.filter(|rank| rank.0 > 1 && !stands_out(*rank))?;
    let of = draws + 1;
    Some(format!(
        "{name} does not stand out among random draws of its size on {store}: place {place} of {of}"
    ))
}

/// "better than random draws by 4.2 % (3.9 to 4.5)", or without an interval only by how much.
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
        Verdict::Open if pair.interval.is_none() => {
            format!("{:+.1} % beside {what}, without an interval: {} only", percent(b - a), pair.over)
        }
        Verdict::Open => {
            format!("no different from {what}, {:+.1} %{}", percent(b - a), interval(-high, -low))
        }
    }
}

/// By how much a list is better than random draws and L1000, in words.
fn beside_others(test: &TestFacts, list: &str) -> Vec<String> {
    let random = against(test, list, "random").into_iter().take(1);
    let random = random.map(|pair| beside(pair, "random draws"));
    let rank = test.sets.iter().find(|set| set.name == list).and_then(|set| set.rank);
    let draws = rank.map(|(rank, draws)| format!("better than {} of {draws} random draws", draws + 1 - rank));
    random.chain(beside_l1000(test, list)).chain(draws).collect()
}

/// A list beside what is called so, and beside the means of its draws.
fn against<'a>(test: &'a TestFacts, list: &str, what: &str) -> Vec<&'a PairFacts> {
    let other = |name: &str| name == what || is_draw_of(name, what);
    test.pairs.iter().filter(|pair| pair.a == list && other(&pair.b)).collect()
}

/// A list beside as many genes of L1000. Where others are compared too, or only others, their number is told: all that the data have
/// are more genes than most lists, and better for that alone.
fn beside_l1000(test: &TestFacts, list: &str) -> Vec<String> {
    let own = genes(test, list);
    let (as_many, others): (Vec<&PairFacts>, Vec<&PairFacts>) =
        against(test, list, "l1000").into_iter().partition(|pair| genes(test, &pair.b) == own);
    let called = |n: Option<usize>| n.map_or("L1000".into(), |n| counted(n, "L1000 gene"));
    let own = if others.is_empty() { called(None) } else { called(own) };
    let as_many = as_many.into_iter().map(|pair| beside(pair, &own));
    let whole = |pair: &PairFacts| format!("all {} of the data", called(genes(test, &pair.b)));
    as_many.chain(others.into_iter().map(|pair| beside(pair, &whole(pair)))).collect()
}

/// How many genes a set has, or each draw of what is called so.
fn genes(test: &TestFacts, set: &str) -> Option<usize> {
    test.sets.iter().find(|known| known.name == set).map(|known| known.landmarks)
}

/// By what the number of landmarks was found.
fn enough(found: &Enough) -> String {
    let n = found.landmarks.unwrap_or(0);
    let figure =
        |tried: &Tried| format!("{:.3} ± {:.3} at {}", tried.value, tried.standard_error, tried.landmarks);
    let at = found.at(n).map_or(String::new(), figure);
    let fewer = found.curve.iter().rev().find(|tried| tried.landmarks < n);
    let fewer = fewer.map_or(String::new(), |tried| format!(", {}", figure(tried)));
    format!("            the fewest that reach {}: {at}{fewer} ({})\n", found.goal, found.over())
}

fn number(x: Option<f64>) -> String {
    x.map_or("undefined".into(), |x| format!("{x:.3}"))
}

impl<'a> Summary<'a> {
    /// What there is to tell of what was done.
    ///
    /// # Errors
    /// [`crate::Error::Data`] for a record of another form.
    pub fn of(config: &'a Config, done: &'a Done) -> Result<Summary<'a>> {
        Ok(Summary {
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
        })
    }

    /// The whole of it in five lines: a word and what it says, as far as it is known.
    pub fn in_short(&self) -> Vec<(&'static str, String)> {
        let main = (Layout { config: self.config }).lists().swap_remove(0);
        let size = self.of_own_size().and_then(|size| size.tests.first());
        let landmarks = self.selected.as_ref().map(|selected| {
            let by = chosen_by(&main.options);
            format!("{}, {}: {by}: {}", counted(selected.genes, "gene"), main.name, selected.shown())
        });
        let prediction = size.and_then(|test| {
            let set = test.sets.iter().find(|set| set.name == main.name)?;
            Some(format!("{}: {}", self.predicted(test), figures(set)))
        });
        let verdict = size.map(|test| beside_others(test, &main.name)).filter(|beside| !beside.is_empty());
        let lines = [
            ("Data", self.samples()),
            ("Network", self.held_out()),
            ("Landmarks", landmarks),
            ("Prediction", prediction),
            ("Verdict", verdict.map(|beside| format!("{}: {}", main.name, beside.join(", ")))),
        ];
        lines.into_iter().filter_map(|(word, text)| Some((word, text?))).collect()
    }

    /// How many samples and genes there are.
    pub fn samples(&self) -> Option<String> {
        let (all, sizes) = (self.imported.as_ref()?, self.sizes.as_ref()?);
        let (train, test) = (sizes.samples.first().unwrap_or(&0), sizes.samples.last().unwrap_or(&0));
        Some(format!(
            "{} × {}; {train} to learn from, {test} held out",
            counted(all.samples, "sample"),
            counted(all.genes, "gene")
        ))
    }

    fn held_out(&self) -> Option<String> {
        let evaluated = self.evaluated.as_ref()?;
        Some(format!(
            "mean error {:.3} against {:.3} for predicting each gene's median: ratio {}",
            evaluated.mae,
            evaluated.baseline_mae,
            number(evaluated.mae_ratio)
        ))
    }

    fn predicted(&self, test: &TestFacts) -> String {
        let asked = self.config.compare.as_ref().and_then(|compare| compare.fit.method);
        let method = super::choice::word(asked.unwrap_or_default());
        format!(
            "of {} in the {} of {}, by {method}",
            counted(test.targets, "gene"),
            counted(test.samples, "sample"),
            test.store
        )
    }

    fn text(&self) -> String {
        let parts =
            [self.data(), self.network(), self.lists(), self.stability(), self.warnings(), self.files()];
        format!("\n{}", parts.concat())
    }

    fn data(&self) -> String {
        self.samples().map_or_else(String::new, |text| format!("Data        {text}\n"))
    }

    fn network(&self) -> String {
        let (Some(train), Some(evaluated)) = (&self.trained, &self.evaluated) else {
            return "Model       none (train = false)\n".into();
        };
        let device = self.record.device["name"].as_str().unwrap_or("cpu");
        let mut text = format!(
            "Model       autoencoder, {}, last training loss {} ({})\n\
             Held out    {}\n\
             \x20           correlation with the measured values, by gene: mean {}; median R² {}\n",
            counted(train.epochs, "epoch"),
            number(train.last.as_ref().map(|last| last.train_loss)),
            visible::line(device),
            self.held_out().unwrap_or_default(),
            number(evaluated.pcc_gene_mean),
            number(evaluated.r2_gene_median),
        );
        if let Some(scores) = &self.attributed {
            let _ = writeln!(
                text,
                "Scores      DeepLIFT of {} over {}; contributions add up within {:.1e}",
                counted(scores.neurons, "neuron"),
                counted(scores.samples, "sample"),
                scores.completeness.relative()
            );
        }
        text
    }

    fn lists(&self) -> String {
        let layout = Layout { config: self.config };
        let mut text = String::new();
        for (i, list) in layout.lists().iter().enumerate() {
            let word = if i == 0 { "Landmarks" } else { "Also" };
            let (by, path) = (chosen_by(&list.options), list.path.display());
            let _ = writeln!(text, "{word:<11} {}: {by}; {path}", list.name);
            if let (0, Some(selected)) = (i, &self.selected) {
                let names = visible::line(&selected.shown()).into_owned();
                let _ =
                    writeln!(text, "            {}, best first: {names}", counted(selected.genes, "gene"));
                text += &selected.until.as_ref().map_or(String::new(), enough);
            }
        }
        if let Some(size) = self.of_own_size() {
            size.tests.iter().for_each(|test| text += &self.test(test));
        }
        if let Some(curves) =
            self.compared.as_ref().map(|compared| &compared.curves_text).filter(|t| !t.is_empty())
        {
            let _ = write!(text, "\nSizes       {}", curves.trim_end().replace('\n', "\n            "));
            text.push('\n');
        }
        text
    }

    /// The comparison at the lists' own size.
    pub fn of_own_size(&self) -> Option<&SizeFacts> {
        let sizes = &self.compared.as_ref()?.sizes;
        let own = self.selected.as_ref().map(|selected| selected.genes).or(self.config.select.n);
        sizes.iter().find(|size| size.size.is_some() && size.size == own).or(sizes.first())
    }

    /// How the lists predict the genes of one test store.
    fn test(&self, test: &TestFacts) -> String {
        let mut text = format!("\nPrediction  {}, from\n", self.predicted(test));
        let main = (Layout { config: self.config }).lists().swap_remove(0);
        let own = genes(test, &main.name);
        let mut sets: Vec<_> = test.sets.iter().collect();
        sets.sort_by(|a, b| a.nmse.unwrap_or(f64::INFINITY).total_cmp(&b.nmse.unwrap_or(f64::INFINITY)));
        for set in sets {
            let mean = if set.draws { " (mean of draws)" } else { "" };
            let other = own.is_some_and(|own| own != set.landmarks);
            let size = if other { format!(" ({})", counted(set.landmarks, "gene")) } else { String::new() };
            let name = visible::line(&set.name);
            let _ = writeln!(text, "            {name:<12} {}{size}{mean}", figures(set));
        }
        text + &self.verdict(test)
    }

    /// Whether each list beats random draws and L1000, and by how much.
    fn verdict(&self, test: &TestFacts) -> String {
        let mut text = String::new();
        for (i, list) in (Layout { config: self.config }).lists().iter().enumerate() {
            let beside = beside_others(test, &list.name);
            let word = if i == 0 { "Verdict" } else { "" };
            if !beside.is_empty() {
                let _ = writeln!(text, "{word:<11} {}: {}", list.name, beside.join(",\n              "));
            }
        }
        text
    }

    fn stability(&self) -> String {
        let Some(facts) = &self.repeated else { return String::new() };
        let nogueira = facts.nogueira.map_or("nothing to choose".into(), |found| {
            format!("{:.3} ({:.3} to {:.3})", found.stability, found.interval.0, found.interval.1)
        });
        format!(
            "Stability   {} repeats over {}, {} genes free to choose (1: equal lists, 0: chance): {}\n\
             \x20           near copies for the same gene {}; Kuncheva's index {} on average, {} at least\n\
             \x20           {} of them always chosen, {} ever; see {}/stability.tsv, and lists/consensus.tsv\n",
            facts.repeats,
            facts.over(),
            facts.free,
            nogueira,
            number(facts.with_copies),
            number(facts.kuncheva.mean),
            number(facts.kuncheva.min),
            facts.always_chosen,
            facts.ever_chosen,
            self.config.output.display()
        )
    }

    fn warnings(&self) -> String {
        let mut text = String::new();
        for line in self.weak() {
            let _ = writeln!(text, "Warning     {line}");
        }
        text
    }

    /// What makes the result weak.
    pub fn weak(&self) -> Vec<String> {
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
                format!(
                    "{} to learn from are few; another draw of them may give another list ([stability])",
                    counted(n, "sample")
                )
            }));
            weak.extend(
                test.filter(|n| *n < FEW_HELD_OUT)
                    .map(|n| format!("{n} held-out samples are few; the figures are rough")),
            );
        }
        weak.extend(self.not_better());
        weak.extend(self.penalty_at_the_end());
        weak
    }

    /// Sets that are no better than random draws; where no interval tells, those that do not stand out among the draws.
    fn not_better(&self) -> Vec<String> {
        let tests = self.of_own_size().into_iter().flat_map(|size| &size.tests);
        let random = |test: &TestFacts| {
            let pairs = test.pairs.iter().filter(|pair| is_draw_of(&pair.b, "random"));
            let rank = |name: &str| test.sets.iter().find(|set| set.name == name)?.rank;
            pairs.filter_map(|pair| weak_beside_draws(pair, rank(&pair.a), &test.store)).collect::<Vec<_>>()
        };
        tests.flat_map(random).collect()
    }

    fn penalty_at_the_end(&self) -> Option<String> {
        let chosen = &self.fitted.as_ref()?.chosen;
        let (penalty, end) = (chosen["penalty"].as_f64()?, chosen["penalty-is"].as_str()?);
        Some(format!("the penalty {penalty} is {end}; set fit.penalty to look further"))
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
            (
                self.compared.is_some(),
                "comparison/      every list's figures by gene, sample and group, tests, overlaps",
            ),
            (
                self.config.cluster.is_some(),
                "clusters/        held-out samples against their labels, in several spaces",
            ),
            (
                self.config.enrich.is_some(),
                "enrichment.tsv   gene sets that the landmarks have more or fewer genes of",
            ),
            (self.config.report, "report.html      all of it as a page, for any browser"),
            (true, "run.json         settings, checksums, device, timings"),
        ];
        for (_, row) in rows.iter().filter(|(there, _)| *there) {
            let _ = writeln!(text, "{out}/{row}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_called_weak_where_something_says_so() {
        let pair = |interval| PairFacts {
            a: "ours".into(),
            b: "random-9".into(),
            means: Some((0.8, 0.9)),
            interval,
            over: "5 groups".into(),
        };
        let weak = |interval, rank| weak_beside_draws(&pair(interval), rank, "test").unwrap_or_default();
        assert_eq!(weak(Some((-0.2, -0.1)), Some((2, 3))), "", "the interval decides");
        assert!(weak(Some((-0.2, 0.1)), Some((1, 20))).contains("ours is no better than random draws"));
        // five groups give no interval
        assert_eq!((weak(None, Some((1, 3))), weak(None, Some((2, 40)))), (String::new(), String::new()));
        assert!(
            weak(None, Some((2, 3)))
                .contains("does not stand out among random draws of its size on test: place 2 of 4")
        );
        assert_eq!(weak(None, None), "", "there are no draws");
    }

    #[test]
    fn a_list_stands_beside_as_many_genes_of_l1000() {
        let set = |name: &str, landmarks| SetFigures {
            name: name.into(),
            draws: name.ends_with("-20"),
            landmarks,
            nmse: None,
            mae: None,
            pcc: None,
            r2: None,
            passing: None,
            rank: None,
        };
        let pair = |b: &str, error: f64, interval| PairFacts {
            a: "ours".into(),
            b: b.into(),
            means: Some((0.54, error)),
            interval: Some(interval),
            over: "9 samples".into(),
        };
        let mut test = TestFacts {
            store: "test".into(),
            samples: 9,
            targets: 5,
            sets: vec![set("ours", 20), set("l1000-mine", 20), set("l1000", 115), set("l1000-20", 20)],
            pairs: vec![
                pair("l1000-mine", 0.5, (0.03, 0.05)),
                pair("l1000", 0.5, (0.03, 0.05)),
                pair("l1000-20", 0.6, (-0.075, -0.045)),
            ],
        };
        let (draws, whole) =
            ("by 10.0 % (7.5 to 12.5)", "worse than all 115 L1000 genes of the data by 8.0 %");
        let both = [format!("better than 20 L1000 genes {draws}"), format!("{whole} (6.0 to 10.0)")];
        assert_eq!(beside_others(&test, "ours"), both);
        let last = test.pairs.pop();
        assert_eq!(beside_others(&test, "ours"), both[1..], "there is no set of its size");
        test.pairs[1] = last.expect("the draws");
        assert_eq!(beside_others(&test, "ours"), [format!("better than L1000 {draws}")]);
    }
}
