"""Imports whole data sets by GENELIFT and compares shape, ids, every value, and each gene's sum and sum of squares with what the
formats' own libraries read: h5py, anndata, cmapPy, pandas, SciPy. Prints a table; fails where anything differs.

    pip install h5py==3.16.0 anndata==0.12.19 cmapPy==4.0.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
    python scripts/check_datasets.py GENELIFT FILE[:LAYER] | DIRECTORY...    (of a directory, every file in it)
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import anndata
import numpy as np
import pandas as pd
import scipy.io
from cmapPy.pandasGEXpress.parse_gct import parse as parse_gct

import reference_hdf5

OPTIONS = {"krumsiek11.txt": ["--orientation", "samples-by-genes", "--unique-names"]}


def read(path, layer):
    """Values (samples x genes), ids of samples, ids of genes; by the format's own library."""
    if path.is_dir():
        ids = [pd.read_csv(path / f"{side}.tsv.gz", sep="\t", header=None)[0] for side in ("barcodes", "features")]
        return scipy.io.mmread(path / "matrix.mtx.gz").toarray().T, *ids
    if path.suffix in reference_hdf5.READERS:
        x, obs, var = reference_hdf5.read(path, layer)
        return x, obs.index, var.index
    if path.suffix == ".gct":
        frame = parse_gct(str(path)).data_df.T
    elif path.name == "krumsiek11.txt":
        adata = anndata.io.read_text(path, first_column_names=True)
        adata.obs_names_make_unique()
        frame = adata.to_df()
    else:
        frame = pd.read_csv(path, index_col=0)
    return frame.to_numpy(), frame.index, frame.columns


def imported(genelift, path, layer):
    """What is in the store, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        command = [genelift, "import", str(path), "-o", f"{folder}/s.gex", "--missing", "zero", *OPTIONS.get(path.name, [])]
        run = subprocess.run(command + (["--layer", layer] if layer else []), capture_output=True, text=True)
        if run.returncode != 0:
            return None, run.stderr.strip().splitlines()[-1]
        table = lambda side: pd.read_csv(f"{folder}/s.gex/{side}.tsv", sep="\t", dtype=str, keep_default_na=False).iloc[:, 0]
        return np.load(f"{folder}/s.gex/matrix.npy"), [list(table("samples")), list(table("genes"))]


def compare(genelift, path, layer):
    name = path.name + (f":{layer}" if layer else "")
    ours, ids = imported(genelift, path, layer)
    if ours is None:
        assert path.suffix == ".h5ad" and anndata.read_h5ad(path).X is None, ids
        print(f"| {name} | refused: {ids.replace(str(path), path.name)} | | | |")
        return
    theirs, *their_ids = read(path, layer)
    theirs = np.asarray(theirs).astype(np.float32)
    theirs = np.where(np.isfinite(theirs) & ~((path.suffix in (".gctx", ".gct")) & (theirs == -666)), theirs, 0)
    assert ids == [[reference_hdf5.shown(i) for i in side] for side in their_ids], f"{name}: ids differ"
    assert ours.shape == theirs.shape and np.array_equal(ours, theirs), f"{name}: values differ"
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    for figure in (lambda x: x.sum(axis=0), lambda x: (x * x).sum(axis=0)):
        np.testing.assert_allclose(figure(a), figure(b), rtol=1e-12, err_msg=name)
    print(f"| {name} | {ours.shape[0]} × {ours.shape[1]} | equal | {a.sum():.6g} | {(a * a).sum():.6g} |", flush=True)


if __name__ == "__main__":
    print("| file | samples × genes | ids, values, sums by gene | sum | sum of squares |\n| --- | --- | --- | --- | --- |")
    for argument in sys.argv[2:]:
        name, _, layer = argument.partition(":")
        path = Path(name)
        whole = path.is_dir() and not any(path.glob("matrix.mtx*"))
        for file in sorted(path.iterdir()) if whole else [path]:
            compare(sys.argv[1], file, layer)
