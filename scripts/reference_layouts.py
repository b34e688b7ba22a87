"""Ids and values that tests/field/layouts.rs compares with, read by pandas with what a person sees in each file told to it.

    pip install pandas==2.3.3
    python scripts/reference_layouts.py

Writes tests/data/field/layouts_reference.tsv: of every file its samples, its genes, and the values by sample, as float32.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent.parent / "tests" / "data" / "field"


def tab(name, **options):
    return pd.read_csv(HERE / name, sep="\t", index_col=0, **options)


def numbered(frame):
    return frame.set_axis([f"sample_{i + 1}" for i in range(frame.shape[1])], axis=1)


def tables():
    """Genes x samples of every file."""
    yield "headerless.tsv", numbered(tab("headerless.tsv", header=None))
    yield "rshort.txt", pd.read_csv(HERE / "rshort.txt", sep=" ")
    yield "fclen.txt", tab("fclen.txt").drop(columns="Length")
    yield "unn3.csv", pd.read_csv(HERE / "unn3.csv", index_col=0).drop(columns="Unnamed: 0").T
    htseq = tab("htseq.tsv")
    yield "htseq.tsv", htseq[~htseq.index.str.startswith("__")]
    yield "idname.tsv", tab("idname.tsv").drop(columns="gene_name")
    depmap = pd.read_csv(HERE / "depmap2.csv", index_col="ModelID")
    yield "depmap2.csv", depmap.drop(columns=["Unnamed: 0", "SequencingID", "IsDefaultEntryForModel"]).T
    yield "title.csv", pd.read_csv(HERE / "title.csv", skiprows=2, index_col=0)
    yield "blank1.csv", pd.read_csv(HERE / "blank1.csv", index_col=0).dropna(how="all")
    yield "cr.csv", pd.read_csv(HERE / "cr.csv", index_col=0, lineterminator="\r")
    yield "sepx.csv", pd.read_csv(HERE / "sepx.csv", sep=";", skiprows=1, index_col=0)
    yield "unbq.tsv", tab("unbq.tsv")


def main():
    lines = []
    for name, frame in tables():
        values = frame.T.to_numpy().astype(np.float32).ravel()
        fields = [name, "|".join(map(str, frame.columns)), "|".join(map(str, frame.index)), "|".join(map(str, values))]
        lines.append("\t".join(fields))
    (HERE / "layouts_reference.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
