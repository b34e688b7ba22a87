"""Uniquenesses of a small factor analysis by scikit-learn, for the test of `diverse`'s penalties.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    python scripts/reference_uniqueness.py tests/data/selection
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import FactorAnalysis

EXAMPLE = Path(__file__).parent.parent / "examples/brca/expression.csv.gz"
SAMPLES, GENES, FACTORS = 400, 24, 3


def main(out):
    with gzip.open(EXAMPLE, "rt", newline="") as file:
        rows = list(csv.reader(file))
    wide = np.array([row[1 : GENES + 1] for row in rows[1 : SAMPLES + 1]], dtype=np.float32).astype(np.float64)
    x = ((wide - wide.mean(axis=0)) / wide.std(axis=0)).astype(np.float32).astype(np.float64)
    fitted = FactorAnalysis(n_components=FACTORS, tol=1e-12, max_iter=200_000, svd_method="lapack").fit(x)
    (out / "uniqueness.json").write_text(json.dumps({
        "made by": "scripts/reference_uniqueness.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scikit-learn": sklearn.__version__},
        "conventions": "the first `samples` rows and `genes` columns of examples/brca/expression.csv.gz, in float32; z-scored in "
                       "float64 (ddof 0), rounded to float32; FactorAnalysis(svd_method='lapack'), to convergence",
        "samples": SAMPLES, "genes": GENES, "factors": FACTORS,
        "noise_variance_": fitted.noise_variance_.tolist(),
    }, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
