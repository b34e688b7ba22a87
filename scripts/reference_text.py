"""Figures that tests/text_formats.rs compares with, read by the formats' own libraries.

    pip install pandas==2.3.3 scipy==1.17.1 numpy==2.4.6 cmapPy==4.0.1 anndata==0.12.19 pyarrow==26.0.1
    python scripts/reference_text.py

Writes tests/data/formats/made/ (made-up numbers, seed 1) and text_reference.tsv: of every file its shape, its first and
last sample, and of every gene the sum and the sum of squares of the float32 values that a store holds, in float64.
"""

import bz2
import gzip
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import scipy.io
import scipy.sparse as sp
from cmapPy.pandasGEXpress.parse_gct import parse as parse_gct

HERE = Path(__file__).resolve().parent.parent / "tests" / "data" / "formats"
MADE = HERE / "made"
ROWS = []


def note(file, frame):
    """frame is samples x genes."""
    x = frame.to_numpy().astype(np.float32).astype(np.float64)
    shape = [file, x.shape[0], x.shape[1], frame.index[0], frame.index[-1]]
    for g, gene in enumerate(frame.columns):
        column = x[:, g][np.isfinite(x[:, g])]
        ROWS.append([*shape, gene, repr(float(column.sum())), repr(float((column**2).sum()))])


def numbered(x):
    n, genes = x.shape
    return pd.DataFrame(x, [f"sample_{i + 1}" for i in range(n)], [f"gene_{i + 1}" for i in range(genes)])


def awkward_text(rng):
    # Non-ASCII names, CRLF, tabs at every line's end, whole numbers beside doubles of 17 digits, missing values.
    lines = ["gène\tα\tβ β\tγ\t\t"]
    for i in range(23):
        numbers = [str(rng.integers(-(10**9), 10**9)), repr(float(rng.normal())), "NA" if i == 7 else "1e-3"]
        lines.append("\t".join([f"ENSG{i:011d}", *numbers, "", ""]))
    (MADE / "awkward.tsv").write_bytes("\r\n".join(lines).encode())
    table = pd.read_csv(MADE / "awkward.tsv", sep="\t", index_col=0, float_precision="round_trip").iloc[:, :3]
    note("awkward.tsv", table.T)
    text = "".join(f"{i};{rng.normal():.6f};{rng.integers(9)}\n" for i in range(40))
    (MADE / "packed.csv.bz2").write_bytes(bz2.compress(("patient;ACTB;TP53\n" + text).encode()))
    note("packed.csv.bz2", pd.read_csv(MADE / "packed.csv.bz2", sep=";", index_col=0))


def series_matrix(rng):
    n, genes = 5, 11
    quoted = lambda fields: "\t".join(f'"{f}"' for f in fields)
    ids = [f"GSM{100 + i}" for i in range(n)]
    head = ['!Series_title\t"A \'series\'"', '!Series_summary\t"µ-arrays; \t"', ""]
    head += ["!Sample_title\t" + quoted(f"sample {i}" for i in range(n)), "!Sample_geo_accession\t" + quoted(ids)]
    head += ["!Sample_characteristics_ch1\t" + quoted(["tissue: lung", "tissue: liver", "age: 4", "", "tissue: a: b"])]
    head += ["!Sample_characteristics_ch1\t" + quoted(["age: 1", "age: 2", "tissue: skin", "just words", "age: 5"])]
    head += ["!Sample_contact_name\t" + quoted(["x"] * n), "!series_matrix_table_begin", quoted(["ID_REF", *ids])]
    body = [f'"{i}_at"\t' + "\t".join("null" if i == j == 2 else f"{rng.normal():.4f}" for j in range(n)) for i in range(genes)]
    text = "\r\n".join([*head, *body, "!series_matrix_table_end", ""])
    (MADE / "GSE1_series_matrix.txt.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    table = pd.read_csv(MADE / "GSE1_series_matrix.txt.gz", sep="\t", comment="!", index_col=0, skiprows=4)
    note("GSE1_series_matrix.txt.gz", table.T)


def sparse(rng):
    x = sp.random(31, 17, 0.2, random_state=1, dtype=np.float32).tolil()
    x[5] = 0  # an empty row
    x = x.tocsr()
    note_both = lambda name: note(name, numbered(x.toarray()))
    sp.save_npz(MADE / "csr.npz", x)
    note_both("csr.npz")
    sp.save_npz(MADE / "csc.npz", x.astype(np.float64).tocsc(), compressed=False)
    note_both("csc.npz")
    np.savez(MADE / "named.npz", X=x.toarray().astype(np.int16), other=np.zeros(3))
    note("named.npz", numbered(x.toarray().astype(np.int16)))
    np.savez_compressed(MADE / "one.npz", np.asfortranarray(x.toarray()))
    note_both("one.npz")
    # A .mtx is genes x samples, as 10x writes it.
    coo = x.T.tocoo()
    shuffled = rng.permutation(coo.nnz)
    for name, matrix in {
        "columns.mtx": x.T.tocsc().tocoo(),
        "rows.mtx": x.T.tocsr().tocoo(),
        "shuffled.mtx": sp.coo_matrix((coo.data[shuffled], (coo.row[shuffled], coo.col[shuffled])), coo.shape),
    }.items():
        scipy.io.mmwrite(MADE / name, matrix, precision=9)
        note(name, numbered(np.asarray(scipy.io.mmread(MADE / name).todense()).T))
    scipy.io.mmwrite(MADE / "array.mtx", x.T.toarray(), precision=9)
    note("array.mtx", numbered(scipy.io.mmread(MADE / "array.mtx").T))
    square = rng.integers(0, 3, (9, 9))
    symmetric = np.tril(square) + np.tril(square, -1).T
    scipy.io.mmwrite(MADE / "symmetric.mtx", sp.coo_matrix(symmetric), symmetry="symmetric", field="integer")
    note("symmetric.mtx", numbered(symmetric))
    scipy.io.mmwrite(MADE / "symmetric_array.mtx", symmetric, symmetry="symmetric")
    note("symmetric_array.mtx", numbered(symmetric))
    skew = np.tril(square, -1) - np.tril(square, -1).T
    scipy.io.mmwrite(MADE / "skew_array.mtx", skew, symmetry="skew-symmetric")
    note("skew_array.mtx", numbered(scipy.io.mmread(MADE / "skew_array.mtx").T))
    scipy.io.mmwrite(MADE / "pattern.mtx", sp.coo_matrix(x.T != 0), field="pattern")
    packed = MADE / "pattern.mtx.gz"
    packed.write_bytes(gzip.compress((MADE / "pattern.mtx").read_bytes(), mtime=0))
    (MADE / "pattern.mtx").unlink()
    note("pattern.mtx.gz", numbered(scipy.io.mmread(packed).toarray().T.astype(float)))


def parquet(rng):
    n = 29
    frame = pd.DataFrame({"patient": [f"p{i}" for i in range(n)]})
    frame["ACTB"], frame["TP53"] = rng.normal(size=n), rng.normal(size=n).astype(np.float32)
    frame["EGFR"], frame["MYC"] = rng.integers(-5, 5, n), rng.integers(0, 2, n).astype(bool)
    frame["GAPDH"] = pd.array([None if i == 3 else i for i in range(n)], dtype="Int32")
    frame["tissue"] = rng.choice(["lung", "liver"], n)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), MADE / "columns.parquet", row_group_size=10)
    numbers = frame.set_index("patient")[["ACTB", "TP53", "EGFR", "MYC", "GAPDH"]].astype("Float64")
    numbers = numbers.astype(object).where(numbers.notna(), np.nan).astype(np.float64)
    note("columns.parquet", numbers)
    indexed = pd.DataFrame(rng.normal(size=(7, 3)), [f"s{i}" for i in range(7)], ["ACTB", "TP53", "EGFR"])
    indexed.to_parquet(MADE / "pandas.parquet")
    note("pandas.parquet", indexed)
    indexed.to_parquet(MADE / "zstd.parquet", compression="zstd")


