"""Reference numbers of the figures and tests in src/evaluate, by NumPy, SciPy and scikit-learn. Writes tests/data/statistics."""

import platform

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.metrics import r2_score

from reference import ROOT, write_json

OUT = ROOT / "tests" / "data" / "statistics"


def number(x):
    """None for what is not defined."""
    return None if not np.isfinite(x) else float(x)


def paired(name, a, b):
    """Both tests with SciPy's defaults."""
    difference = a - b
    t, w = stats.ttest_rel(a, b), stats.wilcoxon(a, b)
    ranks = stats.rankdata(np.abs(difference[difference != 0]))
    signs = np.sign(difference[difference != 0])
    return {
        "name": name, "a": a.tolist(), "b": b.tolist(), "t": number(t.statistic), "t_p": number(t.pvalue),
        "d": number(difference.mean() / difference.std(ddof=1)), "w": number(w.statistic), "w_p": number(w.pvalue),
        "rank_biserial": number((ranks * signs).sum() / ranks.sum()),
    }


def main():
    rng = np.random.default_rng(20211)
    cases = []
    for n in (3, 7, 13, 14, 50, 51, 400):
        a = rng.normal(size=n)
        cases.append(paired(f"normal, {n}", a, a + rng.normal(0.2, 1, size=n)))
    for n in (5, 13, 14, 60):
        a = rng.integers(0, 6, size=n).astype(float)
        cases.append(paired(f"ties and zeros, {n}", a, a + rng.integers(-2, 4, size=n)))
    a = rng.normal(size=300)
    cases.append(paired("far apart", a, a + rng.normal(4, 1, size=300)))
    cases.append(paired("heavy tails", rng.standard_cauchy(200), rng.standard_cauchy(200)))
    cases.append(paired("one sign", np.arange(20.0), np.arange(20.0) + 1 + np.arange(20.0) / 7))

    samples, genes = 17, 60
    x = rng.normal(7, 1, size=(samples, genes)).astype(np.float32)
    y = (x + rng.normal(0, 1, size=x.shape) * np.linspace(0.1, 4, genes)).astype(np.float32)
    x[:, 5], y[:, 11] = 3, 4
    x64, y64 = x.astype(np.float64), y.astype(np.float64)
    defined = [g for g in range(genes) if np.ptp(x[:, g]) > 0 and np.ptp(y[:, g]) > 0]
    # every gene whose measured values vary competes, also where its inferred ones do not
    competing = [g for g in range(genes) if np.ptp(x[:, g]) > 0]
    above = {}
    for g in defined:
        r = {k: np.corrcoef(x64[:, k], y64[:, g])[0, 1] for k in competing}
        above[g] = int(sum(r[k] > r[g] for k in competing if k != g))
    figures = {
        "measured": x.astype(float).tolist(), "inferred": y.astype(float).tolist(),
        "mae": np.abs(y64 - x64).mean(axis=0).tolist(), "mse": ((y64 - x64) ** 2).mean(axis=0).tolist(),
        "r2": [number(r2_score(x64[:, g], y64[:, g])) if np.ptp(x[:, g]) > 0 else None for g in range(genes)],
        "pcc": [number(stats.pearsonr(x64[:, g], y64[:, g])[0]) if g in above else None for g in range(genes)],
        "sample_mae": np.abs(y64 - x64).mean(axis=1).tolist(),
        "sample_pcc": [stats.pearsonr(x64[s], y64[s])[0] for s in range(samples)],
        "above": [above.get(g) for g in range(genes)],
    }
    OUT.mkdir(parents=True, exist_ok=True)
    made = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__, "script": "scripts/reference_statistics.py", "seed": 20211}
    write_json(OUT / "paired.json", {"made": made, "cases": cases})
    write_json(OUT / "figures.json", {"made": made, **figures})


if __name__ == "__main__":
    main()
