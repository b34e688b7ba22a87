"""Reference numbers of src/enrich/: clusterProfiler's `enricher` transcribed, with SciPy's hypergeometric tails. Writes tests/data/enrichment/.

    python scripts/reference_enrichment.py

Every tenth gene of the example matrix against GO's molecular functions, by Entrez id, once with all genes as the universe and once with those
that are in a set. clusterProfiler adjusts over the sets with a hit; here all tested sets count, as the tool has it. q-values are the package
qvalue's with lambda = 0.05, which has pi0 = mean(p >= 0.05)/0.95.
"""

import csv
import gzip
import json
import platform
from pathlib import Path

import numpy as np
import scipy
from scipy.stats import hypergeom

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "data" / "enrichment"
MIN, MAX = 10, 500


def stepped(p, pi0=1.0):
    order = np.argsort(p)[::-1]
    ranks = np.arange(len(p), 0, -1)
    adjusted = np.minimum(1, np.minimum.accumulate(pi0 * p[order] * len(p) / ranks))
    out = np.empty(len(p))
    out[order] = adjusted
    return out


def enricher(panel, universe, sets):
    tested = [(name, words, genes & universe) for name, words, genes in sets]
    tested = [row for row in tested if MIN <= len(row[2]) <= MAX]
    total, chosen = len(universe), len(panel)
    m = np.array([len(genes) for _, _, genes in tested])
    k = np.array([len(genes & panel) for _, _, genes in tested])
    upper, lower = hypergeom(total, m, chosen).sf(k - 1), hypergeom(total, m, chosen).cdf(k)
    expected = chosen * m / total
    z = (k - expected) / np.sqrt(expected * (1 - m / total) * (total - chosen) / (total - 1))
    pi0 = min(1, np.mean(upper >= 0.05) / 0.95)
    columns = [k / m, k / expected, z, upper, stepped(upper), stepped(upper, pi0), lower, stepped(lower)]
    for i, (name, _, _) in enumerate(tested):
        yield [name, f"{k[i]}/{chosen}", f"{m[i]}/{total}", *(repr(float(column[i])) for column in columns)]


def main():
    with gzip.open(ROOT / "examples/brca/expression.csv.gz", "rt") as file:
        ids = next(csv.reader(file))[1:]
    # of `unknown_90288` the import makes no symbol and no Entrez id
    entrez = [name if name.startswith("unknown") else name.rsplit("_", 1)[1] for name in ids]
    with gzip.open(ROOT / "src/enrich/collections/go_mf.entrez.gmt.gz", "rt") as file:
        sets = [(name, words, set(genes)) for name, words, *genes in (line.rstrip("\n").split("\t") for line in file)]
    universe = set(entrez)
    annotated = universe & set().union(*(genes for _, _, genes in sets))
    panel = set(entrez[::10])
    OUT.mkdir(parents=True, exist_ok=True)
    header = "ID GeneRatio BgRatio RichFactor FoldEnrichment zScore pvalue p.adjust qvalue pvalue.lower p.adjust.lower".split()
    for name, among in (("all", universe), ("annotated", annotated)):
        rows = sorted(enricher(panel & among, among, sets), key=lambda row: row[0])
        with gzip.open(OUT / f"{name}.tsv.gz", "wt", newline="") as file:
            csv.writer(file, delimiter="\t", lineterminator="\n").writerows([header, *rows])
    made = {"script": "scripts/reference_enrichment.py", "python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    (OUT / "ORIGIN.json").write_text(json.dumps(made, indent=1) + "\n")


main()
