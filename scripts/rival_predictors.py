"""Measures two published rivals of networks beside ridge and kernel ridge, on the same split: docs/predictors.md.

    python scripts/rival_predictors.py TRAIN.gex TEST.gex LANDMARKS.tsv [--size 50,100] [--group-by COLUMN]

SampleLASSO (Mancuso et al. 2020): a lasso of each new sample's landmarks on those of the training samples, whose coefficients then
carry the targets over. KNN: the k training samples of highest correlation over landmarks, weighted by a power of it, k and power chosen
by gene, the best three of each gene averaged (as in the CMap inference contest; Blasco et al. 2019). Hyperparameters by
five folds (of groups where there are); genes z-scored by the training samples; what is printed is the mean squared error over
the training variance, over all genes that are no landmark. Needs NumPy, SciPy and scikit-learn.
"""

import argparse
import csv
import itertools

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.linear_model import Lasso

ALPHAS = [0.01, 0.03, 0.1]
NEIGHBOURS = [3, 5, 10, 20, 40, 80]
POWERS = [0, 2, 6]


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def store(path):
    return np.load(f"{path}/matrix.npy").astype(np.float64), [row["gene_id"] for row in table(f"{path}/genes.tsv")]


def folds(path, n, column):
    if column is None:
        return np.random.default_rng(1).permutation(n) % 5
    groups = [row[column] for row in table(f"{path}/samples.tsv")]
    names = sorted(set(groups), key=lambda g: (-groups.count(g), g))
    sizes, where = [0] * 5, {}
    for name in names:
        where[name] = int(np.argmin(sizes))
        sizes[where[name]] += groups.count(name)
    return np.array([where[g] for g in groups])


def ridge(x, y, new, parts):
    products = lambda a, b, _: a @ b.T
    return best_kernel(products, [(10.0 ** (i / 2),) for i in range(0, 9)], x, y, new, parts)


def kernel(x, y, new, parts):
    median = np.median(pdist(x, "sqeuclidean"))

    def of(a, b, shape):
        near = np.exp(-shape[0] / median * cdist(a, b, "sqeuclidean"))
        return (1 - shape[1]) * a @ b.T / x.shape[1] + shape[1] * near

    shapes = list(itertools.product([0.25, 0.5, 1, 2], [0.5, 0.8, 0.95], [0.03, 0.1, 0.3, 1]))
    return best_kernel(of, shapes, x, y, new, parts)


def best_kernel(of, shapes, x, y, new, parts):
    """Kernel ridge regression; the last of a shape is its penalty. A fold's error follows from products of samples alone."""
    products = y @ y.T

    def error(k, fold, penalty):
        t, v = np.flatnonzero(parts != fold), np.flatnonzero(parts == fold)
        mean = products[:, t].mean(1)
        l = products - mean[:, None] - mean[None, :] + mean[t].mean()
        s = np.linalg.solve(k[np.ix_(t, t)] + penalty * np.eye(len(t)), k[np.ix_(t, v)])
        return np.trace(l[np.ix_(v, v)]) - 2 * np.sum(s * l[np.ix_(t, v)]) + np.sum(s * (l[np.ix_(t, t)] @ s))

    used = [f for f in range(5) if (parts == f).any()]
    errors = []
    for shape in shapes:
        k = of(x, x, shape)
        errors.append(sum(error(k, f, shape[-1]) for f in used))
    chosen = shapes[int(np.argmin(errors))]
    weights = np.linalg.solve(of(x, x, chosen) + chosen[-1] * np.eye(len(x)), y - y.mean(0))
    return of(new, x, chosen) @ weights + y.mean(0), chosen


def sample_lasso(x, y, new, parts):
    def fit(x, y, new, alpha):
        model = Lasso(alpha=alpha, max_iter=2000, tol=1e-3)
        return np.stack([model.fit(x.T, sample).coef_ @ y + model.intercept_ for sample in new])

    return best(fit, ALPHAS, x, y, new, parts)


def best(fit, choices, x, y, new, parts):
    errors = [np.mean([np.mean((fit(x[parts != f], y[parts != f], x[parts == f], c) - y[parts == f]) ** 2)
                       for f in range(5) if (parts == f).any()]) for c in choices]
    chosen = choices[int(np.argmin(errors))]
    return fit(x, y, new, chosen), chosen


def neighbours(x, y, new):
    """Predictions for every k and power, in turn."""
    z = lambda m: (m - m.mean(1, keepdims=True)) / (m.std(1, keepdims=True) + 1e-12)
    r = z(new) @ z(x).T / x.shape[1]
    order = np.argsort(-r, axis=1)
    for k, power in itertools.product(NEIGHBOURS, POWERS):
        near = order[:, : min(k, len(x))]
        weight = np.clip(np.take_along_axis(r, near, 1), 1e-3, None) ** power
        full = np.zeros_like(r)
        np.put_along_axis(full, near, weight / weight.sum(1, keepdims=True), 1)
        yield full @ y


def knn_ensemble(x, y, new, parts):
    errors = np.zeros((len(NEIGHBOURS) * len(POWERS), y.shape[1]))
    for f in range(5):
        if (parts == f).any():
            for i, p in enumerate(neighbours(x[parts != f], y[parts != f], x[parts == f])):
                errors[i] += ((p - y[parts == f]) ** 2).sum(0)
    top = np.argsort(errors, axis=0)[:3]
    total = np.zeros((len(new), y.shape[1]))
    for i, p in enumerate(neighbours(x, y, new)):
        total += p * (top == i).any(0)
    return total / 3, "3 of each gene"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("landmarks")
    parser.add_argument("--size", default="50,100,200,400")
    parser.add_argument("--group-by")
    parser.add_argument("--methods", default="ridge,kernel,sample_lasso,knn_ensemble")
    args = parser.parse_args()
    (train, genes), (test, test_genes) = store(args.train), store(args.test)
    place = {gene: i for i, gene in enumerate(test_genes)}
    shared = [i for i, gene in enumerate(genes) if gene in place]
    test = test[:, [place[genes[i]] for i in shared]]
    train, genes = train[:, shared], [genes[i] for i in shared]
    mean, sd = train.mean(0), train.std(0)
    sd[sd == 0] = 1
    train, test = (train - mean) / sd, (test - mean) / sd
    ranked = [row["gene_id"] for row in table(args.landmarks)]
    at = {gene: i for i, gene in enumerate(genes)}
    targets = np.array([i for i, gene in enumerate(genes) if gene not in set(ranked)])
    parts = folds(args.train, len(train), args.group_by)
    for size in map(int, args.size.split(",")):
        landmarks = [at[gene] for gene in ranked[:size]]
        for name in args.methods.split(","):
            found, chosen = globals()[name](train[:, landmarks], train[:, targets], test[:, landmarks], parts)
            error = np.mean((found - test[:, targets]) ** 2)
            print(f"{args.test}\t{size}\t{name}\t{error:.4f}\t{chosen}", flush=True)


main()
