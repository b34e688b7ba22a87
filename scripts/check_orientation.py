"""Writes one matrix both ways round by pandas, pyarrow, NumPy and SciPy, under names of several kinds, imports each file by GENELIFT
and compares shape, ids and every value with what the libraries read back; fails where anything differs.

    pip install numpy==2.4.6 pandas==2.3.3 pyarrow==26.0.1 scipy==1.17.1
    python scripts/check_orientation.py GENELIFT
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse

GENES = {
    "Ensembl": lambda i: f"ENSG{141510 + 7 * i:011}.{i % 5 + 1}",
    "DepMap": lambda i: f"{'QWERTYUIOP'[i % 10]}{'ASDFG'[i % 5]}A{i} ({97 * i + 31})",
    "mouse": lambda i: ["Actb", "Gapdh", "Trp53", "Xkr4", "Sox17"][i] if i < 5 else f"{'QWERTYUIOP'[i % 10].lower().title()}x{i}",
    "Illumina": lambda i: f"ILMN_{1762000 + 7 * i}",
}
SAMPLES = {
    "barcodes": lambda i: "".join("ACGT"[(i * 7919 + 5 >> 2 * (p % 8)) % 4] for p in range(16)) + "-1",
    "unknown": lambda i: "abcdefghijklmnopqrstuvwxyz"[i % 26] * (i // 26 + 1),
}
READ = {
    ".csv": lambda path: pd.read_csv(path, index_col=0),
    ".parquet": pd.read_parquet,
    ".feather": lambda path: pd.read_feather(path).set_index("index"),
}


def write(frame, path):
    if path.suffix == ".csv":
        frame.to_csv(path)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, compression="snappy")
    else:
        frame.rename_axis("index").reset_index().to_feather(path, compression="lz4")


def imported(genelift, path):
    """Values, ids of samples and of genes, and what was said."""
    store = path.parent / "s.gex"
    command = [genelift, "import", str(path), "-o", str(store), "--force"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    ids = [list(pd.read_csv(store / f"{side}.tsv", sep="\t", dtype=str).iloc[:, 0]) for side in ("samples", "genes")]
    return np.load(store / "matrix.npy"), ids, run.stderr


def named(genelift, folder):
    for (kind, gene), (cells, sample) in ((g, s) for g in GENES.items() for s in SAMPLES.items()):
        x = np.random.default_rng(7).normal(size=(31, 23)).astype(np.float32)
        frame = pd.DataFrame(x, [sample(i) for i in range(31)], [gene(i) for i in range(23)])
        for turned in (False, True):
            for suffix, read in READ.items():
                path = folder / f"x{suffix}"
                write(frame.T if turned else frame, path)
                theirs = read(path).T if turned else read(path)
                ours, ids, said = imported(genelift, path)
                rows = f"{(23, 31)[not turned]} × {(31, 23)[not turned]}, rows are {'genes' if turned else 'samples'}"
                assert ids == [list(theirs.index), list(theirs.columns)] and rows in said, (kind, cells, suffix, said)
                assert np.array_equal(ours, theirs.to_numpy(np.float32)), (kind, cells, suffix)
        print(f"| {kind}, {cells} | equal |")


def unnamed(genelift, folder):
    x = np.random.default_rng(7).normal(size=(23, 31)).astype(np.float32)
    for name, array in (("C", np.ascontiguousarray(x)), ("Fortran", np.asfortranarray(x))):
        np.save(folder / "x.npy", array)
        ours, _, said = imported(genelift, folder / "x.npy")
        assert np.array_equal(ours, np.load(folder / "x.npy")) and "23 × 31, rows are samples" in said, said
        print(f"| NumPy, {name} order | equal |")
    for name in ("csr", "csc"):
        scipy.sparse.save_npz(folder / "x.npz", getattr(scipy.sparse, f"{name}_matrix")(np.where(x > 0, x, 0)))
        ours, _, said = imported(genelift, folder / "x.npz")
        theirs = scipy.sparse.load_npz(folder / "x.npz").toarray()
        assert np.array_equal(ours, theirs) and "23 × 31, rows are samples" in said, said
        print(f"| SciPy, {name} | equal |")


if __name__ == "__main__":
    print("| names | ids and values |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as place:
        named(sys.argv[1], Path(place))
        unnamed(sys.argv[1], Path(place))
