"""Fits kernel ridge regressions with scikit-learn, for tests/predictors/kernel.rs.

    pip install -r scripts/requirements.txt
    python scripts/reference_kernel.py tests/data/predictors/kernel.json
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.spatial.distance import cdist, pdist
from sklearn.kernel_ridge import KernelRidge
from sklearn.preprocessing import StandardScaler

EXAMPLE = Path(__file__).resolve().parent.parent / "examples/brca/expression.csv.gz"
CASE = dict(samples=83, fitted=71, genes=127, every=5, folds=5, stride=7)
# gamma in units of 1/median squared distance, the Gaussian's share, alpha
SHAPES = [(1.0, 0.8, 0.1), (0.25, 0.5, 0.02), (2.0, 1.0, 0.5), (1.0, 0.0, 1.0), (0.5, 0.95, 0.01)]

CONVENTIONS = (
    "the first `samples` rows and `genes` columns of examples/brca/expression.csv.gz, the first `fitted` of which are fitted on; "
    "landmarks are every `every`-th gene from gene 0, targets the others; StandardScaler by the fitted samples on both; "
    "k = (1 - mixture) x.x'/L + mixture exp(-gamma/median |x - x'|^2); KernelRidge(alpha=penalty, kernel='precomputed'); "
    "cv_error: squared errors summed over targets and held-out samples, fold of sample i = i % folds, targets centred by the "
    "other folds' means; dual: dual_coef_, [targets, samples] row-major, every `stride`-th; predicted: z-scores of the samples not "
    "fitted on, [samples, targets] row-major, every `stride`-th"
)


def kernel(a, b, median, gamma, mixture):
    return (1 - mixture) * (a @ b.T) / a.shape[1] + mixture * np.exp(-gamma / median * cdist(a, b, "sqeuclidean"))


def example(samples, genes):
    """The first rows and columns of the example, as genelift stores them (float32)."""
    with gzip.open(EXAMPLE, "rt", newline="") as file:
        rows = list(csv.reader(file))[1 : samples + 1]
    return np.array([row[1 : genes + 1] for row in rows], dtype=np.float64).astype(np.float32).astype(np.float64)


def digits(values):
    return [float(f"{v:.12g}") for v in values]


def main():
    matrix = example(CASE["samples"], CASE["genes"])
    is_landmark = np.arange(matrix.shape[1]) % CASE["every"] == 0
    n = CASE["fitted"]
    scaled = StandardScaler().fit(matrix[:n]).transform(matrix)
    x, y = scaled[:, is_landmark], scaled[:, ~is_landmark]
    median = np.median(pdist(x[:n], "sqeuclidean"))
    fold = np.arange(n) % CASE["folds"]
    shapes = []
    for gamma, mixture, penalty in SHAPES:
        k = kernel(x, x[:n], median, gamma, mixture)
        error = 0.0
        for held in range(CASE["folds"]):
            t, v = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
            mean = y[t].mean(0)
            model = KernelRidge(alpha=penalty, kernel="precomputed").fit(k[np.ix_(t, t)], y[t] - mean)
            error += np.sum((model.predict(k[np.ix_(v, t)]) + mean - y[v]) ** 2)
        model = KernelRidge(alpha=penalty, kernel="precomputed").fit(k[:n], y[:n])
        shapes.append(dict(
            gamma=gamma, mixture=mixture, penalty=penalty, cv_error=error,
            dual=digits(model.dual_coef_.T.ravel()[:: CASE["stride"]]),
            predicted=digits(model.predict(k[n:]).ravel()[:: CASE["stride"]]),
        ))
    versions = dict(numpy=np.__version__, scipy=scipy.__version__, sklearn=sklearn.__version__)
    out = dict(script="scripts/reference_kernel.py", versions=versions, conventions=CONVENTIONS, **CASE, median=median, shapes=shapes)
    Path(sys.argv[1]).write_text(json.dumps(out, indent=1) + "\n")


main()
