"""What tests/hdf5.rs compares with: HDF5 files read by the formats' own libraries.

    pip install h5py==3.16.0 anndata==0.12.19 cmapPy==4.0.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
    python scripts/reference_hdf5.py    # makes files and tables in tests/data/hdf5

Tables: reference.tsv has, of every gene and every sample, the sum and the sum of squares (float64, of the float32 values
that a store holds); labels.tsv the columns of names and labels, fields joined by "|".
"""

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from cmapPy.pandasGEXpress.parse_gctx import parse as parse_gctx

HERE = Path(__file__).resolve().parent.parent / "tests" / "data" / "hdf5"
SAMPLES, GENES = 23, 17


# ---- reading, by the owners' libraries: values (samples x genes), frames of samples and of genes ----

def read_h5ad(path, layer):
    adata = anndata.read_h5ad(path)
    if layer == "raw" and "raw" not in adata.layers:
        x, var = adata.raw.X, adata.raw.var
    else:
        x, var = (adata.layers[layer] if layer else adata.X), adata.var
    return x, adata.obs, var


def read_gctx(path, _layer):
    if path.name in ("rows.gctx", "columns.gctx", "whole.gctx"):  # names beyond ASCII, which cmapPy does not read
        with h5py.File(path) as file:
            sides = [{k: text(v) for k, v in file[f"0/META/{side}"].items()} for side in ("COL", "ROW")]
            return file["0/DATA/0/matrix"][...], *(pd.DataFrame(side).set_index("id") for side in sides)
    gctoo = parse_gctx(str(path), make_multiindex=False)
    return gctoo.data_df.to_numpy().T, gctoo.col_metadata_df, gctoo.row_metadata_df


def read_loom(path, layer):
    with h5py.File(path) as file:
        x = file[f"layers/{layer}" if layer else "matrix"][...].T
        sides = [{k: text(v) for k, v in file[s].items()} for s in ("col_attrs", "row_attrs")]
    return x, *(pd.DataFrame(side).set_index(key) for side, key in zip(sides, ("CellID", "Accession")))


def read_10x(path, layer):
    with h5py.File(path) as file:
        group = file[layer or next(iter(file))]
        genes, cells = group["shape"][...]
        x = sp.csc_matrix((group["data"][...], group["indices"][...], group["indptr"][...]), shape=(genes, cells)).T
        if "features" in group:
            var = {k: text(group["features"][k]) for k in ("id", "name", "feature_type", "genome")}
        else:
            var = {"id": text(group["genes"]), "name": text(group["gene_names"])}
        obs = pd.DataFrame(index=text(group["barcodes"]))
    return x, obs, pd.DataFrame(var).rename(columns={"name": "symbol"}).set_index("id")


def text(dataset):
    values = dataset[...] if not h5py.check_string_dtype(dataset.dtype) else dataset.asstr("utf-8")[...]
    return list(values)


READERS = {".h5ad": read_h5ad, ".gctx": read_gctx, ".loom": read_loom, ".h5": read_10x}


def read(path, layer):
    x, obs, var = READERS[path.suffix](path, layer)
    x = (x.toarray() if sp.issparse(x) else np.asarray(x)).astype(np.float32)
    assert x.shape == (len(obs), len(var)), (path, x.shape, len(obs), len(var))
    return x, obs, var


def shown(value):
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, (float, np.floating)):
        return np.format_float_positional(value, trim="-")
    return str(value).strip()


# ---- files of our own ----

def small_matrix(rng, genes=GENES):
    x = rng.poisson(0.7, (SAMPLES, genes)).astype(np.float32) * 1.25
    x[[3, 11, SAMPLES - 1]] = 0  # empty rows, the last among them
    x[:, 5] = 0
    x[0, 0] = -2.5
    return x


def frames(rng, genes=GENES):
    tissue = rng.choice(["Leber", "Milz", "Großhirn", "脾臓"], SAMPLES)
    obs = pd.DataFrame(
        {
            "tissue": pd.Categorical(tissue),
            "age": pd.array([None if i % 5 == 3 else 40 + i for i in range(SAMPLES)], dtype="Int64"),
            "treated": rng.random(SAMPLES) < 0.5,
            "known": pd.array([None if i == 2 else i % 2 == 0 for i in range(SAMPLES)], dtype="boolean"),
            "score": np.where(np.arange(SAMPLES) == 4, np.nan, rng.normal(size=SAMPLES).round(3)),
            "half": rng.normal(size=SAMPLES).astype(np.float32).round(2),
            "plate": rng.integers(-3, 300, SAMPLES).astype(np.int16),
            "note": [f"n° {i}" for i in range(SAMPLES)],
        },
        index=[f"Zelle-{i}é" for i in range(SAMPLES)],
    )
    obs.loc[obs.index[6], "tissue"] = None
    var = pd.DataFrame({"gene_symbol": [f"G{i}α" for i in range(genes)]}, index=[f"ENSG{i:011d}" for i in range(genes)])
    return obs, var


