"""Imports by GENELIFT what scanpy and loompy read or write, and compares ids and every value: 10x HDF5 and folders by scanpy's own
readers, and a Loom file that loompy makes of an AnnData file's matrix and layers. Fails where anything differs.

    pip install scanpy==1.11.5 loompy==3.0.8
    python scripts/check_scanpy.py GENELIFT 10X_FILE_OR_FOLDER...
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import loompy
import numpy as np
import pandas as pd
import scanpy


def imported(genelift, path, options=()):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([genelift, "-q", "import", str(path), "-o", f"{folder}/s.gex", *options], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        table = lambda side: pd.read_csv(f"{folder}/s.gex/{side}.tsv", sep="\t", dtype=str, keep_default_na=False).iloc[:, 0]
        return np.load(f"{folder}/s.gex/matrix.npy"), list(table("samples")), list(table("genes"))


def same(name, ours, theirs):
    for a, b, what in zip(ours[1:], theirs[1:], ("samples", "genes")):
        assert a == list(map(str, b)), f"{name}: {what} differ"
    dense = theirs[0].toarray() if hasattr(theirs[0], "toarray") else np.asarray(theirs[0])
    assert np.array_equal(ours[0], dense.astype(np.float32)), f"{name}: values differ"
    print(f"| {name} | {ours[0].shape[0]} × {ours[0].shape[1]} | equal |", flush=True)


def main(genelift, paths):
    print("| read by | samples × genes | ids, values |\n| --- | --- | --- |")
    for path in map(Path, paths):
        reader = scanpy.read_10x_mtx if path.is_dir() else scanpy.read_10x_h5
        data = reader(path, **({"var_names": "gene_ids"} if path.is_dir() else {"gex_only": False}))
        genes = data.var_names if path.is_dir() else data.var["gene_ids"]
        same(f"scanpy.{reader.__name__}: {path.name}", imported(genelift, path), (data.X, data.obs_names, genes))
        with tempfile.TemporaryDirectory() as folder:
            loom = f"{folder}/x.loom"
            spliced = (data.X.T.toarray() // 2).astype(np.float32)
            loompy.create(loom, {"": data.X.T.toarray().astype(np.float32), "spliced": spliced},
                          {"Gene": np.array(genes)}, {"CellID": np.array(data.obs_names)})
            with loompy.connect(loom, "r") as made:
                for layer, options in (("", []), ("spliced", ["--layer", "spliced"])):
                    theirs = (made.layers[layer][:, :].T, made.ca["CellID"], made.ra["Gene"])
                    same(f"loompy: {path.name} as Loom, layer {layer or 'main'}", imported(genelift, loom, options), theirs)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
