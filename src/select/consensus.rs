//! One list from many bootstrap samples: what `diverse` chooses where the gain of a gene is the mean over all of them, so that a gene
//! which only one draw of the samples speaks for is not taken, and of two near copies one is.

use super::by_samples::BySamples;
use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use super::diverse::{DiverseSettings, Penalty, from_data};
use super::penalties::Penalties;
use super::ridge_greedy::{Left, Revise};
use super::uniqueness::uniqueness;
use super::within::Part;
use crate::error::{Error, Result};
use crate::memory::Need;
use crate::progress::Reporter;
use crate::store::Store;

/// Chooses by the gain pooled over `draws` of the store's samples, for a target of the data alone and a ridge above 0.
///
/// # Errors
/// [`Error::Usage`] for a target that needs the network, and for least squares; [`Error::Data`] where nothing varies, and for more values than
/// there is memory for.
pub fn consensus(
    store: &Store,
    draws: &[Vec<usize>],
    settings: &DiverseSettings,
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    let n = draws.iter().map(Vec::len).max().unwrap_or(0);
    Need::new()
        .with(
            format!("values of {} bootstrap samples of {n} by {} genes", draws.len(), store.n_genes()),
            &[draws.len(), n, store.n_genes(), 4],
        )
        .with("their products", &[draws.len(), 3, n, n, 8])
        .check("the consensus", "take fewer --repeats, or allow more (--memory)")?;
    let of = |samples: &Vec<usize>| {
        let (x, _) = Columns::standardized(store, samples);
        let gram = from_data(settings.target, settings.weights, &x);
        let gram =
            gram.filter(|_| settings.target.share() == 0.0 && settings.ridge > 0.0).ok_or_else(|| {
                Error::Usage("a consensus is chosen from the data alone, with a ridge above 0".into())
            })?;
        Ok((x, gram))
    };
    let sets = draws.iter().map(of).collect::<Result<Vec<_>>>()?;
    if sets.iter().all(|(_, gram)| gram.trace() == 0.0) {
        return Err(Error::Data(format!("{}: no gene varies over the samples", store.path().display())));
    }
    let penalties = match settings.penalty {
        Penalty::Equal => Penalties::equal(settings.ridge, store.n_genes())?,
        Penalty::Uniqueness => {
            let each: Vec<Vec<f64>> = sets.iter().map(|(x, _)| uniqueness(x, x.rows())).collect();
            let mean = |gene: usize| each.iter().map(|psi| psi[gene]).sum::<f64>() / each.len() as f64;
            let means: Vec<f64> = (0..store.n_genes()).map(mean).collect();
            Penalties::by_uniqueness(settings.ridge, &means)?
        }
    };
    let mut pooled = Pooled { sets: sets.iter().map(|(x, gram)| BySamples::new(x, gram)).collect() };
    settings.choose(&mut pooled, &penalties, &store.genes().ids, constraints, report)
}

/// What is left of several data sets of the same genes: a gain is the sum of its shares of them.
struct Pooled<'a> {
    sets: Vec<BySamples<'a>>,
}

impl Pooled<'_> {
    fn share(set: &BySamples, gain: f64) -> f64 {
        gain / set.whole().max(f64::MIN_POSITIVE)
    }
}

impl Left for Pooled<'_> {
    fn is_constant(&self, gene: usize) -> bool {
        self.sets.iter().all(|set| set.is_constant(gene))
    }

    fn whole(&self) -> f64 {
        self.sets.len() as f64
    }

    fn set(&mut self, lambdas: Vec<f64>) -> Result<()> {
        self.sets.iter_mut().try_for_each(|set| set.set(lambdas.clone()))
    }

    fn gain(&self, gene: usize) -> f64 {
        self.sets.iter().map(|set| Self::share(set, set.gain(gene))).sum()
    }

    fn take(&mut self, gene: usize) {
        self.sets.iter_mut().for_each(|set| set.take(gene));
    }
}

impl Revise for Pooled<'_> {
    fn without(&mut self, gene: usize, coming: &[usize]) -> Result<Vec<f64>> {
        let mut sum = Vec::new();
        for set in &mut self.sets {
            let gains = set.without(gene, coming)?;
            sum.resize(gains.len(), 0.0);
            sum.iter_mut().zip(gains).for_each(|(sum, gain)| *sum += Self::share(set, gain));
        }
        Ok(sum)
    }

    fn leave(&mut self, gene: usize) {
        self.sets.iter_mut().for_each(|set| set.leave(gene));
    }

    fn among(&self, genes: &[usize]) -> Vec<Part> {
        self.sets.iter().flat_map(|set| set.among(genes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use crate::select::diverse::diverse;
    use crate::testing::random_store;

    /// One draw of all samples once is `diverse`; many draws pool their gains, which a naive sum gives for the first gene.
    #[test]
    fn gains_are_pooled() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 24, 30);
        let constraints = Constraints::new(store.genes(), 8, &[3], &[5]).unwrap();
        let penalty = Penalty::Equal;
        let settings = DiverseSettings { penalty, ridge: penalty.ridge(), ..DiverseSettings::default() };
        let all: Vec<usize> = (0..24).collect();
        let (x, _) = Columns::standardized(&store, &all);
        let plain = diverse(&x, x.gram(), &settings, &store.genes().ids, &constraints, &silent).unwrap();
        let of = |draws: &[Vec<usize>]| consensus(&store, draws, &settings, &constraints, &silent).unwrap();
        assert_eq!(of(std::slice::from_ref(&all)), plain);
        let draws = [(0..12).collect::<Vec<_>>(), (6..24).collect(), (3..20).collect()];
        let found = of(&draws);
        assert_eq!((found.genes.len(), found.genes[0]), (8, 3));
        assert!(!found.genes.contains(&5));
        // the first free gene after gene 3, by f/(p + λ) of each draw with A = (I + x₃x₃ᵀ/λ)⁻¹
        let lambda = settings.ridge * 5.0 * std::f64::consts::SQRT_2;
        let gains = |samples: &Vec<usize>| -> Vec<f64> {
            let (x, _) = Columns::standardized(&store, samples);
            let n = samples.len();
            let matrix = nalgebra::DMatrix::from_fn(n, 30, |s, g| f64::from(x.column(g)[s]));
            let own = matrix.column(3).into_owned();
            let a =
                (nalgebra::DMatrix::identity(n, n) + &own * own.transpose() / lambda).try_inverse().unwrap();
            let gram = &matrix * matrix.transpose();
            let gain = |g: usize| {
                let y = &a * matrix.column(g);
                (y.transpose() * &gram * &y)[0] / (matrix.column(g).dot(&y) + lambda) / gram.trace()
            };
            (0..30).map(gain).collect()
        };
        let each: Vec<Vec<f64>> = draws.iter().map(gains).collect();
        let total = |g: &usize| each.iter().map(|gains| gains[*g]).sum::<f64>();
        let best =
            (0..30).filter(|g| ![3, 5].contains(g)).max_by(|a, b| total(a).total_cmp(&total(b))).unwrap();
        assert_eq!(found.genes[1], best);
        let blend = DiverseSettings { ridge: 0.0, ..settings };
        assert!(consensus(&store, &draws, &blend, &constraints, &silent).is_err());
    }
}
