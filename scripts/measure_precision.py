"""What bf16 costs in quality, for the table of docs/performance.md: the loss on held-out samples of networks trained in f32 and bf16, and how many
of the first genes by DeepLIFT are the same.

    python scripts/measure_precision.py STORE WORK [--genelift genelift] [--seeds 1,2,3] [--first 200] [train's options, e.g. --epochs 2]

Python's own library is enough. What is in WORK is made anew.
"""

import argparse
import csv
import itertools
import shutil
import subprocess
from pathlib import Path

SHARE = "0.2"  # of the samples is held out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("work", type=Path)
    parser.add_argument("--genelift", default="genelift")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--first", type=int, default=200)
    args, options = parser.parse_known_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)

    def genelift(*words):
        subprocess.run([args.genelift, *map(str, words), "--device", "cpu", "-q"], check=True, stdout=subprocess.DEVNULL)

    def first(path):
        rows = sorted(table(path), key=lambda row: -float(row["score"]))
        return {row["gene_id"] for row in rows[:args.first]}

    def trained(precision, seed):
        """(loss on held-out samples, the first genes by DeepLIFT in f32, the model)"""
        name = args.work / f"{precision}-{seed}"
        model, history, scores = (name.with_suffix(end) for end in (".safetensors", ".history.tsv", ".scores.tsv"))
        genelift("train", args.store, "-o", model, "--seed", seed, "--precision", precision, "--validation", SHARE, "--history", history, *options)
        genelift("attribute", model, args.store, "-o", scores)
        return float(list(table(history))[-1]["validation_loss"]), first(scores), model

    single = {}
    for seed in args.seeds.split(","):
        loss, genes, model = single[seed] = trained("f32", seed)
        half_loss, half_genes, _ = trained("bf16", seed)
        attributed = args.work / f"attributed-{seed}.tsv"
        genelift("attribute", model, args.store, "-o", attributed, "--precision", "bf16")
        print(f"seed {seed}: validation loss {loss:.4f} in f32, in bf16 {100 * (half_loss / loss - 1):+.2f} %; of the first {args.first} genes the same by "
              f"DeepLIFT in bf16 of one model {percent(genes, first(attributed))}, trained in bf16 {percent(genes, half_genes)}")
    for a, b in itertools.combinations(single, 2):
        print(f"seeds {a} and {b} in f32: {percent(single[a][1], single[b][1])} the same")


def table(path):
    with open(path, newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


def percent(a, b):
    return f"{100 * len(a & b) / len(a):.1f} %"


if __name__ == "__main__":
    main()
