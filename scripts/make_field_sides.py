"""Makes tests/data/field/sides: names beside matrices as other tools write them, and what those tools read back.

    pip install -r scripts/requirements.txt && python scripts/make_field_sides.py

numpy 2.4.6, pandas 2.3.3, pyarrow 26.0.1, h5py 3.16.0, anndata 0.12.19, scipy 1.17.1.
`expected.json` holds for each file the ids of samples and genes and the values, row by row, as the owner's library reads them.
"""

import json
import pathlib
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import scipy.io
import scipy.sparse

HERE = pathlib.Path(__file__).parent.parent / "tests/data/field/sides"
GENES = ["TP53", "MYC", "A,B", "EGFR"]
SAMPLES = ["p1", "p2", "p3"]
X = np.arange(12, dtype=float).reshape(3, 4) / 2
expected = {}


def keep(name, samples, genes, values):
    values = np.asarray(values, dtype=float)
    expected[name] = {
        "samples": [str(s) for s in samples],
        "genes": [str(g) for g in genes],
        "values": values.tolist(),
    }


def npz():
    objects = lambda names: np.array(names, dtype=object)
    np.savez(HERE / "objects.npz", X=X, genes=objects(GENES), samples=objects(SAMPLES))
    np.savez_compressed(HERE / "turned.npz", data=X.T, gene_names=np.array(GENES), cells=np.array(SAMPLES, dtype="S"))
    frame = pd.DataFrame(X, SAMPLES, GENES)
    np.savez(HERE / "frame.npz", values=frame.values, index=frame.index, columns=frame.columns)
    m = scipy.sparse.csr_matrix(X)
    np.savez(
        HERE / "sparse.npz", data=m.data, indices=m.indices, indptr=m.indptr, shape=m.shape, format="csr",
        var_names=np.array(GENES), obs_names=np.array(SAMPLES),
    )
    for name, matrix, genes, samples in [
        ("objects.npz", "X", "genes", "samples"),
        ("turned.npz", "data", "gene_names", "cells"),
        ("frame.npz", "values", "columns", "index"),
        ("sparse.npz", None, "var_names", "obs_names"),
    ]:
        read = np.load(HERE / name, allow_pickle=True)
        text = lambda names: [n.decode() if isinstance(n, bytes) else n for n in names]
        values = read[matrix] if matrix else scipy.sparse.load_npz(HERE / name).toarray()
        values = values.T if name == "turned.npz" else values
        keep(name, text(read[samples]), text(read[genes]), values)


def frames():
    plain = pd.DataFrame(X, columns=GENES)
    numbers = plain.set_axis([1001, 1005, 100000007])
    named = plain.set_axis(pd.Index(SAMPLES, name="sample"))
    named.insert(0, "tissue", ["l", "k", "l"])
    texts = plain.copy()
    texts.insert(0, "sample", SAMPLES)
    texts.insert(0, "Unnamed: 0", [0, 1, 2])
    for name, frame in [("counted", plain), ("numbers", numbers), ("named", named), ("saved_twice", texts)]:
        frame.to_parquet(HERE / f"{name}.parquet", index=True)
        table = pa.Table.from_pandas(frame, preserve_index=True)
        pyarrow.feather.write_feather(table, HERE / f"{name}.arrow", compression="uncompressed")
        for read, file in [(pd.read_parquet, f"{name}.parquet"), (pd.read_feather, f"{name}.arrow")]:
            back = read(HERE / file)
            ids = back["sample"] if name == "saved_twice" else back.index
            ids = [f"sample_{i + 1}" for i in back.index] if name == "counted" else ids
            keep(file, ids, GENES, back[GENES].to_numpy())


def anndata06():
    """What AnnData 0.6 wrote: obs and var are tables of records."""
    vlen = h5py.string_dtype("utf-8")
    for name, text in [("vlen.h5ad", vlen), ("fixed.h5ad", "S8"), ("mixed.h5ad", None)]:
        obs_text, var_text = (vlen, "S12") if text is None else (text, text)
        with h5py.File(HERE / name, "w") as file:
            file["X"] = X.astype("f4")
            obs = np.zeros(3, dtype=[("index", obs_text), ("n", "i8"), ("type", "i1"), ("note", obs_text)])
            obs["index"], obs["n"], obs["type"] = SAMPLES, [3, 2, 1], [1, 0, -1]
            obs["note"] = ["a note", "", "one that is much longer than others"[: 8 if obs_text == "S8" else None]]
            var = np.zeros(4, dtype=[("index", var_text)])
            var["index"] = GENES
            file["obs"], file["var"] = obs, var
            file["uns/type_categories"] = np.array(["B", "T"], dtype=object if obs_text == vlen else "S1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            back = anndata.read_h5ad(HERE / name)
        text = lambda names: [n.decode() if isinstance(n, bytes) else n for n in names]
        keep(name, text(back.obs_names), text(back.var_names), back.X)


def triples():
    folder = HERE / "kb"
    folder.mkdir(exist_ok=True)
    scipy.io.mmwrite(folder / "cells_x_genes.mtx", scipy.sparse.coo_matrix(X.astype(int)))
    (folder / "cells_x_genes.genes.txt").write_text("\n".join(GENES) + "\n")
    (folder / "cells_x_genes.barcodes.txt").write_text("\n".join(SAMPLES) + "\n")
    keep("kb", SAMPLES, GENES, scipy.io.mmread(folder / "cells_x_genes.mtx").toarray())


HERE.mkdir(parents=True, exist_ok=True)
npz()
frames()
anndata06()
triples()
(HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
