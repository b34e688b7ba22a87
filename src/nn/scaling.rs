//! Scaling of the network's input by gene, fitted on training samples only.

use half::f16;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::Input;
use crate::error::{Error, Result};
use crate::genes::shown;
use crate::nouns::counted;
use crate::store::{Layout, Store};

/// How a gene's values become the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// (x − min)/(max − min)
    Minmax,
    /// (x − mean)/sd, sd with n in the denominator
    Zscore,
    /// x
    None,
}

/// Values that one pass holds at a time, so that memory does not grow with the store.
const BLOCK_VALUES: usize = 8 << 20;

/// Fits offset, scale and median by gene on the given samples of a store. A gene of zero variance scales to 0.
pub fn fit(store: &Store, samples: &[usize], scale: Scale) -> Input {
    let of = |values: &mut [f32]| {
        let (offset, factor) = match scale {
            Scale::None => (0.0, 1.0),
            Scale::Minmax => {
                let min = values.iter().copied().fold(f32::INFINITY, f32::min);
                let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                (min, reciprocal(f64::from(max) - f64::from(min)))
            }
            Scale::Zscore => {
                let n = values.len() as f64;
                let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
                let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
                let constant = values.iter().all(|v| *v == values[0]);
                (mean as f32, if constant { 0.0 } else { reciprocal(variance.sqrt()) })
            }
        };
        (offset, (factor, median(values)))
    };
    let (offset, (scale, median)) = by_gene(store, samples, of).into_iter().unzip();
    Input { offset, scale, median }
}

/// From what a network gives to the store's units, by gene: offset + x̂/scale; a gene of zero variance is its offset.
pub(crate) fn unscale(row: &mut [f32], offset: &[f32], scale: &[f32]) {
    for ((value, offset), scale) in row.iter_mut().zip(offset).zip(scale) {
        *value = if *scale == 0.0 { *offset } else { *offset + *value / *scale };
    }
}

/// Whether a factor can be multiplied by and divided by in single precision, on every device.
pub(crate) fn is_usable(factor: f32) -> bool {
    factor == 0.0 || (factor.is_normal() && (1.0 / factor).is_normal())
}

/// Refuses what nothing can be learnt from: samples that are all alike, and genes whose scaling leaves single precision.
///
/// # Errors
/// [`Error::Data`] naming the store, or the gene.
pub fn check(store: &Store, samples: &[usize], input: &Input) -> Result<()> {
    let path = store.path().display();
    if store.are_alike(samples) {
        let n = counted(samples.len(), "sample");
        return Err(Error::Data(format!(
            "{path}: nothing varies over the {n} to learn from, so there is nothing to learn; give it more and different samples"
        )));
    }
    if input.scale.iter().all(|scale| *scale == 0.0) {
        return Err(Error::Data(format!(
            "{path}: no gene varies over the samples to learn from; give it others"
        )));
    }
    match input.scale.iter().position(|scale| !is_usable(*scale)) {
        Some(gene) => Err(out_of_range(store, gene)),
        None => Ok(()),
    }
}

/// Refuses scaled values beyond what half precision (f16) holds: they would become infinite, and training would seem to diverge.
/// `places`: where the network's genes stand in the store, as of [`match_genes`](super::feed::match_genes). `remedy`: what to do instead.
///
/// # Errors
/// [`Error::Data`] naming the gene of the largest.
pub(super) fn check_half(
    (store, samples): (&Store, &[usize]),
    places: Option<&[usize]>,
    input: &Input,
    remedy: &str,
) -> Result<()> {
    // by the store's genes; 0 for those that the network does not take
    let scaling = |of: &[f32]| match places {
        None => of.to_vec(),
        Some(places) => {
            let mut all = vec![0.0; store.n_genes()];
            places.iter().zip(of).for_each(|(place, value)| all[*place] = *value);
            all
        }
    };
    let (offsets, scales) = (scaling(&input.offset), scaling(&input.scale));
    let (mut gene, mut largest) = (0, (0.0f32, 0));
    columns(store, samples, |block| {
        for values in block.chunks(samples.len().max(1)) {
            let (offset, scale) = (offsets[gene], scales[gene]);
            let most = values.iter().map(|value| ((value - offset) * scale).abs()).fold(0.0, f32::max);
            if most > largest.0 {
                largest = (most, gene);
            }
            gene += 1;
        }
    });
    let (most, gene) = largest;
    if most <= f16::MAX.to_f32() {
        return Ok(());
    }
    Err(Error::Data(format!(
        "{}: gene {:?} reaches {most} as the network takes it, and half precision (f16) ends at {}; use --precision f32, or {remedy}",
        store.path().display(),
        shown(store.genes(), gene),
        f16::MAX.to_f32()
    )))
}

/// A gene that cannot be scaled.
pub(crate) fn out_of_range(store: &Store, gene: usize) -> Error {
    Error::Data(format!(
        "{}: the values of gene {:?} spread so little or so far that single precision cannot scale them; leave it out, or multiply \
         all values by one number (and check that they are not damaged)",
        store.path().display(),
        shown(store.genes(), gene)
    ))
}

/// The mean by gene over the given samples, summed in f64.
pub fn means(store: &Store, samples: &[usize]) -> Vec<f32> {
    let mean = |values: &[f32]| values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
    by_gene(store, samples, |values| mean(values) as f32)
}

/// The median by gene over the given samples.
pub fn medians(store: &Store, samples: &[usize]) -> Vec<f32> {
    by_gene(store, samples, median)
}

