"""Makes the files of tests/data/field that other programs write in containers: workbooks, packed Parquet, h5mu, HDF5 behind
filters, ARCHS4. What pandas, anndata, mudata and pyarrow read from them is asserted here; tests/field/containers.rs asserts the same.

    pip install pandas==2.3.3 openpyxl==3.1.5 xlsxwriter==3.2.9 odfpy==1.4.1 xlwt==1.3.0 h5py==3.16.0 hdf5plugin==6.0.0 \
        anndata==0.12.19 mudata==0.3.2 pyarrow==22.0.0 polars==1.35.2 numpy==2.3.5 scipy==1.17.1
    python scripts/reference_containers.py tests/data/field
"""

import datetime
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

    # One that ends at the last column.
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["sample"] + [f"GENE{i}" for i in range(1, 16384)])
    for s in range(2):
        sheet.append([f"s{s}"] + [i % 7 for i in range(1, 16384)])
    book.save(out / "last_column.xlsx")

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
    var = pandas.DataFrame({"gene_symbol": GENES}, index=[f"ENSG{i:011d}" for i in range(len(GENES))])
    obs = pandas.DataFrame({"tissue": pandas.Categorical(["liver", "liver", "brain", "brain"])}, index=SAMPLES)
    return anndata.AnnData(x.copy(), obs=obs, var=var)


def modalities():
    rna, prot = annotated(), anndata.AnnData(X[:, :2] + 100, obs=pandas.DataFrame(index=SAMPLES))
    prot.var_names = ["CD3", "CD4"]
    mudata.MuData({"rna": rna, "prot": prot}).write(out / "two.h5mu")
    mudata.MuData({"rna": rna}).write(out / "one.h5mu")
    assert (mudata.read_h5mu(out / "two.h5mu")["rna"].X == X).all()


def filters():
    plugins = {
        "zstd": hdf5plugin.Zstd(),
        "lz4": hdf5plugin.LZ4(nbytes=32),
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
        annotated().write_h5ad(path, **plugin)
        assert (anndata.read_h5ad(path).X == X).all()
    annotated(scipy.sparse.csr_matrix(X)).write_h5ad(out / "filter_zstd_sparse.h5ad", **hdf5plugin.Zstd())


def archs4():
    with h5py.File(out / "archs4.h5", "w") as file:
        text = h5py.string_dtype()
        file["data/expression"] = (X.T * 4).astype("uint32")
        file["meta/genes/symbol"] = numpy.array(GENES, dtype=text)
        file["meta/genes/ensembl_gene"] = numpy.array([f"ENSG{i:011d}" for i in range(len(GENES))], dtype=text)
        file["meta/samples/geo_accession"] = numpy.array([f"GSM{i}" for i in range(len(SAMPLES))], dtype=text)
        file["meta/samples/series_id"] = numpy.array(["GSE1"] * len(SAMPLES), dtype=text)


numpy.random.seed(0)
for make in [workbooks, packed_parquet, modalities, filters, archs4]:
    make()
