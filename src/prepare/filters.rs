//! Genes that are left out: by type, by how often they are detected, by their spread.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Fit;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};

/// A type of gene, told by its symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeneType {
    /// Encoded in the mitochondrion: MT-…
    Mitochondrial,
    /// Proteins of the cytosolic ribosome: RPL… and RPS… with a number (not kinases such as RPS6KA1), RPLP0–2, RPSA
    Ribosomal,
}

impl GeneType {
    /// Whether a gene of this symbol, in any case, is of the type.
    fn includes(self, symbol: &str) -> bool {
        let symbol = symbol.to_ascii_uppercase();
        match self {
            GeneType::Mitochondrial => symbol.starts_with("MT-"),
            GeneType::Ribosomal => {
                let Some(rest) = symbol.strip_prefix("RPL").or_else(|| symbol.strip_prefix("RPS")) else {
                    return false;
                };
                // A number, and a letter or two with a number for paralogs: RPL13A, RPL36AL, RPS4Y1, RPL22L1.
                let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                let paralog = after.trim_end_matches(|c: char| c.is_ascii_digit());
                let numbered = after.len() < rest.len()
                    && paralog.len() <= 2
                    && paralog.chars().all(|c| "ALXY".contains(c));
                numbered || ["RPLP0", "RPLP1", "RPLP2", "RPSA", "RPSA2"].contains(&symbol.as_str())
            }
        }
    }
}

/// Drops genes of `types` by the column `symbol`, or by their ids where there is none.
///
/// # Errors
/// [`Error::Data`] where nothing would be left.
pub(super) fn exclude(rows: &Rows, types: &[GeneType], report: Reporter) -> Result<Fit> {
    let genes = rows.genes();
    let (column, symbols) = match genes.column("symbol") {
        Some(symbols) => ("symbol", symbols),
        None => ("gene_id", genes.ids.as_slice()),
    };
    let count = |kind: &GeneType| symbols.iter().filter(|symbol| kind.includes(symbol)).count();
    let counts: Vec<usize> = types.iter().map(count).collect();
    for (kind, count) in types.iter().zip(&counts) {
        let kind = json!(kind);
        let kind = kind.as_str().unwrap_or_default();
        report(match count {
            0 => Event::Warning(format!("no gene is {kind} by {column}, e.g. {:?}", symbols[0])),
            n => Event::Note(format!("{n} of {} genes are {kind} by {column}", symbols.len())),
        });
    }
    let kept = (0..symbols.len()).filter(|g| !types.iter().any(|kind| kind.includes(&symbols[*g]))).collect();
    let record =
        json!({ "exclude": { "types": types, "column": column, "dropped": counts.iter().sum::<usize>() } });
    keep(rows, kept, "every gene is of an excluded type", record)
}

/// Drops genes with a value above `threshold` in a smaller share of the samples than `share`.
///
/// # Errors
/// [`Error::Usage`] for a share outside 0–1; [`Error::Data`] where nothing would be left.
pub(super) fn min_detected(rows: &Rows, share: f64, threshold: f64, report: Reporter) -> Result<Fit> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(Error::Usage(format!(
            "--min-detected {share} must be a share of the samples, in (0, 1]"
        )));
    }
    if !threshold.is_finite() {
        return Err(Error::Usage(format!("--detection-threshold {threshold} must be a number")));
    }
    let add = |count: &mut u64, x: f32, _| *count += u64::from(f64::from(x) > threshold);
    let counts = rows.fold("detection", report, 0, add)?;
    let kept: Vec<usize> =
        (0..counts.len()).filter(|g| counts[*g] as f64 >= share * rows.len() as f64).collect();
    let dropped = counts.len() - kept.len();
    report(Event::Note(format!(
        "{dropped} of {} genes are above {threshold} in less than {share} of the samples",
        counts.len()
    )));
    let record = json!({ "min_detected": { "share": share, "threshold": threshold, "dropped": dropped } });
    keep(rows, kept, "no gene is detected so often; lower --min-detected or --detection-threshold", record)
}

/// Drops genes of a smaller standard deviation than `least`.
///
/// # Errors
/// [`Error::Usage`] for a negative number; [`Error::Data`] where nothing would be left.
pub(super) fn min_sd(rows: &Rows, least: f64, report: Reporter) -> Result<Fit> {
    if !(least.is_finite() && least >= 0.0) {
        return Err(Error::Usage(format!("--min-sd {least} must be a number of at least 0")));
    }
    let sd = rows.moments("standard deviations", report)?.sd;
    let kept: Vec<usize> = (0..sd.len()).filter(|gene| sd[*gene] >= least).collect();
    let dropped = sd.len() - kept.len();
    report(Event::Note(format!("{dropped} of {} genes have a standard deviation below {least}", sd.len())));
    let largest = sd.iter().copied().fold(0.0, f64::max);
    let none = format!(
        "no gene has a standard deviation of {least} or more, the largest is {largest}; lower --min-sd"
    );
    keep(rows, kept, &none, json!({ "min_sd": { "least": least, "dropped": dropped } }))
}

fn keep(rows: &Rows, kept: Vec<usize>, none: &str, record: serde_json::Value) -> Result<Fit> {
    if kept.is_empty() {
        return Err(Error::Data(format!("{}: {none}", rows.name())));
    }
    Ok(Fit::pick(rows.genes().select(&kept), kept, record))
}

#[cfg(test)]
mod tests {
    use super::GeneType::{self, *};

    #[test]
    fn types_are_told_by_symbol() {
        let check = |kind: GeneType, symbols: &str, expected: bool| {
            symbols.split(' ').for_each(|s| assert_eq!(kind.includes(s), expected, "{s}"));
        };
        check(Mitochondrial, "MT-ND1 mt-Co1 MT-TF", true);
        check(Mitochondrial, "MTOR MT1A MTND1P23 RPL3", false);
        let ribosomal =
            "RPL3 RPS27A RPL13A RPL36AL RPL39L RPS4X RPS4Y1 RPL22L1 RPL7L1 RPLP0 RPSA Rpl10a RPS27L";
        check(Ribosomal, ribosomal, true);
        check(Ribosomal, "RPS6KA1 RPS6KB2 MRPL3 RPS19BP1 RPLP RPL RPN1 RPL3-AS1 RPS10-NUDT3 ", false);
    }
}
