"""Reads a Parquet export back with pyarrow and pandas and compares it with its store, bit by bit.

    pip install pandas==2.3.3 pyarrow==26.0.1 numpy==2.4.6
    genelift export STORE -o X.parquet && python scripts/check_parquet.py STORE X.parquet
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

store, path = Path(sys.argv[1]), sys.argv[2]
matrix = np.load(store / "matrix.npy").astype(np.float32)
samples = pd.read_csv(store / "samples.tsv", sep="\t", dtype=str, keep_default_na=False)
genes = pd.read_csv(store / "genes.tsv", sep="\t", dtype=str, keep_default_na=False)["gene_id"].tolist()
for table in [pd.read_parquet(path), pq.read_table(path).to_pandas()]:
    assert table.columns.tolist() == samples.columns.tolist() + genes
    assert (table[genes].to_numpy() == matrix).all() and (table.dtypes[genes] == np.float32).all()
    assert (table[samples.columns] == samples).all(axis=None)
print(f"equal: {matrix.shape[0]} samples x {matrix.shape[1]} genes, {len(samples.columns)} columns of text")