fn reciprocal(x: f64) -> f32 {
    if x > 0.0 { (1.0 / x) as f32 } else { 0.0 }
}

/// The middle value, or the mean of the two middle ones; reorders `values`, of which there is at least one.
fn median(values: &mut [f32]) -> f32 {
    let even = values.len().is_multiple_of(2);
    let middle = values.len() / 2;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let upper = *upper;
    match below.iter().copied().max_by(f32::total_cmp) {
        Some(lower) if even => ((f64::from(lower) + f64::from(upper)) / 2.0) as f32,
        _ => upper,
    }
}

/// What `of` makes of each gene's values over `samples` (in that order); of no samples nothing.
fn by_gene<T: Send + Default>(
    store: &Store,
    samples: &[usize],
    of: impl Fn(&mut [f32]) -> T + Sync,
) -> Vec<T> {
    let mut all = Vec::with_capacity(store.n_genes());
    columns(store, samples, |block| {
        all.par_extend(block.par_chunks_mut(samples.len().max(1)).map(&of));
    });
    all.resize_with(store.n_genes(), T::default);
    all
}

/// Calls `visit` with the values over `samples` (in that order), gene by gene, of a few genes after the other.
pub(crate) fn columns(store: &Store, samples: &[usize], mut visit: impl FnMut(&mut [f32])) {
    let (genes, n) = (store.n_genes(), samples.len().max(1));
    let step = (BLOCK_VALUES / n).clamp(1, genes);
    let mut block = Vec::new();
    if store.layout() == Layout::Dense || samples.is_empty() {
        for first in (0..genes).step_by(step) {
            store.read_columns_of(samples, first, genes.min(first + step), &mut block);
            visit(&mut block);
        }
        return;
    }
    let at_once = store.genes_at_once(samples, BLOCK_VALUES).clamp(1, genes);
    for first in (0..genes).step_by(at_once) {
        let some: Vec<usize> = (first..genes.min(first + at_once)).collect();
        for held in store.held_by_gene(samples, &some).chunks(step) {
            block.clear();
            block.resize(held.len() * n, 0.0);
            block.par_chunks_mut(n).zip(held).for_each(|(column, held)| {
                held.iter().for_each(|(row, value)| column[*row as usize] = *value);
            });
            visit(&mut block);
        }
    }
}

#[cfg(test)]
mod tests {
    /// 0.1 is none of the numbers that binary fractions are exact for: its mean over three samples is another.
    #[test]
    fn a_gene_of_one_value_scales_to_0() {
        use super::{Scale, fit};
        let dir = tempfile::tempdir().unwrap();
        let rows = [0.1, 1.0, 0.0, 0.1, 3.0, 0.0, 0.1, 5.0, 0.0];
        let store = crate::testing::store(&dir.path().join("x.gex"), 3, &rows);
        let scaled = |scale| fit(&store, &[0, 1, 2], scale).scale;
        assert_eq!(scaled(Scale::Minmax), [0.0, 0.25, 0.0]);
        let zscores = scaled(Scale::Zscore);
        assert_eq!([zscores[0], zscores[2]], [0.0, 0.0]);
        assert!((zscores[1] - (3.0f32 / 8.0).sqrt()).abs() < 1e-6);
        assert_eq!(scaled(Scale::None), [1.0; 3]);
        // over the chosen samples, that is: the second gene varies over none of these
        assert_eq!(fit(&store, &[1], Scale::Zscore).scale, [0.0; 3]);
    }

    /// 65,504 is the largest that f16 has.
    #[test]
    fn what_half_precision_does_not_hold_is_refused_by_name() {
        use super::{Input, check_half};
        let dir = tempfile::tempdir().unwrap();
        let store = crate::testing::store(&dir.path().join("x.gex"), 2, &[1.0, -65_504.0, 2.0, 70_000.0]);
        let of = |scale| Input { offset: vec![0.0; 2], scale: vec![scale; 2], median: vec![0.0; 2] };
        let check =
            |samples: &[usize], input: Input| check_half((&store, samples), None, &input, "scale them");
        check(&[0], of(1.0)).expect("the largest fits");
        check(&[0, 1], of(0.5)).expect("fits as it is scaled");
        let message = check(&[0, 1], of(1.0)).expect_err("infinite").to_string();
        let told = ["\"g_2\" reaches 70000", "ends at 65504", "--precision f32, or scale them"];
        assert!(told.iter().all(|part| message.contains(part)), "{message}");
        // of a network that takes the genes in another order, or not all of them
        let check = |places: &[usize], scale: &[f32]| {
            let (offset, median) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
            let input = Input { offset, scale: scale.to_vec(), median };
            check_half((&store, &[0, 1]), Some(places), &input, "scale them").is_ok()
        };
        assert!(check(&[1, 0], &[0.5, 1.0]) && !check(&[1, 0], &[1.0, 0.5]));
        assert!(check(&[0], &[1.0]) && !check(&[1], &[1.0]));
    }

    #[test]
    fn factors_that_single_precision_cannot_turn_around_are_refused() {
        let usable = [0.0, 1.0, 1e-30, 1e30, -2.0];
        assert!(usable.into_iter().all(super::is_usable));
        let not = [1e-39, 1e39f64 as f32, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 4.0, f32::MAX];
        assert!(!not.into_iter().any(super::is_usable), "1/f32::MAX is subnormal");
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(super::median(&mut [3.0]), 3.0);
        assert_eq!(super::median(&mut [3.0, 1.0]), 2.0);
        assert_eq!(super::median(&mut [5.0, -1.0, 2.0]), 2.0);
        assert_eq!(super::median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
