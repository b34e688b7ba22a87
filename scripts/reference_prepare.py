"""Figures that tests/prepare.rs compares with: every step of `genelift prepare` in NumPy and pandas.

    pip install h5py==3.16.0 numpy==2.4.6 pandas==3.1.1 safetensors==0.8.0
    python scripts/reference_prepare.py

Reads a cut of examples/brca (MIT) and the counts of tests/data/formats/dense.h5ad (made-up numbers); writes
tests/data/prepare/{reference.safetensors,probes.tsv}. Nothing is random.
"""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "data" / "prepare"
SAMPLES, GENES = 23, 47


def quantile_normalize(frame):
    """A value at the ranks first..last of its sample takes the mean there of the mean sorted sample."""
    profile = np.sort(frame.to_numpy(), axis=1).mean(axis=0)
    first = frame.rank(axis=1, method="min").to_numpy().astype(int) - 1
    last = frame.rank(axis=1, method="max").to_numpy().astype(int)
    total = np.concatenate([[0], np.cumsum(profile)])
    return (total[last] - total[first]) / (last - first)


def map_quantiles(frame, reference):
    """index int((r + 1)/n * G) - 1 of the sorted reference, in integers, not below 0."""
    profile = np.sort(reference.to_numpy(), axis=1).mean(axis=0)
    rank = frame.rank(axis=1, method="dense").to_numpy().astype(int)
    distinct = rank.max(axis=1, keepdims=True)
    return profile[np.maximum(rank * len(profile) // distinct - 1, 0)]


def collapse(frame, gene_of, by):
    """Genes in the order of their first probe."""
    frame = frame[[p for p in frame.columns if p in gene_of]]
    groups = {}
    for probe in frame.columns:
        groups.setdefault(gene_of[probe], []).append(probe)
    if by == "mean":
        return np.stack([frame[probes].mean(axis=1) for probes in groups.values()], axis=1)
    score = frame.var(ddof=0) if by == "max-variance" else frame.mean()
    return np.stack([frame[score[probes].idxmax()] for probes in groups.values()], axis=1)


def zscore(frame):
    centred = frame.to_numpy() - frame.mean().to_numpy()
    sd = frame.std(ddof=0).to_numpy()
    constant = (frame.max() == frame.min()).to_numpy()
    return np.where(constant, 0, centred / np.where(constant, 1, sd))


def main():
    brca = pd.read_csv(ROOT / "examples/brca/expression.csv.gz", index_col=0).iloc[:SAMPLES, :GENES]
    brca = brca.astype(np.float32).astype(np.float64)
    with h5py.File(ROOT / "tests/data/formats/dense.h5ad") as file:
        counts = pd.DataFrame(file["layers/counts"][:].astype(np.float64))

    # Three probes to a gene or so; one probe in seven has no gene; two probes are on no array.
    gene_of = {probe: str(100 + i % 13) for i, probe in enumerate(brca.columns) if i % 7 != 3}
    OUT.mkdir(exist_ok=True)
    lines = [f"{probe}\t{gene}" for probe, gene in [*gene_of.items(), ("x_at", "100"), ("y_at", "999")]]
    (OUT / "probes.tsv").write_text("probe_id\tgene_id\n" + "\n".join(lines) + "\n")

    arrays = {
        "log1p": np.log1p(counts),
        "log2p1": np.log2(counts + 1),
        "quantile-normalize.counts": quantile_normalize(counts),
        "quantile-normalize.brca": quantile_normalize(brca),
        "map-quantiles.counts-to-brca": map_quantiles(counts, brca),
        "map-quantiles.brca-to-counts": map_quantiles(brca, counts),
        "zscore.counts": zscore(counts),
        "zscore.brca": zscore(brca),
        "min-sd.brca": brca.loc[:, brca.std(ddof=0) >= 0.9],
        **{f"collapse.{by}": collapse(brca, gene_of, by) for by in ["mean", "max-variance", "max-mean"]},
    }
    arrays = {name: np.ascontiguousarray(values, dtype=np.float64) for name, values in arrays.items()}
    save_file(arrays, OUT / "reference.safetensors")
    for name, values in arrays.items():
        print(name, values.shape)


if __name__ == "__main__":
    main()
