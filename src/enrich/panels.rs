//! Random panels of genes that are expressed as a panel's are.
//!
//! Landmarks are not drawn evenly: a selection takes genes that vary, and those are mostly expressed. What a panel has in common
//! with every panel of such genes says nothing of the way it was chosen.

use crate::device::random::Stream;

/// Bins of equal size by mean expression.
const BINS: usize = 20;

/// Draws panels with as many genes of each bin of mean expression as the given one has.
pub struct Matched {
    bins: Vec<Vec<usize>>,
    wanted: Vec<usize>,
}

impl Matched {
    /// Of genes with these means, for a panel.
    pub fn new(means: &[f64], panel: &[usize]) -> Matched {
        let mut order: Vec<usize> = (0..means.len()).collect();
        order.sort_by(|a, b| means[*a].total_cmp(&means[*b]).then(a.cmp(b)));
        let size = means.len().div_ceil(BINS).max(1);
        let bins: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
        let mut bin_of = vec![0; means.len()];
        for (bin, genes) in bins.iter().enumerate() {
            genes.iter().for_each(|gene| bin_of[*gene] = bin);
        }
        let mut wanted = vec![0; bins.len()];
        panel.iter().for_each(|gene| wanted[bin_of[*gene]] += 1);
        Matched { bins, wanted }
    }

    /// The panel of this number and seed.
    pub fn draw(&self, seed: u64, number: u64) -> Vec<usize> {
        let mut stream = Stream::new(seed, "matched panel", number);
        let mut panel = Vec::new();
        for (bin, wanted) in self.bins.iter().zip(&self.wanted) {
            let mut genes = bin.clone();
            stream.shuffle(&mut genes);
            panel.extend_from_slice(&genes[..*wanted]);
        }
        panel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_have_as_many_genes_of_each_bin() {
        let means: Vec<f64> = (0..103).map(|gene| f64::from((gene * 37) % 103)).collect();
        let panel = [0, 1, 2, 3, 50, 51, 102];
        let matched = Matched::new(&means, &panel);
        let counts = |panel: &[usize]| Matched::new(&means, panel).wanted;
        let drawn: Vec<Vec<usize>> = (0..20).map(|number| matched.draw(3, number)).collect();
        assert!(drawn.iter().all(|drawn| counts(drawn) == matched.wanted));
        assert!(drawn[0] != drawn[1] && matched.draw(3, 0) == drawn[0] && matched.draw(4, 0) != drawn[0]);
        assert!(Matched::new(&[1.0], &[0]).draw(0, 0) == [0]);
    }
}
