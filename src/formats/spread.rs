//! Smallest and largest value of every gene of a store, as it is written.

use std::ops::Range;

use crate::device::cpu::vectorized;

/// Genes that are looked at in all samples before the next ones: their extremes stay in the nearest cache.
const TOGETHER: usize = 1024;

/// Two lists, so that they are kept with the widest vectors.
#[derive(Debug, Default)]
pub(super) struct Spread {
    min: Vec<f32>,
    max: Vec<f32>,
}

impl Spread {
    /// Before the first sample.
    pub fn new(genes: usize) -> Spread {
        Spread { min: vec![f32::INFINITY; genes], max: vec![f32::NEG_INFINITY; genes] }
    }

    pub fn genes(&self) -> usize {
        self.min.len()
    }

    /// Takes samples; NaN in them becomes zero.
    pub fn take(&mut self, samples: &mut [f32]) {
        let genes = self.genes();
        for first in (0..genes).step_by(TOGETHER) {
            let these = first..genes.min(first + TOGETHER);
            vectorized(|| {
                samples.chunks_exact_mut(genes).for_each(|sample| self.take_some(these.clone(), sample));
            });
        }
    }

    #[inline(always)]
    fn take_some(&mut self, genes: Range<usize>, sample: &mut [f32]) {
        let (min, max) = (&mut self.min[genes.clone()], &mut self.max[genes.clone()]);
        for ((x, min), max) in sample[genes].iter_mut().zip(min).zip(max) {
            *x = if x.is_nan() { 0.0 } else { *x };
            // Not `f32::min`, which looks for NaN.
            *min = if *x < *min { *x } else { *min };
            *max = if *x > *max { *x } else { *max };
        }
    }

    /// Genes of one value everywhere.
    pub fn constant(&self) -> Vec<usize> {
        (0..self.genes()).filter(|gene| self.min[*gene] >= self.max[*gene]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genes_of_one_value_are_found() {
        for genes in [1, 2, 9, 65, TOGETHER - 1, 2 * TOGETHER + 1] {
            let mut spread = Spread::new(genes);
            // Gene 0 has one value, gene 1 NaN and zero, the others grow or shrink.
            let value = |sample: usize, gene: usize| match gene {
                0 => -7.5,
                1 => [0.0, f32::NAN][sample % 2],
                _ => sample as f32 * if gene.is_multiple_of(2) { 1.0 } else { -1.0 },
            };
            let mut values: Vec<f32> = (0..3 * genes).map(|i| value(i / genes, i % genes)).collect();
            let (first, rest) = values.split_at_mut(genes);
            spread.take(first);
            spread.take(rest);
            assert_eq!(spread.constant(), (0..genes.min(2)).collect::<Vec<_>>());
            assert!(values.iter().all(|x| !x.is_nan()));
        }
    }
}
