"""Reference numbers of src/cluster/: SciPy's trees and scikit-learn's indices on the example. Writes tests/data/clustering/reference.json.

    python scripts/reference_clustering.py

The first 120 patients and 200 genes of the example matrix, z-scored by gene in float32 as the tool keeps them, against PAM50 (blank for every
seventh patient, as if it were not known).
"""

import csv
import gzip
import json
import platform
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

ROOT = Path(__file__).resolve().parent.parent
SAMPLES, GENES, NEIGHBOURS = 120, 200, 5


def main():
    with gzip.open(ROOT / "examples/brca/expression.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1 : SAMPLES + 1]
    with open(ROOT / "examples/brca/pam50.csv") as file:
        pam50 = {row[0]: row[1] for row in list(csv.reader(file))[1:]}
    labels = np.array(["" if i % 7 == 3 else pam50[row[0]] for i, row in enumerate(rows)])
    x = np.array([[np.float32(v) for v in row[1 : GENES + 1]] for row in rows]).astype(float)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32).astype(float)
    known = labels != ""
    classes = len(set(labels[known]))
    out = {"labels": list(labels), "classes": classes}
    for metric in ("euclidean", "correlation"):
        condensed = pdist(x, metric)
        square = squareform(condensed)
        own = square[np.ix_(known, known)]
        nearest = KNeighborsClassifier(NEIGHBOURS, metric="precomputed")
        # each left out in turn: its neighbours are among the others
        right = cross_val_score(nearest, own, labels[known], cv=LeaveOneOut())
        of = {"silhouette": silhouette_score(own, labels[known], metric="precomputed"), "neighbours": float(right.mean())}
        for method in ("ward", "average", "complete"):
            if metric == "correlation" and method == "ward":
                continue
            tree = linkage(condensed, method)
            clusters = fcluster(tree, classes, "maxclust")
            of[method] = {
                "merges": [[min(a, b), max(a, b), height] for a, b, height, _ in tree.tolist()],
                "rand": adjusted_rand_score(labels[known], clusters[known]),
                "information": normalized_mutual_info_score(labels[known], clusters[known]),
            }
        out[metric] = of
    scores = PCA(10, svd_solver="full").fit_transform(x)
    out["components"] = [scores[:, i].tolist() for i in range(3)]
    out["k_means_inertia"] = min(KMeans(classes, n_init=50, random_state=i).fit(x).inertia_ for i in range(4))
    made = {"script": "scripts/reference_clustering.py", "python": platform.python_version(), "numpy": np.__version__}
    out["made"] = {**made, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}
    path = ROOT / "tests/data/clustering/reference.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(out) + "\n")


main()
