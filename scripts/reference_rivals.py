"""`facility-location` and `k-medoids` transcribed plainly, without laziness, for their tests.

    pip install numpy==2.4.6
    python scripts/reference_rivals.py tests/data/selection
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parent.parent / "examples/brca/expression.csv.gz"
SAMPLES, GENES = 61, 203
SIZES = [5, 17]


def facility_location(s, n):
    """The gene that raises Σ_i max_j s_ij most, n times; the first of equals."""
    chosen, covered = [], np.zeros(len(s))
    while len(chosen) < n:
        gains = np.maximum(s - covered[:, None], 0).sum(axis=0)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        covered = np.maximum(covered, s[:, chosen[-1]])
    return chosen


def k_medoids(d, start):
    """Alternation to a standstill from `start` (Park & Jun 2009), and the clusters' similarities to their medoids."""
    medoids = list(start)
    while True:
        nearest = d[:, medoids].argmin(axis=1)
        nearest[medoids] = np.arange(len(medoids))
        moved = []
        for place, medoid in enumerate(medoids):
            members = np.flatnonzero(nearest == place)
            cost = d[np.ix_(members, members)].sum(axis=0)
            best = members[cost.argmin()]
            moved.append(medoid if cost[members == medoid][0] <= cost.min() + 1e-12 else int(best))
        if moved == medoids:
            break
        medoids = moved
    scores = [float((1 - d[nearest == place, medoid]).sum()) for place, medoid in enumerate(medoids)]
    order = sorted(range(len(medoids)), key=lambda place: -scores[place])
    return {"genes": [medoids[place] for place in order], "scores": [scores[place] for place in order]}


def main(out):
    with gzip.open(EXAMPLE, "rt", newline="") as file:
        rows = list(csv.reader(file))
    x = np.array([row[1 : GENES + 1] for row in rows[1 : SAMPLES + 1]], dtype=np.float32).astype(np.float64)
    r = np.corrcoef(x, rowvar=False)
    (out / "rivals.json").write_text(json.dumps({
        "made by": "scripts/reference_rivals.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__},
        "conventions": "the first `samples` rows and `genes` columns of examples/brca/expression.csv.gz; numpy.corrcoef; similarity r² "
                       "(facility-location) and distance 1 − |r| (k-medoids, from facility-location's greedy by |r|)",
        "samples": SAMPLES, "genes": GENES,
        "facility-location": facility_location(r**2, 40),
        "k-medoids": {str(n): k_medoids(1 - abs(r), facility_location(abs(r), n)) for n in SIZES},
    }) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
