//! How well clusters, or neighbourhoods, agree with labels: scikit-learn's figures.

use super::distances::Distances;

/// Counts of samples by two labelings [a × b].
fn contingency(a: &[usize], b: &[usize]) -> Vec<Vec<f64>> {
    let classes = |labels: &[usize]| labels.iter().max().map_or(0, |max| max + 1);
    let mut counts = vec![vec![0.0; classes(b)]; classes(a)];
    a.iter().zip(b).for_each(|(a, b)| counts[*a][*b] += 1.0);
    counts
}

fn sums(counts: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let rows = counts.iter().map(|row| row.iter().sum()).collect();
    let mut cols = vec![0.0; counts.first().map_or(0, Vec::len)];
    counts.iter().for_each(|row| cols.iter_mut().zip(row).for_each(|(sum, n)| *sum += n));
    (rows, cols)
}

/// Hubert and Arabie's adjusted Rand index (1985): 1 for the same partition, 0 on average for unrelated ones.
pub fn adjusted_rand(a: &[usize], b: &[usize]) -> f64 {
    let counts = contingency(a, b);
    let (rows, cols) = sums(&counts);
    let pairs = |n: &f64| n * (n - 1.0) / 2.0;
    let both: f64 = counts.iter().flatten().map(pairs).sum();
    let (of_a, of_b): (f64, f64) = (rows.iter().map(pairs).sum(), cols.iter().map(pairs).sum());
    let expected = of_a * of_b / pairs(&(a.len() as f64)).max(f64::MIN_POSITIVE);
    let most = (of_a + of_b) / 2.0;
    if most == expected { 1.0 } else { (both - expected) / (most - expected) }
}

/// Mutual information over the mean of the two entropies.
pub fn normalized_mutual_information(a: &[usize], b: &[usize]) -> f64 {
    let counts = contingency(a, b);
    let (rows, cols) = sums(&counts);
    let n = a.len() as f64;
    let entropy = |sums: &[f64]| -> f64 {
        sums.iter().filter(|sum| **sum > 0.0).map(|sum| -sum / n * (sum / n).ln()).sum()
    };
    let cell = |(row, col): (usize, usize)| match counts[row][col] {
        0.0 => 0.0,
        count => count / n * (n * count / rows[row] / cols[col]).ln(),
    };
    let cells = (0..rows.len()).flat_map(|row| (0..cols.len()).map(move |col| (row, col)));
    let (information, mean) = (cells.map(cell).sum::<f64>(), (entropy(&rows) + entropy(&cols)) / 2.0);
    match (rows.len(), cols.len()) {
        (0..=1, 0..=1) => 1.0,
        _ if mean <= 0.0 => 0.0,
        _ => (information / mean).clamp(0.0, 1.0),
    }
}

/// Rousseeuw's silhouette (1987), mean over samples; `None` for fewer than two classes, or as many as samples.
pub fn silhouette(distances: &Distances, labels: &[usize]) -> Option<f64> {
    let classes = labels.iter().max().map_or(0, |max| max + 1);
    let mut sizes = vec![0.0f64; classes];
    labels.iter().for_each(|label| sizes[*label] += 1.0);
    let present = sizes.iter().filter(|size| **size > 0.0).count();
    if present < 2 || present >= labels.len() {
        return None;
    }
    let width = |(i, own): (usize, &usize)| {
        let mut sums = vec![0.0; classes];
        labels.iter().enumerate().for_each(|(j, label)| sums[*label] += distances.distance(i, j));
        if sizes[*own] < 2.0 {
            return 0.0;
        }
        let a = sums[*own] / (sizes[*own] - 1.0);
        let others = (0..classes).filter(|c| c != own && sizes[*c] > 0.0).map(|c| sums[c] / sizes[c]);
        let b = others.fold(f64::INFINITY, f64::min);
        if a.max(b) > 0.0 { (b - a) / a.max(b) } else { 0.0 }
    };
    Some(labels.iter().enumerate().map(width).sum::<f64>() / labels.len() as f64)
}

/// The share of samples whose `k` nearest others, of those that `may` be asked, mostly have their label; the least label among
/// equals. A sample that has nobody to ask does not count; `None` where none has.
pub fn neighbours(
    distances: &Distances,
    labels: &[usize],
    k: usize,
    may: impl Fn(usize, usize) -> bool,
) -> Option<f64> {
    let classes = labels.iter().max().map_or(0, |max| max + 1);
    let (mut right, mut asked) = (0usize, 0usize);
    for (i, own) in labels.iter().enumerate() {
        let mut others: Vec<usize> = (0..labels.len()).filter(|j| *j != i && may(i, *j)).collect();
        let nearer =
            |a: &usize, b: &usize| distances.square(i, *a).total_cmp(&distances.square(i, *b)).then(a.cmp(b));
        if k < others.len() {
            others.select_nth_unstable_by(k, nearer);
            others.truncate(k);
        }
        if others.is_empty() {
            continue;
        }
        let mut votes = vec![0usize; classes];
        others.iter().for_each(|j| votes[labels[*j]] += 1);
        let most = votes.iter().max().copied().unwrap_or(0);
        asked += 1;
        right += usize::from(votes.iter().position(|n| *n == most) == Some(*own));
    }
    (asked > 0).then(|| right as f64 / asked as f64)
}
