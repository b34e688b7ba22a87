"""Figures that tests/prepare.rs compares with: every step of `genelift prepare` in NumPy and pandas.

    pip install h5py==3.16.0 numpy==2.4.6 pandas==3.1.1 safetensors==0.8.0
    python scripts/reference_prepare.py

Reads a cut of examples/brca (MIT) and the counts of tests/data/formats/dense.h5ad (made-up numbers); writes
tests/data/prepare/{reference.safetensors,probes.tsv}. D-GEX's rules follow its scripts (github.com/uci-cbcl/D-GEX), which
have genes in rows; here samples are rows. What is random is seeded.
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


def quantile_normalize_dgex(frame):
    """bgedv2_reqnorm.py: the quantile at int(rankdata - 1), rankdata being mean ranks from 1."""
    profile = np.sort(frame.to_numpy(), axis=1).mean(axis=0)
    return profile[(frame.rank(axis=1, method="average").to_numpy() - 1).astype(int)]


def library_size(frame, target=None):
    """scanpy.pp.normalize_total; a sample of sum 0 stays."""
    sums = frame.sum(axis=1).to_numpy()
    target = np.median(sums[sums > 0]) if target is None else target
    return frame.to_numpy() / np.where(sums > 0, sums / target, 1)[:, None]


def min_max(frame):
    low, high = frame.min().to_numpy(), frame.max().to_numpy()
    return np.where(high > low, (frame.to_numpy() - low) / np.where(high > low, high - low, 1), 0)


def zscore_dgex(frame):
    """bgedv2_norm.py"""
    return (frame.to_numpy() - frame.mean().to_numpy()) / (frame.std(ddof=0).to_numpy() + 1e-3)


def no_duplicates(samples, label, threshold):
    """nodup_idx.py: of every pair of a cluster that is closer than the threshold the later goes."""
    kept = []
    for k in np.unique(label):
        idx_k = np.where(label == k)[0]
        x = samples[idx_k]
        distance = np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))
        set_k = set(range(len(idx_k)))
        for i, j in zip(*np.where(distance < threshold)):
            if i < j:
                set_k.discard(j)
        kept.extend(idx_k[list(set_k)])
    return np.sort(kept)


def copies(brca, rng):
    """Samples in groups of near copies, at distances on both sides of 1, in random order."""
    base = brca.to_numpy()[rng.integers(0, SAMPLES, 211)]
    noise = rng.normal(size=base.shape) * rng.uniform(0, 0.16, (len(base), 1))
    return (base + noise).astype(np.float32).astype(np.float64)


def like(brca):
    """Quantiles, means of probes and moments of the first 15 samples, applied to the others. A store holds f32, and so
    do the values between steps."""
    single = lambda values: pd.DataFrame(np.asarray(values).astype(np.float32).astype(np.float64))
    fit, new = brca.iloc[:15], brca.iloc[15:]
    profile = np.sort(fit.to_numpy(), axis=1).mean(axis=0)
    total = np.concatenate([[0], np.cumsum(profile)])

    def normalized(frame):
        first = frame.rank(axis=1, method="min").to_numpy().astype(int) - 1
        last = frame.rank(axis=1, method="max").to_numpy().astype(int)
        return single((total[last] - total[first]) / (last - first))

    fit, new = normalized(fit), normalized(new)
    keep = fit.std(ddof=0) >= 0.9
    fit, new = fit.loc[:, keep], new.loc[:, keep]
    return (new - fit.mean()).to_numpy() / (fit.std(ddof=0).to_numpy() + 1e-3)


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
        "zscore.dgex": zscore_dgex(brca),
        "quantile-normalize-dgex.counts": quantile_normalize_dgex(counts),
        "quantile-normalize-dgex.brca": quantile_normalize_dgex(brca),
        "library-size.median": library_size(counts),
        "library-size.1e4": library_size(counts, 1e4),
        "range.brca": 4 + (brca - brca.min().min()) * (11 / (brca.max().max() - brca.min().min())),
        "min-max.counts": min_max(counts),
        "min-max.brca": min_max(brca),
        "min-detected.counts": counts.loc[:, (counts > 5).mean() >= 0.4],
        "like.brca": like(brca),
        "min-sd.brca": brca.loc[:, brca.std(ddof=0) >= 2.0],
        **{f"collapse.{by}": collapse(brca, gene_of, by) for by in ["mean", "max-variance", "max-mean"]},
    }
    rng = np.random.default_rng(7)
    samples = copies(brca, rng)
    label = rng.integers(0, 3, len(samples))
    kept = no_duplicates(samples, label, 1.0)
    assert 0.3 < len(kept) / len(samples) < 0.7
    arrays |= {"dedup.samples": samples, "dedup.labels": label, "dedup.kept": kept}
    arrays["dedup.kept-of-one-cluster"] = no_duplicates(samples, 0 * label, 1.0)
    arrays = {name: np.ascontiguousarray(values, dtype=np.float64) for name, values in arrays.items()}
    arrays["dedup.samples"] = arrays["dedup.samples"].astype(np.float32)
    save_file(arrays, OUT / "reference.safetensors")
    for name, values in arrays.items():
        print(name, values.shape)


if __name__ == "__main__":
    main()
