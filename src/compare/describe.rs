//! A comparison for a reader.

use super::tables::{Row, Told, rank_of, rows};
use super::{Curve, Measure, PairDifference, Plan, Tested};
use crate::evaluate::differences::{Basis, Difference, FEW_GROUPS};
use crate::nouns::counted;
use crate::visible;

/// Pairs that are printed; `tests.tsv` has them all.
const PAIRS: usize = 12;

/// The columns: title, column of the summary, whether it is a share.
const SHOWN: [(&str, &str, bool); 5] = [
    ("MSE/var", "nmse_mean", false),
    ("PCC", "pcc_mean", false),
    ("median R²", "r2_median", false),
    ("MAE", "mae_mean", false),
    ("pass", "permutation_share", true),
];

fn figure(value: Option<f64>, share: bool) -> String {
    match value {
        None => "NA".into(),
        Some(x) if share => format!("{:.1}%", 100.0 * x),
        Some(x) => format!("{x:.4}"),
    }
}

/// Of each test the sets by MSE over the training variance, best first, among them the random draws; then the differences with
/// their intervals.
pub fn describe(told: &Told) -> String {
    let mut text = String::new();
    for (test, tested) in told.tested.iter().enumerate() {
        let samples = counted(tested.test.samples.len(), "sample");
        text += &format!("{}: {samples}, ", visible::line(&tested.store));
        text += &format!("{}{}\n", counted(tested.targets.len(), "target"), of_more(told.plan, tested));
        let rows = rows(told.plan, tested);
        text += &table(told, test, &rows);
        text += &beside(told, test, &rows);
        text += &differences(told, test);
    }
    text
}

/// How many targets there are at this size beside the common ones.
fn of_more(plan: &Plan, tested: &Tested) -> String {
    let size = tested.outcomes[0].of_size.len();
    if plan.has_more() {
        format!(" that are one at every size, of {size} at this size")
    } else {
        String::new()
    }
}

fn table(told: &Told, test: usize, rows: &[Row]) -> String {
    let mut shown: Vec<&Row> = rows.iter().filter(|row| matches!(row.kind, "set" | "draws mean")).collect();
    let leading = |row: &Row| row.get("nmse_mean").or(row.get("mae_mean")).unwrap_or(f64::INFINITY);
    shown.sort_by(|a, b| leading(a).total_cmp(&leading(b)));
    let titles = ["set", "genes"].into_iter().chain(SHOWN.map(|(title, ..)| title)).chain(["rank"]);
    let mut lines = vec![titles.map(String::from).collect::<Vec<_>>()];
    for row in shown {
        let same = |other: &&Row| other.kind == "draws sd" && other.name == row.name;
        let spread = rows.iter().find(same).filter(|_| row.kind == "draws mean");
        let mut line = vec![row.name.clone(), row.landmarks.to_string()];
        line.extend(SHOWN.iter().map(|(_, name, share)| {
            let own = figure(row.get(name), *share);
            match spread.and_then(|spread| spread.get(name)) {
                Some(spread) => format!("{own} ± {}", figure(Some(spread), *share)),
                None => own,
            }
        }));
        let rank = rank_of(&row.name, test, told.ranks);
        line.push(rank.map_or(String::new(), |rank| format!("{} of {}", rank.rank, rank.draws + 1)));
        lines.push(line);
    }
    visible::table(&lines)
}

/// What stands beside the table: by sample, within groups, replicates.
fn beside(told: &Told, test: usize, rows: &[Row]) -> String {
    let Some(first) = rows.iter().find(|row| row.kind == "set") else { return String::new() };
    let mut text = String::new();
    if let (Some(own), Some(constant)) = (first.get("sample_pcc_mean"), first.get("sample_pcc_constant")) {
        text += &format!(
            "PCC by sample: {} {own:.4}; the training medians, the same for every sample, {constant:.4}\n",
            visible::line(&first.name)
        );
    }
    if let Some(pcc) = first.get("within_pcc_mean") {
        let basis = told.tested[test].test.basis;
        text += &format!(
            "within {}: {} PCC {pcc:.4}, R² {} (pooled {}, {})\n",
            basis.name(),
            visible::line(&first.name),
            figure(first.get("within_r2_median"), false),
            figure(first.get("pcc_mean"), false),
            figure(first.get("r2_median"), false)
        );
    }
    if let Some(ceiling) = told.ceilings.get(test).and_then(Option::as_ref) {
        text += &format!(
            "replicates ({} samples of {}) allow: MSE/var {}, PCC {}, R² {}\n",
            ceiling.samples,
            ceiling.replicated,
            figure(ceiling.nmse, false),
            figure(ceiling.pcc, false),
            figure(ceiling.r2, false)
        );
    }
    text
}

