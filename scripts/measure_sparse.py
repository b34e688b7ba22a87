"""What a sparse store saves and costs beside the dense one: a Markdown table of size, time and memory, command by command.

    python3 scripts/measure_sparse.py GENELIFT WORK [--cells 10000,100000] [--genes 20000] [--layouts dense,sparse] [--epochs 2]

Counts are made up, some 1,000 of each cell, of ten types, as an h5ad with a CSR matrix; donors, a hundred cells each on average, are groups. Memory is the
peak of what a process takes for itself (`RssAnon`, read twenty times a second); pages of the stores, which the system takes back when it needs
them, do not count. Seconds are on the clock and, after the slash, of all cores together, which other work disturbs less. What is in WORK is not
made again. Needs NumPy and h5py.
"""

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np
from measuring import of_its_own

COUNTS, TYPES, BLOCK = 1_000, 10, 10_000


def counts(path, cells, genes):
    """An h5ad of `cells` cells."""
    rng = np.random.default_rng(1)
    base = rng.lognormal(0, 2, genes)
    profiles = np.stack([base * np.where(rng.random(genes) < 0.1, rng.choice([0.1, 8.0], genes), 1) for _ in range(TYPES)])
    profiles /= profiles.sum(1, keepdims=True)
    cumulative = profiles.cumsum(1)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array([cells, genes])})
        data = x.create_dataset("data", (0,), "f4", maxshape=(None,), chunks=(1 << 18,))
        indices = x.create_dataset("indices", (0,), "i4", maxshape=(None,), chunks=(1 << 18,))
        starts, donors = [np.zeros(1, np.int64)], []
        for first in range(0, cells, BLOCK):
            n = min(BLOCK, cells - first)
            kinds, depth = rng.integers(TYPES, size=n), rng.lognormal(np.log(COUNTS), 0.5, n).astype(int) + 1
            cell = np.repeat(np.arange(n), depth)
            kind, drawn = np.repeat(kinds, depth), rng.random(depth.sum())
            gene = np.empty(len(cell), np.int64)
            for k in range(TYPES):
                here = kind == k
                gene[here] = np.minimum(np.searchsorted(cumulative[k], drawn[here]), genes - 1)
            key, times = np.unique(cell * genes + gene, return_counts=True)
            for dataset, values in ((data, times), (indices, key % genes)):
                dataset.resize(len(dataset) + len(key), axis=0)
                dataset[-len(key):] = values
            starts.append(starts[-1][-1] + np.cumsum(np.bincount(key // genes, minlength=n)))
            donors += [f"donor{d}" for d in rng.integers(max(cells // 100, 2), size=n)]
        x.create_dataset("indptr", data=np.concatenate(starts))
        for name, ids, columns in (("obs", [f"cell{i}" for i in range(cells)], {"donor": donors}), ("var", [f"gene{i}" for i in range(genes)], {})):
            group = file.create_group(name)
            group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
            group.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
            for column, values in {"_index": ids, **columns}.items():
                made = group.create_dataset(column, data=np.array(values, dtype=h5py.string_dtype()))
                made.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genelift")
    parser.add_argument("work", type=Path)
    parser.add_argument("--cells", default="10000,100000")
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--layouts", default="dense,sparse")
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    print("| cells | layout | step | seconds | memory, MiB | store, MB |\n| --- | --- | --- | --- | --- | --- |", flush=True)
    for cells in map(int, args.cells.split(",")):
        work = args.work / str(cells)
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "counts.h5ad").exists():
            counts(work / "making.h5ad", cells, args.genes)
            (work / "making.h5ad").rename(work / "counts.h5ad")
        for layout in args.layouts.split(","):
            at = work / layout
            at.mkdir(exist_ok=True)
            steps = {
                "import": f"import {work}/counts.h5ad -o {at}/raw.gex --layout {layout} --dtype f16",
                "depth, log1p": f"prepare {at}/raw.gex -o {at}/x.gex --library-size=1e3 --log1p",
                "split by donor": f"split {at}/x.gex -o {at}/parts --group-by donor",
                f"train, {args.epochs} epochs": f"train {at}/parts/train.gex -o {at}/m.safetensors --batch 256 --epochs {args.epochs} --memory 6G",
                "attribute, 500 cells": f"attribute {at}/m.safetensors {at}/parts/train.gex -o {at}/scores.tsv --samples 500",
                "select 200": f"select --strategy diverse --store {at}/parts/train.gex -n 200 -o {at}/landmarks.tsv",
                "compare, ridge": f"compare --train {at}/parts/train.gex --test {at}/parts/test.gex --landmarks diverse={at}/landmarks.tsv "
                f"--random-draws 1 --method linear --group-by donor --hold-out split -o {at}/comparison",
            }
            for name, words in steps.items():
                out = Path(words.split(" -o ")[1].split()[0])
                if out.exists():
                    continue
                seconds, cores, peak, failure = of_its_own([args.genelift, *words.split(), "-q"])
                if failure:
                    sys.exit(f"genelift {words}: {failure}")
                size = f"{sum(f.stat().st_size for f in out.rglob('*.npy')) / 1e6:,.0f}" if name in ("import", "depth, log1p", "split by donor") else ""
                print(f"| {cells:,} | {layout} | {name} | {seconds:.0f} / {cores:.0f} | {peak:.0f} | {size} |", flush=True)


main()
