"""Figures that tests/import.rs compares with, read by the formats' own libraries.

    pip install h5py==3.16.0 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 zstandard==0.25.0
    python scripts/reference_formats.py

Writes tests/data/formats/{dense.h5ad,small.tsv.zst} (made-up numbers, seed 1) and reference.tsv: of every matrix its
shape, the sum of its values, and a sum weighted by place, which notices any permutation.
"""

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import zstandard

HERE = Path(__file__).resolve().parent.parent / "tests" / "data" / "formats"


def figures(x):
    """x is samples x genes; all sums in float64 of the float32 values that a store holds."""
    x = np.asarray(x).astype(np.float32).astype(np.float64)
    s, g = np.indices(x.shape)
    weighted = (x * ((s * 7 + g * 13) % 11)).sum()
    return [*x.shape, repr(float(x.sum())), repr(float(weighted))]


def make_files():
    rng = np.random.default_rng(1)
    n, genes = 67, 31
    obs = pd.DataFrame(
        {
            "tissue": pd.Categorical(rng.choice(["lung", "liver"], n)),
            "age": pd.array([None if i == 3 else 40 + i for i in range(n)], dtype="Int64"),
            "female": rng.random(n) < 0.5,
            "score": rng.random(n),
        },
        index=[f"cell{i}" for i in range(n)],
    )
    obs.loc["cell5", "tissue"] = None
    var = pd.DataFrame({"gene_symbol": [f"G{i}" for i in range(genes)]}, index=[f"ENSG{i:011d}" for i in range(genes)])
    x = rng.normal(size=(n, genes)).astype(np.float32)
    adata = anndata.AnnData(x, obs=obs, var=var, layers={"counts": rng.poisson(5, (n, genes)).astype(np.int32)})
    adata.write_h5ad(HERE / "dense.h5ad", compression="gzip")

    text = "gene\t" + "\t".join(f"s{i}" for i in range(5)) + "\n"
    text += "".join(f"g{g}\t" + "\t".join(f"{v:.4f}" for v in rng.normal(size=5)) + "\n" for g in range(40))
    half = text.index("\ng20\t") + 1
    packer = zstandard.ZstdCompressor(level=19, write_checksum=True)
    frames = [packer.compress(part.encode()) for part in (text[:half], text[half:])]
    skippable = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"xyz"
    (HERE / "small.tsv.zst").write_bytes(frames[0] + skippable + frames[1])


def main():
    make_files()
    rows = []
    for name in ["mini_gctx_with_metadata_n2x3.gctx", "modzs_n25x50.gctx", "mini_gctoo_for_testing_nometa.gctx"]:
        with h5py.File(HERE / name) as file:
            rows.append([name, "", *figures(file["0/DATA/0/matrix"][...])])
    with h5py.File(HERE / "anndata_v0.7.0.h5ad") as file:
        rows.append(["anndata_v0.7.0.h5ad", "array", *figures(file["layers/array"][...])])
    adata = anndata.read_h5ad(HERE / "dense.h5ad")
    rows.append(["dense.h5ad", "", *figures(adata.X)])
    rows.append(["dense.h5ad", "counts", *figures(adata.layers["counts"])])
    table = pd.read_csv(HERE / "small.tsv.zst", sep="\t", index_col=0)
    rows.append(["small.tsv.zst", "", *figures(table.T)])
    header = ["file", "layer", "samples", "genes", "sum", "weighted"]
    lines = ["\t".join(map(str, row)) for row in [header, *rows]]
    (HERE / "reference.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