/// What an interval is taken over, in words.
pub fn over(basis: Basis, difference: &Difference) -> String {
    let units = |noun: &str| counted(difference.units, noun);
    match basis {
        Basis::Samples => units("sample"),
        Basis::Groups => units("group"),
        Basis::HeldOutGroups => {
            format!("{}, each held out once, corrected for what their fits share", units("group"))
        }
        Basis::Splits { .. } => format!("{}, corrected for what their training parts share", units("split")),
    }
}

fn differences(told: &Told, test: usize) -> String {
    let pairs = told.differences.iter().filter(|pair| pair.test == test && pair.measure == Measure::Nmse);
    let pairs: Vec<&PairDifference> = pairs.collect();
    let mut text = String::new();
    for pair in pairs.iter().take(PAIRS) {
        let Some(difference) = &pair.difference else { continue };
        let interval = match difference.interval {
            Some((low, high)) => format!("95 % from {low:+.4} to {high:+.4}"),
            None if pair.basis == Basis::Groups => {
                format!("no interval from fewer than {FEW_GROUPS} groups of one split")
            }
            None => "no interval".into(),
        };
        text += &format!(
            "MSE/var, {} less {}: {:+.4}, {interval}{}\n",
            visible::line(&pair.a),
            visible::line(&pair.b),
            difference.mean,
            flips(difference, pair.basis),
        );
    }
    if let Some(difference) = pairs.first().and_then(|pair| pair.difference.as_ref()) {
        let basis = pairs[0].basis;
        let alike = if grouped(basis) { ", each counted alike" } else { "" };
        text +=
            &format!("(over {}{alike}; genes are not independent of one another", over(basis, difference));
        text += if pairs.len() > PAIRS { "; all pairs in tests.tsv)\n" } else { ")\n" };
    }
    text
}

fn grouped(basis: Basis) -> bool {
    matches!(basis, Basis::Groups | Basis::HeldOutGroups)
}

/// The exact test of few groups, which cannot be below a limit.
fn flips(difference: &Difference, basis: Basis) -> String {
    match (difference.flips_p, difference.flips_least) {
        (Some(p), Some(least)) if grouped(basis) => {
            let n = difference.units;
            let limit = if least >= 0.01 {
                format!(" ({n} groups cannot come below {least:.3})")
            } else {
                String::new()
            };
            let p = if p < 0.001 { "< 0.001".to_string() } else { format!("= {p:.3}") };
            format!(", sign flips p {p}{limit}")
        }
        _ => String::new(),
    }
}

/// The curves for a reader: the error at each size, and what follows.
pub fn describe_curves(curves: &[Curve]) -> String {
    let mut text = String::new();
    let mut test = "";
    for curve in curves {
        if curve.test != test {
            test = &curve.test;
            text += &format!(
                "{}: MSE/var (95 %) by number of landmarks, on the same targets\n",
                visible::line(test)
            );
        }
        let point = |point: &super::curve::Point| {
            let interval =
                point.interval.map_or(String::new(), |(low, high)| format!(" ({low:.4} to {high:.4})"));
            format!("{}{interval} at {}", figure(Some(point.nmse), false), point.landmarks)
        };
        let points: Vec<String> = curve.points.iter().map(point).collect();
        text += &format!("{}: {}", visible::line(&curve.set), points.join(", "));
        if curve.points.iter().any(|point| point.gain_interval.is_some()) {
            text += &match curve.enough {
                Some(n) => format!("; beyond {n} the gain is within the interval"),
                None => "; the largest still gains".into(),
            };
        }
        text.push('\n');
    }
    text + &equals(curves)
}

/// How many genes of a ranked list do as well as random ones, or as those of a list that is drawn from, such as L1000.
fn equals(curves: &[Curve]) -> String {
    let mut text = String::new();
    for curve in curves.iter().filter(|curve| !curve.drawn && curve.points.len() > 1) {
        let all: Vec<_> = curve.equals.iter().filter(|equal| equal.drawn).collect();
        let (least, most) = (curve.points[0].landmarks, curve.points[curve.points.len() - 1].landmarks);
        let told = all.iter().map(|equal| {
            let at = match equal.at {
                Some(at) if at <= least as f64 => format!("{least} or fewer"),
                Some(at) => format!("{at:.0}"),
                None => format!("more than {most}"),
            };
            format!("{} of {}: {at}", equal.landmarks, visible::line(&equal.set))
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            text += &format!("{} equals {}\n", visible::line(&curve.set), told.join(", "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn shares_are_percentages() {
        let shown = [(Some(0.5), true), (Some(1.0), true), (Some(0.5), false), (None, true)];
        assert_eq!(shown.map(|(x, share)| figure(x, share)), ["50.0%", "100.0%", "0.5000", "NA"]);
    }
}
