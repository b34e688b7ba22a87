"""Selections on the example by plain NumPy and SciPy, for tests of the recursions.

    pip install -r scripts/requirements.txt
    python scripts/reference_selection.py tests/data/selection
"""

import sys
from pathlib import Path

import numpy as np
import scipy
import scipy.linalg

import reference

SAMPLES, GENES = 61, 203
COMPONENTS = 40

CONVENTIONS = {
    "data": "the first `samples` rows and `genes` columns of examples/brca/expression.csv.gz, in float32; z-scored in "
            "float64 (ddof 0), rounded to float32",
    "css": "each step takes the column that leaves the smallest squared error of all columns on the span of the columns "
           "taken, by numpy.linalg.lstsq anew; score: the share of the total squared norm that it adds",
    "css-included": "the same after the genes `include`, which are taken first, in the order of what they add",
    "pca": "scipy.linalg.qr(numpy.linalg.svd(X)[2][:components], pivoting=True): pivots and |diagonal of R|",
}


def explained(x, chosen):
    columns = x[:, chosen]
    return ((columns @ np.linalg.lstsq(columns, x, rcond=None)[0]) ** 2).sum() / (x**2).sum()


def css(x, steps, include=()):
    chosen, shares, before = [], [], 0.0
    for step in range(steps):
        pool = include if step < len(include) else range(x.shape[1])
        gains = {j: explained(x, chosen + [j]) for j in pool if j not in chosen}
        best = max(gains, key=gains.get)
        chosen.append(best)
        shares.append(gains[best] - before)
        before = gains[best]
    return {"genes": chosen, "scores": shares}


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    matrix, _, _ = reference.example(SAMPLES, GENES)
    wide = matrix.astype(np.float64)
    x = ((wide - wide.mean(axis=0)) / wide.std(axis=0)).astype(np.float32).astype(np.float64)
    right = np.linalg.svd(x, full_matrices=False)[2][:COMPONENTS]
    _, r, pivots = scipy.linalg.qr(right, mode="economic", pivoting=True)
    include = [201, 5, 77]
    reference.write_json(out / "manifest.json", {
        "made by": "scripts/reference_selection.py",
        "versions": reference.versions(scipy=scipy.__version__),
        "conventions": CONVENTIONS,
        "samples": SAMPLES, "genes": GENES, "components": COMPONENTS, "include": include,
        "css": css(x, 50),
        "css-included": css(x, 20, include),
        "pca": {"genes": pivots[:COMPONENTS].tolist(), "scores": np.abs(np.diag(r)).tolist()},
    })


if __name__ == "__main__":
    main(Path(sys.argv[1]))