def make_h5ad(rng):
    obs, var = frames(rng)
    x = small_matrix(rng)
    wide = small_matrix(rng, GENES + 2)
    counts = sp.csc_matrix(rng.poisson(0.4, x.shape).astype(np.int64))
    layers = {"counts": counts, "double": rng.normal(size=x.shape)}
    adata = anndata.AnnData(sp.csr_matrix(x), obs=obs, var=var, layers=layers)
    adata.raw = anndata.AnnData(sp.csr_matrix(wide), obs=obs, var=frames(rng, GENES + 2)[1])
    adata.write_h5ad(HERE / "csr.h5ad", compression="gzip")
    bare = pd.DataFrame(index=obs.index)
    anndata.AnnData(sp.csc_matrix(x), obs=bare, var=var).write_h5ad(HERE / "csc.h5ad", compression="lzf")
    # Cut by columns, so that only columns of chunks are cheap; and no filter at all.
    with h5py.File(HERE / "chunks.h5ad", "w") as file:
        def dense(name, data, **kw):
            file.create_dataset(name, data=data, **kw).attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        dense("X", x.astype(">f8"), chunks=(SAMPLES, 3), compression="gzip", shuffle=True, fletcher32=True)
        dense("layers/contiguous", x.astype(np.float16))
        dense("layers/tiles", x * 2, chunks=(5, 4), compression="gzip")
        dense("layers/checked", (x * 4).astype(np.int8), chunks=(7, 17), fletcher32=True)
        blank = file.create_dataset("layers/partly", shape=x.shape, dtype="f4", chunks=(4, 4), fillvalue=1.5)
        blank.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        blank[:4, :4] = x[:4, :4]
        for side, index in (("obs", obs.index), ("var", var.index)):
            group = file.create_group(side)
            group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "names"})
            group.attrs["column-order"] = np.array([], dtype="S1") if side == "obs" else ["gene_symbol"]
            text = file.create_dataset(f"{side}/names", data=list(index), dtype=h5py.string_dtype())
            text.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
        text = file.create_dataset("var/gene_symbol", data=list(var.gene_symbol), dtype=h5py.string_dtype())
        text.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def make_old_h5ad(rng):
    """As AnnData 0.5 and 0.6 wrote it: tables of records, categories in uns, raw.X beside X."""
    x = small_matrix(rng)
    obs = np.zeros(SAMPLES, dtype=[("index", "S8"), ("cluster", "i1"), ("depth", "f4"), ("n", "i8")])
    obs["index"] = [f"cell{i}".encode() for i in range(SAMPLES)]
    obs["cluster"] = rng.integers(0, 3, SAMPLES)
    obs["depth"] = rng.normal(size=SAMPLES).round(2)
    obs["n"] = rng.integers(0, 10**12, SAMPLES)

    def genes(n):
        var = np.zeros(n, dtype=[("index", "S16"), ("symbol", "S6")])
        var["index"] = [f"ENSG{i:011d}".encode() for i in range(n)]
        var["symbol"] = [f"G{i}".encode() for i in range(n)]
        return var

    with h5py.File(HERE / "old.h5ad", "w") as file:
        file["X"], file["obs"], file["var"] = x, obs, genes(GENES)
        file["uns/cluster_categories"] = np.array([b"alpha", b"beta", b"gamma"])
        raw = sp.csr_matrix(small_matrix(rng, GENES + 2))
        group = file.create_group("raw.X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = "csr", raw.shape
        group["data"], group["indices"], group["indptr"] = raw.data, raw.indices, raw.indptr
        file["raw.var"] = genes(GENES + 2)


def make_gctx(rng):
    x = rng.normal(8, 2, (SAMPLES, GENES)).round(2)
    for name, dtype, options in [
        ("rows.gctx", "<f4", dict(chunks=(1, GENES), compression="gzip", compression_opts=9)),
        ("columns.gctx", ">f8", dict(chunks=(SAMPLES, 1), compression="gzip", shuffle=True)),
        ("whole.gctx", "<i2", {}),
    ]:
        with h5py.File(HERE / name, "w", libver=("v110", "v110") if name == "rows.gctx" else None) as file:
            file.attrs["version"] = np.bytes_("GCTX1.0") if name == "rows.gctx" else "GCTX1.0"
            file.create_dataset("0/DATA/0/matrix", data=x.astype(dtype), **options)
            variable = name == "columns.gctx"
            kind = h5py.string_dtype() if variable else h5py.string_dtype("utf-8", 24)
            names = lambda form, n: [form.format(i) if variable else form.format(i).encode() for i in range(n)]
            row, col = file.create_group("0/META/ROW"), file.create_group("0/META/COL")
            row.create_dataset("id", data=names("20{}_at", GENES), dtype=kind)
            row.create_dataset("pr_gene_symbol", data=names("GÉN{}", GENES), dtype=kind)
            row.create_dataset("pr_gene_id", data=np.arange(GENES, dtype=np.int32) + 7)
            col.create_dataset("id", data=names("Probe_{}_µ", SAMPLES), dtype=kind)
            col.create_dataset("dose", data=rng.normal(size=SAMPLES).round(2))


def make_loom(rng):
    with h5py.File(HERE / "small.loom", "w") as file:
        file.create_group("attrs").create_dataset("LOOM_SPEC_VERSION", data="3.0.0", dtype=h5py.string_dtype())
        options = dict(chunks=(GENES, 8), compression="gzip", compression_opts=2, maxshape=(GENES, None))
        file.create_dataset("matrix", data=small_matrix(rng).T, **options)
        file.create_dataset("layers/spliced", data=rng.poisson(2, (GENES, SAMPLES)).astype(np.uint16), **options)
        string = h5py.string_dtype()
        file.create_dataset("row_attrs/Gene", data=[f"G{i % 15}" for i in range(GENES)], dtype=string)  # repeated
        file.create_dataset("row_attrs/Accession", data=[f"ENSMUSG{i:08d}" for i in range(GENES)], dtype=string)
        file.create_dataset("col_attrs/CellID", data=[f"run:{i}ACGT" for i in range(SAMPLES)], dtype=string)
        file.create_dataset("col_attrs/Clusters", data=rng.integers(0, 4, SAMPLES))
        file.create_group("row_graphs"), file.create_group("col_graphs")


def make_two_genomes(rng):
    with h5py.File(HERE / "two_genomes.h5", "w") as file:
        for genome, genes in [("hg19", 9), ("mm10", 5)]:
            x = sp.csc_matrix(rng.poisson(0.6, (genes, SAMPLES)).astype(np.int32))
            group = file.create_group(genome)
            group["data"], group["indices"], group["indptr"] = x.data, x.indices.astype(np.int64), x.indptr.astype(np.int64)
            group["shape"] = np.array(x.shape, dtype=np.int32)
            group["genes"] = np.array([f"{genome}_{i}" for i in range(genes)], dtype="S")
            group["gene_names"] = np.array([f"{genome.upper()}{i}" for i in range(genes)], dtype="S")
            group["barcodes"] = np.array([f"ACGT{i:04d}-1" for i in range(SAMPLES)], dtype="S")


# ---- the tables ----

FILES = [
    ("csr.h5ad", ["", "counts", "double", "raw"]), ("csc.h5ad", [""]), ("old.h5ad", ["", "raw"]),
    ("chunks.h5ad", ["", "contiguous", "tiles", "checked", "partly"]), ("rows.gctx", [""]), ("columns.gctx", [""]),
    ("whole.gctx", [""]), ("small.loom", ["", "spliced"]), ("two_genomes.h5", ["hg19", "mm10"]), ("10x_v2.h5", [""]),
    ("10x_v3.h5", [""]), ("anndata_v0.7.0.h5ad", ["", "array", "sparse", "raw"]), ("mini_gctoo_for_testing_nometa.gctx", [""]),
    ("mini_gctx_with_metadata_n2x3.gctx", [""]), ("modzs_n25x50.gctx", [""]),
]


def tables():
    sums, labels = ["file\tlayer\tside\tid\tsum\tsquares"], ["file\tlayer\tside\tcolumn\tfields"]
    for name, layers in FILES:
        path = HERE / name
        if not path.exists():
            path = HERE.parent / "formats" / name
        for layer in layers:
            x, obs, var = read(path, layer)
            x = x.astype(np.float64)
            for side, frame, values in (("sample", obs, x), ("gene", var, x.T)):
                for key, line in zip(frame.index, values):
                    sums.append(f"{name}\t{layer}\t{side}\t{shown(key)}\t{float(line.sum())!r}\t{float(line @ line)!r}")
                for column in frame.columns if layer == layers[0] else []:
                    fields = "|".join(shown(v) for v in frame[column].to_numpy())
                    labels.append(f"{name}\t{layer}\t{side}\t{column}\t{fields}")
    (HERE / "reference.tsv").write_text("\n".join(sums) + "\n")
    (HERE / "labels.tsv").write_text("\n".join(labels) + "\n")


if __name__ == "__main__":
    random = np.random.default_rng(7)
    for make in (make_h5ad, make_old_h5ad, make_gctx, make_loom, make_two_genomes):
        make(random)
    tables()
