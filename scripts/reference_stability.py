"""Reference numbers of src/select/stability.rs. Writes tests/data/selection/stability.json.

* The measure of Nogueira, Sechidis and Brown (2018) and its interval: their `getVarianceofStability` and
  `confidenceIntervals` (github.com/nogueirs/JMLR2018, python/stability), transcribed.
* `stabilityIntersectionMBM` of R's stabm (Bommert and Rahnenfuehrer 2020): its definition, with SciPy's maximum bipartite matching and 20,000
  random pairs for the expectation.
"""

import json
import platform
from itertools import combinations
from pathlib import Path

import numpy as np
import scipy
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.stats import norm

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "selection"


def nogueira(z):
    m, d = z.shape
    share = z.mean(axis=0)
    kbar, k = share.sum(), z.sum(axis=1)
    denominator = (kbar / d) * (1 - kbar / d)
    stability = 1 - (m / (m - 1)) * np.mean(share * (1 - share)) / denominator
    phi = np.array([
        (1 / denominator) * (np.mean(z[i] * share) - (k[i] * kbar) / d**2
                             + (stability / 2) * ((2 * k[i] * kbar) / d**2 - k[i] / d - kbar / d + 1))
        for i in range(m)
    ])
    variance = (4 / m**2) * ((phi - phi.mean()) ** 2).sum()
    half = norm.ppf(0.975) * np.sqrt(variance)
    return stability, stability - half, min(1.0, stability + half)


def shared(a, b, alike):
    only_a, only_b = sorted(set(a) - set(b)), sorted(set(b) - set(a))
    both = len(set(a) & set(b))
    if not only_a or not only_b:
        return both
    graph = csr_matrix(alike[np.ix_(only_a, only_b)].astype(int))
    return both + int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())


def mbm(lists, alike, rng):
    genes, n = len(alike), len(lists[0])
    draws = [shared(rng.choice(genes, n, replace=False), rng.choice(genes, n, replace=False), alike) for _ in range(20_000)]
    expected = np.mean(draws)
    scores = [shared(a, b, alike) for a, b in combinations(lists, 2)]
    return np.mean([(score - expected) / (n - expected) for score in scores])


def case(genes, n, m, block, overlap, rng):
    """Genes in blocks of near copies, but for the last tenth; lists that share some."""
    alike = np.zeros((genes, genes), dtype=bool)
    for first in range(0, genes * 9 // 10 - block, block):
        members = np.arange(first, first + block)
        # a chain: neighbours are alike, the ends of a block are not
        for i, j in combinations(members, 2):
            alike[i, j] = alike[j, i] = abs(i - j) <= 1
    base = rng.choice(genes, n, replace=False)
    lists = []
    for _ in range(m):
        kept = rng.choice(base, overlap, replace=False)
        rest = rng.choice(np.setdiff1d(np.arange(genes), kept), n - overlap, replace=False)
        lists.append([int(gene) for gene in np.concatenate([kept, rest])])
    z = np.zeros((m, genes))
    for i, genes_of in enumerate(lists):
        z[i, genes_of] = 1
    stability, low, high = nogueira(z)
    # in the order of (i, j) with j < i
    order = [shared(lists[i], lists[j], alike) for i in range(m) for j in range(i)]
    copies = [[int(i), int(j)] for i, j in zip(*np.where(np.triu(alike, 1)))]
    return {"genes": genes, "lists": lists, "copies": copies, "nogueira": stability, "low": low, "high": high, "shared": order,
            "mbm": mbm(lists, alike, rng)}


def main():
    rng = np.random.default_rng(20268)
    cases = [case(60, 12, 6, 3, 6, rng), case(200, 30, 5, 7, 10, rng), case(40, 20, 4, 2, 20, rng)]
    made = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
            "script": "scripts/reference_stability.py", "seed": 20268}
    (OUT / "stability.json").write_text(json.dumps({"made": made, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
