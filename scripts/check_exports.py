"""Exports a store by every HDF5 writer and reads the files back by the formats' own libraries.

    pip install h5py==3.16.0 anndata==0.12.19 cmapPy==4.0.1 numpy==2.4.6 pandas==2.3.3
    python scripts/check_exports.py GENELIFT STORE...
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from cmapPy.pandasGEXpress.parse_gctx import parse as parse_gctx


def table(path):
    """A table of names as text; the first column is the id."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).set_index(pd.read_csv(path, sep="\t", nrows=0).columns[0])


def same(ours, theirs, what):
    """Two columns are equal as numbers where both are numbers, else as text; nothing stands for an empty field."""
    for a, b in zip(ours, theirs, strict=True):
        b = "" if b is None or (isinstance(b, float) and np.isnan(b)) else b
        if a == "" or isinstance(b, str):
            assert a == b, (what, a, b)
        else:
            # cmapPy reads numbers out of their text and may be off by the last digit.
            assert abs(float(a) - float(b)) <= 1e-15 * abs(float(a)), (what, a, b)


def check(genelift, store, folder):
    matrix = np.load(store / "matrix.npy").astype(np.float32)
    samples, genes = table(store / "samples.tsv"), table(store / "genes.tsv")
    for name in ("x.h5ad", "x.gctx"):
        subprocess.run([genelift, "export", store, "-o", folder / name, "--force"], check=True, capture_output=True)

    adata = anndata.read_h5ad(folder / "x.h5ad")
    assert adata.X.dtype == np.float32 and np.array_equal(adata.X, matrix)
    for frame, ours in ((adata.obs, samples), (adata.var, genes)):
        assert list(frame.index) == list(ours.index) and frame.index.name == ours.index.name
        assert list(frame.columns) == [c.replace("/", "_") for c in ours.columns]
        for column, name in zip(ours.columns, frame.columns):
            same(ours[column], frame[name], column)
    backed = anndata.read_h5ad(folder / "x.h5ad", backed="r")
    assert np.array_equal(backed.X[:2], matrix[:2])
    adata.write_h5ad(folder / "again.h5ad")

    with h5py.File(folder / "x.gctx") as file:
        assert file.attrs["version"] == b"GCTX1.0" and file["0/DATA/0/matrix"].dtype == np.float32
        assert np.array_equal(file["0/DATA/0/matrix"][...], matrix)
    ascii = all(t.map(str.isascii).all().all() and all(map(str.isascii, t.index)) for t in (samples, genes))
    if ascii:
        gctoo = parse_gctx(str(folder / "x.gctx"), make_multiindex=False)
        assert np.array_equal(gctoo.data_df.to_numpy().T, matrix)
        for frame, ours in ((gctoo.col_metadata_df, samples), (gctoo.row_metadata_df, genes)):
            assert list(frame.index) == list(ours.index)
            for column in ours.columns:
                same(ours[column], frame[column.replace("/", "_")], column)
    return f"{matrix.shape[0]} x {matrix.shape[1]}: anndata, h5py{', cmapPy' if ascii else ''} read the same"


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as temporary:
            print(argument, check(sys.argv[1], Path(argument), Path(temporary)))
