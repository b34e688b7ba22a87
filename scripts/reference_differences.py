"""Reference numbers of src/evaluate/differences.rs and by_unit.rs, by SciPy and NumPy. Writes tests/data/statistics/differences.json."""

import json
import platform
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "statistics"


def flips(d):
    """The exact test of all patterns of signs."""
    test = stats.permutation_test((d,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples",
                                  n_resamples=np.inf, vectorized=True)
    return float(test.pvalue)


def corrected(d, ratio):
    """Nadeau and Bengio (2003), section 4: the variance of the mean over J splits is (1/J + test/train) times that between splits."""
    j = len(d)
    t = d.mean() / np.sqrt((1 / j + ratio) * d.var(ddof=1))
    half = stats.t.ppf(0.975, j - 1) * abs(d.mean() / t)
    return {"t": t, "p": 2 * stats.t.sf(abs(t), j - 1), "low": d.mean() - half, "high": d.mean() + half}


def held_out(d):
    """Groups held out in turn: to 1/G training adds 1/(G - 1), or 6/G² where that is less."""
    g = len(d)
    return corrected(d, min(1 / (g - 1), 6 / g**2))


def jackknife(x, y, per_variance, group):
    """What each sample and each group adds, by leaving samples out one by one."""
    n, genes = x.shape
    r = lambda a, b: 0.0 if np.ptp(b) == 0 else np.corrcoef(a, b)[0, 1]
    varies = [g for g in range(genes) if np.ptp(x[:, g]) > 0]
    whole = np.mean([r(x[:, g], y[:, g]) for g in varies])
    out = []
    for s in range(n):
        keep = np.arange(n) != s
        out.append(n * whole - (n - 1) * np.mean([r(x[keep, g], y[keep, g]) for g in varies]))
    known = per_variance > 0
    nmse = ((x - y) ** 2 * per_variance)[:, known].mean(axis=1)
    within = []
    for k in range(group.max() + 1):
        a, b = x[group == k], y[group == k]
        inside = [g for g in range(genes) if np.ptp(a[:, g]) > 0]
        r2 = [1 - ((a[:, g] - b[:, g]) ** 2).sum() / ((a[:, g] - a[:, g].mean()) ** 2).sum() for g in inside]
        few = len(a) < 3
        within.append({"nmse": nmse[group == k].mean(), "mae": np.abs(a - b).mean(),
                       "pcc": None if few else np.mean([r(a[:, g], b[:, g]) for g in inside]),
                       "r2": None if few else float(np.median(r2))})
    return {"nmse": nmse.tolist(), "mae": np.abs(x - y).mean(axis=1).tolist(), "pcc": out, "groups": within}


def main():
    rng = np.random.default_rng(15371)
    cases = []
    for n in (3, 6, 12, 18):
        d = rng.normal(0.4, 1, size=n)
        test = stats.ttest_1samp(d, 0)
        low, high = test.confidence_interval(0.95)
        cases.append({"d": d.tolist(), "t": test.statistic, "p": test.pvalue, "low": low, "high": high, "flips_p": flips(d),
                      "held_out": held_out(d), "corrected": corrected(d, 0.25)})
    d = np.array([1.0, 1, -1, 2, 2, 3])  # ties
    cases.append({"d": d.tolist(), "t": stats.ttest_1samp(d, 0).statistic, "p": stats.ttest_1samp(d, 0).pvalue,
                  "low": stats.ttest_1samp(d, 0).confidence_interval().low, "high": stats.ttest_1samp(d, 0).confidence_interval().high,
                  "flips_p": flips(d), "held_out": held_out(d), "corrected": corrected(d, 0.25)})
    x = rng.normal(7, 1, size=(11, 5)).astype(np.float32).astype(float)
    y = (x + rng.normal(0, 0.7, size=x.shape)).astype(np.float32).astype(float)
    x[:, 3], y[:, 4] = 6.5, 7.25
    group = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 1, 3])
    per_variance = np.array([1.5, 0.5, 2.0, 0.0, 1.0])
    unit = {"x": x.tolist(), "y": y.tolist(), "group": group.tolist(), "per_variance": per_variance.tolist(),
            **jackknife(x, y, per_variance, group)}
    made = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
            "script": "scripts/reference_differences.py", "seed": 15371}
    text = json.dumps({"made": made, "cases": cases, "unit": unit}, indent=1)
    (OUT / "differences.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
