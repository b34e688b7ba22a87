"""Measures published rivals of networks, and a penalty for each target, beside ridge and kernel ridge: docs/predictors.md.

    python scripts/rival_predictors.py TRAIN.gex TEST.gex LANDMARKS.tsv [--size 50,100] [--group-by COLUMN]

SampleLASSO (Mancuso et al. 2020): a lasso of each new sample's landmarks on those of the training samples, whose coefficients then
carry the targets over. KNN: the k training samples of highest correlation over landmarks, weighted by a power of it, k and power chosen
by gene, the best three of each gene averaged (as in the CMap inference contest; Blasco et al. 2019). Hyperparameters by
five folds (of groups where there are); genes z-scored by the training samples; what is printed is the mean squared error over
the training variance, over all genes that are no landmark, and how much more that is than the first method's, in per cent, with its
standard error from the test samples (or groups). Needs NumPy, SciPy and scikit-learn.

Penalties by target: `ridge_by_target` takes for each target the penalty of least error in the folds, `ridge_by_half` after adding half the
mean curve of all targets to its own, `ridge_by_group` one for each tenth of the targets by their error; `kernel_by_…` likewise, with the width and mixture that are best for
all together.
"""

import argparse
import csv
import itertools

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.linear_model import Lasso

ALPHAS = [0.01, 0.03, 0.1, 0.2, 0.3, 0.5]
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


def ridge(x, y, new, parts, rule=None):
    products = lambda a, b, _: a @ b.T
    return best_kernel(products, [(10.0 ** (i / 2),) for i in range(0, 9)], x, y, new, parts, rule)


def kernel(x, y, new, parts, rule=None):
    median = np.median(pdist(x, "sqeuclidean"))

    def of(a, b, shape):
        near = np.exp(-shape[0] / median * cdist(a, b, "sqeuclidean"))
        return (1 - shape[1]) * a @ b.T / x.shape[1] + shape[1] * near

    shapes = list(itertools.product([0.25, 0.5, 1, 2], [0.5, 0.8, 0.95], [0.03, 0.1, 0.3, 1]))
    return best_kernel(of, shapes, x, y, new, parts, rule)


def by_target(curves):
    return curves.argmin(0)


def by_half(curves):
    """Each target's curve (penalties × targets) with half of all targets' added: one that says little follows the others."""
    return (curves / 2 + curves.mean(1, keepdims=True) / 2).argmin(0)


def by_group(curves):
    tenths = np.argsort(np.argsort(curves.min(0))) * 10 // curves.shape[1]
    return np.array([curves[:, tenths == t].mean(1).argmin() for t in range(10)])[tenths]


def rules(method):
    return {f"{method.__name__}_{rule.__name__}": lambda *data, rule=rule: method(*data, rule) for rule in (by_target, by_half, by_group)}


def penalty_by(rule, of, shape, x, y, new, parts):
    """Kernel ridge regression with a penalty for each target, by `rule` from the folds' errors."""
    penalties = shape[-1] * 10.0 ** (np.arange(-6, 7) / 4)

    def solved(train, held, y):
        values, vectors = np.linalg.eigh(of(train, train, shape))
        left, right = of(held, train, shape) @ vectors, vectors.T @ (y - y.mean(0))
        return ((left / (values + penalty)) @ right + y.mean(0) for penalty in penalties)

    curves = np.zeros((len(penalties), y.shape[1]))
    for f in np.unique(parts):
        t, v = parts != f, parts == f
        for curve, found in zip(curves, solved(x[t], x[v], y[t])):
            curve += ((found - y[v]) ** 2).sum(0)
    chosen, out = rule(curves), np.zeros((len(new), y.shape[1]))
    for i, found in enumerate(solved(x, new, y)):
        out[:, chosen == i] = found[:, chosen == i]
    return out, shape + tuple(np.bincount(chosen, minlength=len(penalties)).tolist())


def best_kernel(of, shapes, x, y, new, parts, rule):
    """Kernel ridge regression; the last of a shape is its penalty. A fold's error follows from products of samples alone."""
    products = y @ y.T

    def error(k, fold, penalty):
        t, v = np.flatnonzero(parts != fold), np.flatnonzero(parts == fold)
        mean = products[:, t].mean(1)
        l = products - mean[:, None] - mean[None, :] + mean[t].mean()
        s = np.linalg.solve(k[np.ix_(t, t)] + penalty * np.eye(len(t)), k[np.ix_(t, v)])
        return np.trace(l[np.ix_(v, v)]) - 2 * np.sum(s * l[np.ix_(t, v)]) + np.sum(s * (l[np.ix_(t, t)] @ s))

    def best_of(shapes):
        ks = (of(x, x, shape) for shape in shapes)
        errors = [sum(error(k, f, shape[-1]) for f in np.unique(parts)) for k, shape in zip(ks, shapes)]
        return shapes[int(np.argmin(errors))]

    # the penalty's grid is refined around its best: without that, what a finer grid gains is taken for a gain of other things
    coarse = best_of(shapes)
    chosen = best_of([coarse[:-1] + (coarse[-1] * 10.0 ** (k / 8),) for k in range(-3, 4)])
    if rule:
        return penalty_by(rule, of, chosen, x, y, new, parts)
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


METHODS = {f.__name__: f for f in (ridge, kernel, sample_lasso, knn_ensemble)} | rules(ridge) | rules(kernel)


def more(errors, first, groups):
    """How much more `errors` of samples are than `first`, in per cent, and its standard error, from samples or groups."""
    names = np.unique(groups)
    by_group = np.array([(errors - first)[groups == name].mean() for name in names])
    spread = by_group.std(ddof=1) / len(names) ** 0.5 if len(names) > 1 else np.nan
    return f"{100 * np.mean(errors - first) / first.mean():+.2f}\t{100 * spread / first.mean():.2f}"


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
    groups = np.array([row[args.group_by] for row in table(f"{args.test}/samples.tsv")]) if args.group_by else np.arange(len(test))
    methods = args.methods.split(",")
    for size in map(int, args.size.split(",")):
        landmarks = [at[gene] for gene in ranked[:size]]
        for name in methods:
            found, chosen = METHODS[name](train[:, landmarks], train[:, targets], test[:, landmarks], parts)
            errors = ((found - test[:, targets]) ** 2).mean(1)
            first = errors if name == methods[0] else first
            print(f"{args.test}\t{size}\t{name}\t{errors.mean():.4f}\t{more(errors, first, groups)}\t{chosen}", flush=True)


main()
