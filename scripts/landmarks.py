"""Makes the tables of docs/landmarks.md: every selection and the L1000 list side by side on held-out samples.

    python scripts/landmarks.py hgu133a DATA WORK          # or brca, or tcga (trained on arrays, tested on RNA-seq)

DATA holds the files named below; every step is a `genelift` command, printed as it is run, that leaves its result in
WORK, so that an interrupted run goes on. The tables are written to standard output. Python's own library is enough.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import time
from pathlib import Path

SIZES = [50, 100, 200, 400]
MLP_SIZE = 100
# name in the tables: options of `genelift select`; those with {size} have a list for every size
RANKED = {
    "diverse": "--strategy diverse",
    "diverse (blend)": "--strategy diverse --target blend:0.25 --model {model}",
    "diverse (reconstruction)": "--strategy diverse --target reconstruction --model {model}",
    "css": "--strategy css",
    "pca": "--strategy pca",
    "variance": "--strategy variance",
}
BY_SIZE = {"peel-off": "--strategy peel-off", "concrete": "--strategy concrete"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=["hgu133a", "brca", "tcga"])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--genelift", default="genelift")
    parser.add_argument("--seeds", default="21,22,23", help="one split a seed [21,22,23]")
    parser.add_argument("--mlp-seeds", default="21", help="splits that the network is fitted on too [21]")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    def genelift(out, command):
        """Runs a command unless its result is there; its words are split at blanks, {…} are paths."""
        if out.exists():
            return
        words = [args.genelift, *command.split(), "-q"]
        print("$", " ".join(words), file=sys.stderr, flush=True)
        start = time.time()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        print(f"  {time.time() - start:.0f} s", file=sys.stderr, flush=True)

    panel, options, parts = PREPARE[args.dataset](args.data, args.work, genelift)
    seeds, mlp_seeds = ([s for s in text.split(",") if s] for text in (args.seeds, args.mlp_seeds))
    for seed in seeds:
        out = args.work / seed
        train, test = parts(int(seed))
        sets = select(genelift, train, out, seed)
        for size in SIZES:
            named = {name.replace(" ", "-"): path for name, path in sets(size).items()}
            compare = f"compare --train {train} --test {test} --subsets L1000={panel} --size {size} --seed {seed} {options}"
            lists = " ".join(f"{name}={path}" for name, path in named.items())
            genelift(out / f"linear-{size}", f"{compare} --landmarks {lists} --method linear -o {out}/linear-{size}")
            if seed in mlp_seeds and size == MLP_SIZE:
                lists = " ".join(f"{name}={path}" for name, path in named.items() if not name.startswith("diverse-"))
                genelift(out / f"mlp-{size}", f"{compare} --landmarks {lists} --method mlp --hidden 1000 --early-stop 20 "
                         f"-o {out}/mlp-{size}")
    report("linear", SIZES, [args.work / seed for seed in seeds])
    if mlp_seeds:
        report("mlp", [MLP_SIZE], [args.work / seed for seed in mlp_seeds])


def hgu133a(data, work, genelift):
    genelift(work / "raw.gex", f"import {data}/hgu133a/hgu133a_qnorm_n613x22215.gctx -o {work}/raw.gex")
    genelift(work / "z.gex", f"prepare {work}/raw.gex --zscore -o {work}/z.gex")
    panel = work / "l1000.txt"
    panel.write_text("".join(line.split("\t")[2] + "\n" for line in open(data / "lists/map_lm.txt").read().splitlines()))
    options = f"--map {data}/lists/hgu133a_probe_gene.tsv --drop-leaks --group-by dataset"
    return panel, options, lambda seed: split(genelift, work / "z.gex", work / str(seed), seed, "--group-by dataset")


def brca(data, work, genelift):
    genelift(work / "raw.gex", f"import {data}/brca/rna.csv.gz -o {work}/raw.gex")
    genelift(work / "z.gex", f"prepare {work}/raw.gex --zscore -o {work}/z.gex")
    return "l1000", "", lambda seed: split(genelift, work / "z.gex", work / str(seed), seed, "")


def tcga(data, work, genelift):
    """Arrays and RNA-seq as docs/cross-platform.md makes them comparable; each split leaves other studies out."""
    genelift(work / "probes.gex", f"import {data}/hgu133a/hgu133a_qnorm_n613x22215.gctx -o {work}/probes.gex")
    genelift(work / "seq.gex", f"import {data}/tcga6/tcga_rnaseq_6cohorts_n350x20531.h5ad -o {work}/seq.gex")
    genelift(work / "genes.gex", f"prepare {work}/probes.gex --collapse-probes {data}/lists/hgu133a_probe_gene.tsv "
             f"-o {work}/genes.gex")
    genelift(work / "seq-m.gex", f"prepare {work}/seq.gex --match-genes {work}/genes.gex --missing-genes drop "
             f"-o {work}/seq-m.gex")
    genelift(work / "array.gex", f"prepare {work}/genes.gex --match-genes {work}/seq-m.gex -o {work}/array.gex")

    def parts(seed):
        out = work / str(seed)
        train, _ = split(genelift, work / "array.gex", out, seed, "--group-by dataset")
        genelift(out / "train-z.gex", f"prepare {train} --zscore -o {out}/train-z.gex")
        genelift(out / "seq-z.gex", f"prepare {work}/seq-m.gex --map-quantiles-to {train} --zscore -o {out}/seq-z.gex")
        return out / "train-z.gex", out / "seq-z.gex"

    return "l1000", "--group-by dataset", parts


PREPARE = {"hgu133a": hgu133a, "brca": brca, "tcga": tcga}


def split(genelift, store, out, seed, options):
    genelift(out / "train.gex", f"split {store} --fractions 0.8,0.2 {options} --seed {seed} -o {out}")
    return out / "train.gex", out / "test.gex"


def select(genelift, train, out, seed):
    """The autoencoder, its scores, and a list of every strategy: a function from a size to {name: path}."""
    model, scores = out / "model.safetensors", out / "scores.tsv"
    genelift(model, f"train {train} --seed {seed} -o {model}")
    genelift(scores, f"attribute {model} {train} --seed {seed} -o {scores}")
    ranked, largest = {"top": out / "top.tsv"}, SIZES[-1]
    genelift(ranked["top"], f"select {scores} --strategy top -n {largest} -o {ranked['top']}")
    for name, options in RANKED.items():
        path = ranked[name] = out / f"{''.join(c if c.isalnum() else '-' for c in name).strip('-')}.tsv"
        genelift(path, f"select --store {train} {options.format(model=model)} --seed {seed} -n {largest} -o {path}")
    by_size = {}
    for name, options in BY_SIZE.items():
        for size in SIZES:
            path = by_size[name, size] = out / f"{name}-{size}.tsv"
            genelift(path, f"select --store {train} {options} --seed {seed} -n {size} -o {path}")
    return lambda size: ranked | {name: path for (name, s), path in by_size.items() if s == size}


def report(method, sizes, splits):
    """Means over splits ± sd, and in how many splits `diverse` is better. The rows of a table are what all splits have."""
    figures = {}  # name, size → one row of summary.tsv a split
    for split in splits:
        for size in sizes:
            for row in csv.DictReader(open(split / f"{method}-{size}/summary.tsv"), delimiter="\t"):
                if row["kind"] in ("set", "draws mean"):
                    figures.setdefault((row["set"].removesuffix(f"-{size}"), size), []).append(row)
    value = lambda name, size, column: [float(row[column]) for row in figures.get((name, size), [])]
    mean = lambda name, size, column: statistics.mean(value(name, size, column))
    names = sorted({name for name, _ in figures}, key=lambda name: mean(name, sizes[-1], "mse_mean") if
                   (name, sizes[-1]) in figures else float("inf"))
    targets = ", ".join(f"{'–'.join(sorted({row['n_targets'] for row in figures['diverse', size]}))} at N = {size}"
                        for size in sizes)
    print(f"\n**{method}**, {len(splits)} split{'s' * (len(splits) > 1)}; targets: {targets}\n")
    for title, column, sign in [("MSE", "mse_mean", -1), ("PCC", "pcc_mean", 1), ("MAE", "mae_mean", -1),
                                ("Permutation test", "permutation_share", 1)]:
        print(f"| {title} | " + " | ".join(f"N = {size}" for size in sizes) + " |")
        print("| --- " * (len(sizes) + 1) + "|")
        for name in names:
            cells = []
            for size in sizes:
                values, ours = value(name, size, column), value("diverse", size, column)
                if not values:
                    cells.append("")
                    continue
                whole = [n for n in names if len(value(n, size, column)) == len(splits)]
                best = max(sign * mean(n, size, column) for n in whole)
                text = f"{statistics.mean(values):.4f}"
                if name in whole and sign * mean(name, size, column) == best:
                    text = f"**{text}**"
                if len(values) > 1:
                    text += f" ± {statistics.stdev(values):.3f}"
                if name != "diverse":
                    text += f" ({sum(sign * (o - v) > 0 for o, v in zip(ours, values))}/{len(values)})"
                cells.append(text)
            print(f"| {name.replace('-(', ' (')} | " + " | ".join(cells) + " |")
        print()


if __name__ == "__main__":
    main()
