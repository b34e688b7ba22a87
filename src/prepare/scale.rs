//! Values on another scale: library sizes, a range for all, minima and maxima or moments by gene.

use serde_json::json;

use super::rows::Rows;
use super::{Fit, Fitted};
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};

/// Scales every sample to the sum `target`, or to the median sum of the samples that have one above 0, as
/// `scanpy.pp.normalize_total` does.
///
/// # Errors
/// [`Error::Usage`] for a target that is not positive; [`Error::Data`] where every sample adds up to 0.
pub(super) fn library_size(rows: &Rows, target: Option<f64>, report: Reporter) -> Result<Fit> {
    let target = match target {
        Some(target) if target > 0.0 && target.is_finite() => target,
        Some(target) => {
            return Err(Error::Usage(format!("--library-size={target} must be a positive number")));
        }
        None => median_sum(rows, report)?,
    };
    let record = json!({ "library_size": { "target": target } });
    Ok(Fit::map(Fitted::LibrarySize { target }, record))
}

fn median_sum(rows: &Rows, report: Reporter) -> Result<f64> {
    let (width, mut sums) = (rows.genes().len(), Vec::with_capacity(rows.len()));
    rows.blocks("library sizes", report, |_, block| {
        let sum = |row: &[f32]| row.iter().map(|x| f64::from(*x)).sum::<f64>();
        sums.extend(block.chunks_exact(width).map(sum).filter(|sum| *sum > 0.0));
        Ok(())
    })?;
    sums.sort_unstable_by(f64::total_cmp);
    match sums.len() {
        0 => Err(Error::Data(format!(
            "{}: no sample adds up to more than 0; these are no counts",
            rows.name()
        ))),
        n => Ok((sums[(n - 1) / 2] + sums[n / 2]) / 2.0),
    }
}

/// Takes the smallest and the largest of all values to `to`.
///
/// # Errors
/// [`Error::Usage`] for a range that does not ascend; [`Error::Data`] where all values are one.
pub(super) fn range(rows: &Rows, to: [f64; 2], report: Reporter) -> Result<Fit> {
    if !(to[0] < to[1] && to.iter().all(|x| x.is_finite())) {
        return Err(Error::Usage(format!("--range {},{}: two ascending numbers are needed", to[0], to[1])));
    }
    let extremes = extremes(rows, report)?;
    let from = extremes.into_iter().fold(NOTHING, |all, [low, high]| [all[0].min(low), all[1].max(high)]);
    if from[0] == from[1] {
        let (name, value) = (rows.name(), from[0]);
        return Err(Error::Data(format!("{name}: all values are {value}; they span no range")));
    }
    let from = from.map(f64::from);
    Ok(Fit::map(Fitted::Range { from, to }, json!({ "range": { "from": from, "to": to } })))
}

const NOTHING: [f32; 2] = [f32::INFINITY, f32::NEG_INFINITY];

/// Smallest and largest value of every gene.
fn extremes(rows: &Rows, report: Reporter) -> Result<Vec<[f32; 2]>> {
    let add = |[low, high]: &mut [f32; 2], x: f32, _| {
        *low = low.min(x);
        *high = high.max(x);
    };
    rows.fold("smallest and largest values", report, NOTHING, add)
}

/// Takes every gene to 0–1.
///
/// # Errors
/// Those of a pass over the rows.
pub(super) fn min_max(rows: &Rows, report: Reporter) -> Result<Fit> {
    let extremes = extremes(rows, report)?;
    let offset = extremes.iter().map(|[low, _]| f64::from(*low)).collect();
    let divisor: Vec<f64> = extremes.iter().map(|[low, high]| f64::from(*high) - f64::from(*low)).collect();
    let constant = warn_of_constant_genes(&divisor, report);
    Ok(Fit::map(Fitted::Scale { offset, divisor }, json!({ "min_max": { "constant_genes": constant } })))
}

/// Takes every gene to mean 0 and, without `sd_offset`, standard deviation 1. D-GEX adds 1e-3 to the standard deviation.
///
/// # Errors
/// [`Error::Usage`] for a negative offset; [`Error::Data`] for one sample.
pub(super) fn zscore(rows: &Rows, sd_offset: f64, report: Reporter) -> Result<Fit> {
    if !(sd_offset >= 0.0 && sd_offset.is_finite()) {
        return Err(Error::Usage(format!("--sd-offset {sd_offset} must be a number of at least 0")));
    }
    if rows.len() < 2 {
        return Err(Error::Data(format!("{}: has one sample; z-scores need at least two", rows.name())));
    }
    let moments = rows.moments("means and standard deviations", report)?;
    let constant = warn_of_constant_genes(&moments.sd, report);
    // A constant gene has no spread that an offset could add to: in new data it is 0 too.
    let divisor = moments.sd.iter().map(|sd| if *sd > 0.0 { sd + sd_offset } else { 0.0 }).collect();
    let record = json!({ "zscore": { "constant_genes": constant, "sd_offset": sd_offset } });
    Ok(Fit::map(Fitted::Scale { offset: moments.mean, divisor }, record))
}

/// How many genes have no spread.
fn warn_of_constant_genes(spread: &[f64], report: Reporter) -> usize {
    let constant = spread.iter().filter(|spread| **spread == 0.0).count();
    if constant > 0 {
        report(Event::Warning(format!("{constant} genes have one value in all samples; they become 0")));
    }
    constant
}
