//! Maps of samples by t-SNE (van der Maaten & Hinton 2008; Barnes–Hut, van der Maaten 2014; by `bhtsne`): who is near whom is kept, how far
//! the far ones are is not.

use bhtsne::{Neighbor, tSNE};

use super::distances::Distances;
use crate::select::columns::Columns;

/// Neighbours that a sample has in effect, at most.
const PERPLEXITY: f64 = 30.0;
/// Neighbours that are looked at, in units of the perplexity.
const LOOKED_AT: f64 = 3.0;
/// Below this angle cells of the tree stand for their samples.
const THETA: f64 = 0.5;
/// The spread that a map begins with (Kobak & Berens 2019).
const BEGIN: f64 = 1e-4;
/// Fewer samples have no neighbourhoods.
pub const FEWEST: usize = 8;

/// A map [samples × 2] of samples by their distances, which begins as `axes`, and is made on one thread, so that nothing is left to chance: the same distances
/// give the same map. `None` for fewer than [`FEWEST`] samples, and where all lie in one place.
///
/// # Panics
/// Unless `axes` has two columns of as many samples.
pub fn t_sne(distances: &Distances, axes: &Columns) -> Option<Columns> {
    let n = distances.n;
    let spread = (axes.column(0).iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64).sqrt();
    if n < FEWEST || spread.is_nan() || spread <= 0.0 {
        return None;
    }
    let perplexity = PERPLEXITY.min((n - 1) as f64 / LOOKED_AT);
    let begin: Vec<f64> =
        (0..n).flat_map(|i| [0, 1].map(|axis| f64::from(axes.column(axis)[i]) / spread * BEGIN)).collect();
    let samples: Vec<usize> = (0..n).collect();
    let nearest = neighbours(distances, (LOOKED_AT * perplexity) as usize);
    // on several threads its sums are added up in whichever order they are done
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let found = alone.install(|| {
        let mut map: tSNE<f64, usize> = tSNE::new(&samples);
        map.perplexity(perplexity).initial_embedding(begin).barnes_hut_with_neighbors(THETA, &nearest);
        map.embedding()
    });
    let axis = |at: usize| found.chunks_exact(2).map(move |point| point[at] as f32);
    found.iter().all(|x| x.is_finite()).then(|| Columns::new(n, axis(0).chain(axis(1)).collect()))
}

/// The nearest of each sample, by distance and then by place.
fn neighbours(distances: &Distances, most: usize) -> Vec<Vec<Neighbor<f64>>> {
    let of = |i: usize| {
        let mut all: Vec<Neighbor<f64>> = (0..distances.n)
            .filter(|j| *j != i)
            .map(|index| Neighbor { index, distance: distances.distance(i, index) })
            .collect();
        all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.index.cmp(&b.index)));
        all.truncate(most.max(1));
        all
    };
    (0..distances.n).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Metric, axes};
    use crate::device::random::Stream;

    /// Three clouds in twenty dimensions.
    fn clouds(n: usize) -> Columns {
        let mut stream = Stream::new(3, "clouds", 0);
        let value = |sample: usize, gene: usize| if gene % 3 == sample % 3 { 6.0 } else { 0.0 };
        let values = (0..20).flat_map(|gene| (0..n).map(move |sample| (sample, gene)));
        Columns::new(n, values.map(|(s, g)| (value(s, g) + 2.0 * stream.uniform()) as f32).collect())
    }

    #[test]
    fn neighbourhoods_are_kept_and_nothing_is_left_to_chance() {
        let n = 60;
        let distances = Distances::of(&clouds(n), Metric::Euclidean);
        let begin = axes(&distances);
        let map = t_sne(&distances, &begin).expect("a map");
        assert_eq!(Some(&map), t_sne(&distances, &begin).as_ref(), "the same map");
        let near = Distances::of(&map, Metric::Euclidean);
        for i in 0..n {
            let nearest = neighbours(&near, 5)[i].iter().filter(|other| other.index % 3 == i % 3).count();
            assert!(nearest >= 4, "sample {i}");
        }
    }

    #[test]
    fn few_samples_and_one_place_have_no_map() {
        let few = Distances::of(&clouds(FEWEST - 1), Metric::Euclidean);
        assert_eq!(t_sne(&few, &axes(&few)), None);
        let same = Distances::of(&Columns::new(20, vec![1.0; 60]), Metric::Euclidean);
        assert_eq!(t_sne(&same, &axes(&same)), None);
        // copies beside each other are no reason to fail
        let mut values = vec![0.0; 40];
        values[20..].iter_mut().enumerate().for_each(|(i, x)| *x = (i / 10) as f32);
        let copies = Distances::of(&Columns::new(20, values), Metric::Euclidean);
        if let Some(map) = t_sne(&copies, &axes(&copies)) {
            assert!(map.column(0).iter().chain(map.column(1)).all(|x| x.is_finite()));
        }
    }
}
