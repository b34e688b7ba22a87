//! The greedy of ridge regressions and its exchanges against what one would write down: every candidate tried.

use super::*;

/// The ridge's choice without any recursion: for every candidate, what a ridge regression on the genes chosen and that
/// candidate would leave of the target.
fn naive_ridge(
    x: &Columns,
    t: &Columns,
    ridge: f64,
    shares: &[f64],
    n: usize,
    include: &[usize],
    exclude: &[usize],
) -> Vec<usize> {
    use nalgebra::DMatrix;
    let rows = x.rows();
    let wide = |m: &Columns, genes: &[usize]| {
        DMatrix::from_fn(rows, genes.len(), |r, g| f64::from(m.column(genes[g])[r]))
    };
    let all: Vec<usize> = (0..x.len()).collect();
    let target = wide(t, &(0..t.len()).collect::<Vec<_>>());
    let mut chosen: Vec<usize> = Vec::new();
    let (mut lambda, mut end) = (0.0, 0);
    while chosen.len() < n {
        let k = chosen.len();
        if k >= end {
            lambda = ridge * k.max(5) as f64 * 2f64.sqrt();
            end = (2 * k).max(10);
        }
        let pool = if k < include.len() { include } else { &all[..] };
        let free = pool.iter().filter(|g| !chosen.contains(g) && !exclude.contains(g));
        let left = |gene: usize| {
            let genes = [&chosen[..], &[gene]].concat();
            let mut with = wide(x, &genes);
            for (mut column, gene) in with.column_iter_mut().zip(genes) {
                column /= (lambda * shares[gene]).sqrt();
            }
            let a = (DMatrix::identity(rows, rows) + &with * with.transpose()).try_inverse().unwrap();
            (&target.transpose() * a * &target).trace()
        };
        let best = free.map(|g| (*g, left(*g))).min_by(|a, b| a.1.total_cmp(&b.1));
        chosen.push(best.unwrap().0);
    }
    chosen
}

#[test]
fn diverse_equals_ridge_regressions_of_every_candidate() {
    let (x, t) = made(17, 61);
    let ids = ids(61);
    for (ridge, include, exclude) in
        [(0.2, vec![], vec![]), (2.0, vec![], vec![3]), (0.2, vec![60, 2], vec![0, 30])]
    {
        let bound = constraints(61, 45, &include, &exclude);
        let equal = self::ridge(ridge);
        let picks = diverse(&x, t.gram(), &equal, &ids, &bound, &silent).unwrap();
        let shares = vec![1.0; 61];
        assert_eq!(picks.genes, naive_ridge(&x, &t, ridge, &shares, 45, &include, &exclude), "ridge {ridge}");
        // The same with penalties by uniqueness, clipped about its mean.
        let psi = uniqueness(&x, 17);
        let mean = psi.iter().sum::<f64>() / 61.0;
        let shares: Vec<f64> = psi.iter().map(|psi| (psi / mean).clamp(0.2, 5.0)).collect();
        let uneven = DiverseSettings { penalty: Penalty::Uniqueness, ..equal };
        let by_uniqueness = diverse(&x, t.gram(), &uneven, &ids, &bound, &silent).unwrap();
        assert_ne!(by_uniqueness.genes, picks.genes);
        assert_eq!(by_uniqueness.genes, naive_ridge(&x, &t, ridge, &shares, 45, &include, &exclude));
        // At one penalty shares add up to less than the whole; a later stretch has a larger one.
        let shares: f64 = picks.scores[..10].iter().sum();
        assert!((0.3..=1.0).contains(&shares), "{shares}");
        assert!(picks.scores.iter().all(|share| *share > 0.0));
    }
    // A constant gene comes last, whatever it is called.
    let mut values: Vec<f32> = vec![0.0; 17];
    (0..61).for_each(|g| values.extend(x.column(g)));
    let with = Columns::new(17, values);
    let picks =
        diverse(&with, with.gram(), &ridge(0.2), &self::ids(62), &constraints(62, 62, &[], &[]), &silent);
    assert_eq!(picks.unwrap().genes[61], 0);
}

/// What a ridge regression on `genes` leaves of the target, at the penalty λ of each.
fn left_of(x: &Columns, t: &Columns, genes: &[usize], lambdas: &[f64]) -> f64 {
    use nalgebra::DMatrix;
    let n = x.rows();
    let of = |m: &Columns| DMatrix::from_fn(n, m.len(), |row, gene| f64::from(m.column(gene)[row]));
    let mut with = of(x).select_columns(genes);
    for (mut column, gene) in with.column_iter_mut().zip(genes) {
        column /= lambdas[*gene].sqrt();
    }
    let a = (DMatrix::identity(n, n) + &with * with.transpose()).try_inverse().unwrap();
    let target = of(t);
    (target.transpose() * a * target).trace()
}

