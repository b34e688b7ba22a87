"""Makes the files of tests/data/field that other programs write in containers: workbooks, packed Parquet, h5mu, HDF5 behind
filters, ARCHS4. What pandas, anndata, mudata and pyarrow read from them is asserted here; tests/field/containers.rs asserts the same.

    pip install pandas==2.3.3 openpyxl==3.1.5 odfpy==1.4.1 xlwt==1.3.0 h5py==3.16.0 hdf5plugin==7.1.0 anndata==0.12.19 \
        mudata==0.3.10 pyarrow==26.0.1 polars==2.1.0 numpy==2.4.6 scipy==1.17.1
    python scripts/reference_containers.py tests/data/field
"""

import datetime
import gzip
import sys
from pathlib import Path

import anndata
import h5py
import hdf5plugin
import mudata
import numpy
import openpyxl
import pandas
import polars
import scipy.sparse
import xlwt

out = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/field")
GENES = ["TP53", "EGFR", "GAPDH", "MYC", "BRCA1"]
SAMPLES = ["s1", "s2", "s3", "s4"]


def value(sample, gene):
    """The value that every file holds: exact in single precision."""
    return sample * 8 + gene + 0.25


X = numpy.array([[value(s, g) for g in range(len(GENES))] for s in range(len(SAMPLES))], dtype="float32")
frame = pandas.DataFrame(X, index=pandas.Index(SAMPLES, name="sample"), columns=GENES)


def pack(path):
    """HDF5 is mostly padding, and files of any format are read packed."""
    with open(f"{path}.gz", "wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed:
        packed.write(path.read_bytes())
    path.unlink()


def by_genes():
    """Genes in rows, as most workbooks have them."""
    return frame.T.rename_axis("gene")


def workbooks():
    book = openpyxl.Workbook()
    notes = book.active
    notes.title = "Read me"
    notes["A1"] = "made up"
    sheet = book.create_sheet("Expression")
    sheet.append(["gene", *SAMPLES])
    for g, gene in enumerate(GENES):
        sheet.append([gene, *[float(X[s, g]) for s in range(len(SAMPLES))]])
    book.save(out / "two_sheets.xlsx")
    read = pandas.read_excel(out / "two_sheets.xlsx", sheet_name="Expression", index_col=0)
    assert (read.T.to_numpy("float32") == X).all() and list(read.index) == GENES

    # A table that begins at B3, with dates where genes were and an error among the values.
    book = openpyxl.Workbook()
    sheet = book.active
    names = [datetime.datetime(2024, 9, 2), datetime.datetime(2024, 3, 1), *GENES[2:]]
    for s, sample in enumerate(SAMPLES):
        sheet.cell(3, 3 + s, sample)
    sheet.cell(3, 2, "gene")
    for g, name in enumerate(names):
        cell = sheet.cell(4 + g, 2, name)
        if g < 2:
            cell.number_format = "d-mmm"
        for s in range(len(SAMPLES)):
            sheet.cell(4 + g, 3 + s, float(X[s, g]))
    book.save(out / "dates.xlsx")

    by_genes().to_excel(out / "sheet.ods", engine="odf")
    book = xlwt.Workbook()
    sheet = book.add_sheet("Expression")
    for c, sample in enumerate(["gene", *SAMPLES]):
        sheet.write(0, c, sample)
    for g, gene in enumerate(GENES):
        sheet.write(1 + g, 0, gene)
        for s in range(len(SAMPLES)):
            sheet.write(1 + g, 1 + s, float(X[s, g]))
    book.save(str(out / "sheet.xls"))


def packed_parquet():
    for packing in ["zstd", "lz4", "gzip", "brotli"]:
        frame.to_parquet(out / f"packed_{packing}.parquet", compression=packing, engine="pyarrow")
    frame.to_parquet(out / "packed_zstd_v2.parquet", compression="zstd", data_page_version="2.0", use_dictionary=False)
    table = polars.from_pandas(frame.reset_index())
    table.write_parquet(out / "packed_polars.parquet")
    assert polars.read_parquet(out / "packed_polars.parquet").equals(table)


def annotated(x=X):
    """As AnnData; `x` may be larger."""
    n, genes = x.shape
    var = pandas.DataFrame({"gene_symbol": [f"GENE{i}" for i in range(genes)]}, index=[f"ENSG{i:011d}" for i in range(genes)])
    tissue = pandas.Categorical(["liver" if s % 2 else "brain" for s in range(n)])
    return anndata.AnnData(x.copy(), obs=pandas.DataFrame({"tissue": tissue}, index=[f"s{s + 1}" for s in range(n)]), var=var)


def modalities():
    rna, prot = annotated(), anndata.AnnData(X[:, :2] + 100, obs=pandas.DataFrame(index=SAMPLES))
    prot.var_names = ["CD3", "CD4"]
    mudata.MuData({"rna": rna, "prot": prot}).write(out / "two.h5mu")
    mudata.MuData({"rna": rna}).write(out / "one.h5mu")
    assert (mudata.read_h5mu(out / "two.h5mu")["rna"].X == X).all()


def filters():
    # Large enough to be packed: what does not get smaller is stored.
    x = numpy.array([[value(s, g) for g in range(40)] for s in range(64)], dtype="float32")
    plugins = {
        "zstd": hdf5plugin.Zstd(),
        "lz4": hdf5plugin.LZ4(nbytes=1024),
        "bzip2": hdf5plugin.BZip2(),
        "blosc_lz4": hdf5plugin.Blosc(cname="lz4"),
        "blosc_zstd": hdf5plugin.Blosc(cname="zstd"),
        "blosc_zlib": hdf5plugin.Blosc(cname="zlib"),
        "blosc_blosclz": hdf5plugin.Blosc(cname="blosclz"),
        "bitshuffle": hdf5plugin.Bitshuffle(),
        "lzf": {"compression": "lzf"},
    }
    for name, plugin in plugins.items():
        path = out / f"filter_{name}.h5ad"
        # Blosc divides by zero on strings: it packs the values alone.
        annotated(x).write_h5ad(path, **({} if "blosc" in name or "shuffle" in name else plugin))
        with h5py.File(path, "a") as file:
            del file["X"]
            file.create_dataset("X", data=x, chunks=(30, 40), **plugin)
            file["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        assert (anndata.read_h5ad(path).X == x).all()
    annotated(scipy.sparse.csr_matrix(x)).write_h5ad(out / "filter_zstd_sparse.h5ad", **hdf5plugin.Zstd())


def archs4():
    with h5py.File(out / "archs4.h5", "w") as file:
        text = h5py.string_dtype()
        file["data/expression"] = (X.T * 4).astype("uint32")
        file["meta/genes/symbol"] = numpy.array(GENES, dtype=text)
        file["meta/genes/ensembl_gene"] = numpy.array([f"ENSG{i:011d}" for i in range(len(GENES))], dtype=text)
        file["meta/samples/geo_accession"] = numpy.array([f"GSM{i}" for i in range(len(SAMPLES))], dtype=text)
        file["meta/samples/series_id"] = numpy.array(["GSE1"] * len(SAMPLES), dtype=text)


for make in [workbooks, packed_parquet, modalities, filters, archs4]:
    make()
for path in [*out.glob("filter_*.h5ad"), out / "one.h5mu", out / "two.h5mu", out / "archs4.h5"]:
    pack(path)