def arrow(rng):
    n = 29
    numbers = {
        "ACTB": rng.normal(size=n), "TP53": rng.normal(size=n).astype(np.float32), "EGFR": rng.integers(-5, 5, n).astype(np.int8),
        "MYC": rng.integers(0, 2, n).astype(bool), "GAPDH": (rng.integers(0, 2**63, n).astype(np.uint64) * 2 + 1),
        "KRAS": rng.normal(size=n).astype(np.float16), "UBC": pa.array([None if i % 7 == 3 else i for i in range(n)], pa.int32()),
        "TBP": pa.array([None if i == 11 else i % 2 == 0 for i in range(n)], pa.bool_()),
    }
    ids = [f"µ{i}" for i in range(n)]
    texts = {
        "patient": pa.array(ids, pa.large_string()), "tissue": pa.array(rng.choice(["lung", "liver"], n)).dictionary_encode(),
        "note": pa.array([None if i == 2 else "x" * (i % 3) for i in range(n)]), "day": pa.array([None] * n, pa.date32()),
    }
    table = pa.table(texts | numbers)
    frame = table.select(list(numbers)).to_pandas().astype(np.float64).set_axis(ids)
    for name, options in {"columns.arrow": None, "lz4.feather": "lz4", "zstd.feather": "zstd"}.items():
        feather.write_feather(table, MADE / name, compression=options or "uncompressed", chunksize=10 if name != "lz4.feather" else 100)
        note(name, frame)
    indexed = pd.DataFrame(rng.normal(size=(7, 3)), [f"s{i}" for i in range(7)], ["ACTB", "TP53", "EGFR"])
    with pa.ipc.new_file(MADE / "pandas.arrow", pa.Schema.from_pandas(indexed)) as file:
        file.write(pa.Table.from_pandas(indexed))
    note("pandas.arrow", indexed)


def theirs():
    for name in ["test_v1point2_n5x10.gct", "mini_gctoo_for_testing.gct"]:
        note(name, parse_gct(str(HERE / name)).data_df.T)
    counts = scipy.io.mmread(HERE / "10x_v3_mtx/matrix.mtx.gz").toarray()
    features = pd.read_csv(HERE / "10x_v3_mtx/features.tsv.gz", sep="\t", header=None)
    barcodes = pd.read_csv(HERE / "10x_v3_mtx/barcodes.tsv.gz", sep="\t", header=None)
    note("10x_v3_mtx", pd.DataFrame(counts.T, barcodes[0], features[0]))
    adata = anndata.io.read_text(HERE / "krumsiek11.txt", first_column_names=True)
    adata.obs_names_make_unique()
    note("krumsiek11.txt", adata.to_df())


def main():
    MADE.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for make in [awkward_text, series_matrix, sparse, parquet]:
        make(rng)
    theirs()
    arrow(rng)
    header = ["file", "samples", "genes", "first", "last", "gene", "sum", "squares"]
    lines = ["\t".join(map(str, row)) for row in [header, *ROWS]]
    (HERE / "text_reference.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