/// One place after the other every other gene is tried in it, as one would write it down; the order is that in which the greedy would take the genes
/// if there were no others.
#[test]
fn exchanges_equal_trying_every_gene_in_every_place() {
    let (x, t) = made(17, 61);
    let ids = ids(61);
    let psi = uniqueness(&x, 17);
    let mean = psi.iter().sum::<f64>() / 61.0;
    let uneven: Vec<f64> = psi.iter().map(|psi| (psi / mean).clamp(0.2, 5.0)).collect();
    let mut moved = 0;
    for (c, penalty, include, exclude) in [
        (0.2, Penalty::Equal, vec![], vec![]),
        (2.0, Penalty::Uniqueness, vec![], vec![3]),
        (0.5, Penalty::Equal, vec![60, 2], vec![0, 30]),
    ] {
        let shares = if penalty == Penalty::Equal { vec![1.0; 61] } else { uneven.clone() };
        for n in [1, 7, 20] {
            let n = n.max(include.len());
            let lambdas: Vec<f64> = shares.iter().map(|share| c * n as f64 * share).collect();
            let bound = constraints(61, n, &include, &exclude);
            let choose = |exchange| {
                let settings = DiverseSettings { penalty, exchange, ..ridge(c) };
                diverse(&x, t.gram(), &settings, &ids, &bound, &silent).unwrap()
            };
            let mut genes = choose(0).genes;
            assert_eq!(genes, naive_ridge(&x, &t, c, &shares, n, &include, &exclude));
            for sweeps in 1..=3 {
                let before = left_of(&x, &t, &genes, &lambdas);
                for place in include.len()..n {
                    let with = |gene: usize| {
                        let mut tried = genes.clone();
                        tried[place] = gene;
                        left_of(&x, &t, &tried, &lambdas)
                    };
                    let free = (0..61).filter(|gene| *gene == genes[place] || !genes.contains(gene));
                    let free = free.filter(|gene| !exclude.contains(gene));
                    let best = free.map(|gene| (gene, with(gene))).min_by(|a, b| a.1.total_cmp(&b.1));
                    genes[place] = best.unwrap().0;
                }
                assert!(left_of(&x, &t, &genes, &lambdas) <= before);
                let found = choose(sweeps);
                moved += found.genes.iter().filter(|gene| !choose(0).genes.contains(gene)).count();
                let others: Vec<usize> = (0..61).filter(|gene| !genes.contains(gene)).collect();
                let ordered = naive_ridge(&x, &t, c, &shares, n, &include, &others);
                assert_eq!(found.genes, ordered, "{penalty:?}, {n} genes, {sweeps} sweeps");
                assert!(found.scores.iter().all(|share| *share > 0.0 && share.is_finite()));
            }
        }
    }
    assert!(moved > 10, "{moved}: nothing to see");
    // What does not vary stays last, and where every gene is chosen nothing is exchanged.
    let mut values: Vec<f32> = vec![0.0; 17];
    (0..61).for_each(|g| values.extend(x.column(g)));
    let with = Columns::new(17, values);
    let settings = DiverseSettings { exchange: 2, ..ridge(0.2) };
    for n in [62, 40] {
        let bound = constraints(62, n, &[0], &[]);
        let picks = diverse(&with, with.gram(), &settings, &self::ids(62), &bound, &silent).unwrap();
        assert_eq!((picks.genes[0], picks.scores[0], picks.genes.len()), (0, 0.0, n));
    }
}

#[test]
fn a_blend_goes_from_the_data_to_the_reconstruction() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), 41, 203);
    let samples: Vec<usize> = (0..41).collect();
    let net = autoencoder(&store, &samples, 7);
    let run = |target: Aim| {
        let settings = DiverseSettings { target, ..DiverseSettings::default() };
        let inputs = Inputs {
            store: &store,
            among: None,
            model: Some(&net),
            samples: 41,
            seed: 3,
            diverse: &settings,
            concrete: &ConcreteSettings::default(),
            trials: 9,
        };
        let bound = Constraints::new(store.genes(), 30, &[], &[]).unwrap();
        let mut executor = CpuExecutor::open(Some(2)).unwrap();
        from_store(Strategy::Diverse, &inputs, &bound, || Ok(&mut executor), &silent).unwrap()
    };
    let (data, output) = (run(Aim::Data), run(Aim::Reconstruction));
    assert_eq!(run(Aim::Blend(0.0)), data);
    assert_eq!(run(Aim::Blend(1.0)), output);
    let half = run(Aim::Blend(0.5));
    assert!(half.genes != data.genes && half.genes != output.genes && data.genes != output.genes);

    // by hand: the ridge regressions of every candidate on (√½·X, √½·T)
    let (x, deviations) = Columns::standardized(&store, &samples);
    let mut executor = CpuExecutor::open(Some(2)).unwrap();
    let weights = DiverseSettings::default().weights;
    let t = reconstruction(&mut executor, &net, &store, &samples, &deviations, weights, &silent).unwrap();
    let both: Vec<f32> = (0..203)
        .flat_map(|g| x.column(g))
        .chain((0..203).flat_map(|g| t.column(g)))
        .map(|v| v * 0.5f32.sqrt())
        .collect();
    let shares = match DiverseSettings::default().penalty {
        Penalty::Equal => vec![1.0; 203],
        Penalty::Uniqueness => {
            let psi = uniqueness(&x, 41);
            let varying = psi.iter().filter(|psi| **psi > 0.0);
            let mean = varying.clone().sum::<f64>() / varying.count() as f64;
            psi.iter().map(|psi| (psi / mean).clamp(0.2, 5.0)).collect()
        }
    };
    let ridge = DiverseSettings::default().ridge;
    let naive = naive_ridge(&x, &Columns::new(41, both), ridge, &shares, 30, &[], &[]);
    assert_eq!(half.genes, naive);
}
