"""Whether the network has a part in choosing landmarks where it could show: many samples of nonlinear programmes.

    python3 scripts/deeplift_part.py GENELIFT WORK [--samples 10000] [--draws 1,2,3] [--sizes 25,50,100] [--method linear] [--compare "--random-draws 3"]

Twelve hidden states move 60 programmes, each by a function that is mostly not linear (a threshold, a wave, a square, a product); each of 1,000
genes is a sum of one to four programmes and noise of a quarter of its variance. The autoencoder is trained on the samples, and lists with and
without it are judged on 2,000 others by what `compare` predicts of the genes in none of them. A draw is a model of its own. Tables are
written to standard output, steps whose result is in WORK are not done again.
"""

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

STATES, PROGRAMMES, GENES, TEST = 12, 60, 1_000, 2_000
LISTS = {
    "diverse": "--strategy diverse --store {train}",
    "diverse (equal penalties)": "--strategy diverse --penalty equal --store {train}",
    "diverse (blend)": "--strategy diverse --target blend:0.5 --model {model} --store {train}",
    "diverse (reconstruction)": "--strategy diverse --target reconstruction --model {model} --store {train}",
    "css": "--strategy css --store {train}",
    "top (DeepLIFT)": "{scores}",
}
SHAPES = [
    lambda a, b: a,
    lambda a, b: np.maximum(a - 0.5, 0),
    lambda a, b: a * a,
    lambda a, b: np.sin(2 * a),
    lambda a, b: (a > 0.8).astype(float),
    lambda a, b: a * b,
]


def made_up(rng, samples):
    """Values [samples × genes] of one model; rows are independent."""
    directions = rng.normal(size=(2, STATES, PROGRAMMES)) * (rng.random((2, STATES, PROGRAMMES)) < 0.25)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
    loadings = np.zeros((PROGRAMMES, GENES))
    for gene in range(GENES):
        own = rng.choice(PROGRAMMES, rng.integers(1, 5), replace=False)
        loadings[own, gene] = rng.normal(size=len(own))
    states = rng.normal(size=(samples, STATES))
    first, second = (states @ d for d in directions)
    active = np.stack([SHAPES[p % len(SHAPES)](first[:, p], second[:, p]) for p in range(PROGRAMMES)], axis=1)
    active = (active - active.mean(0)) / np.maximum(active.std(0), 1e-9)
    values = active @ loadings
    values /= np.maximum(values.std(0), 1e-9)
    return (values + rng.normal(0, 1 / np.sqrt(3), size=values.shape)).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genelift")
    parser.add_argument("work", type=Path)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--draws", default="1,2,3")
    parser.add_argument("--sizes", default="25,50,100")
    parser.add_argument("--method", default="linear", help="of prediction: linear, or kernel, which follows what is not linear")
    parser.add_argument("--compare", default="", help="more options of `genelift compare`")
    parser.add_argument("--train", default="--hidden 300,60,300 --epochs 60", help="options of `genelift train`")
    args = parser.parse_args()

    def genelift(out, command):
        if not out.exists():
            begun = time.monotonic()
            subprocess.run([args.genelift, *command.split(), "-q"], check=True, stdout=subprocess.DEVNULL)
            print(f"$ genelift {command}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)

    results = {}
    for draw in args.draws.split(","):
        work = args.work / f"{args.samples}-{draw}"
        work.mkdir(parents=True, exist_ok=True)
        train, test, model, scores = (work / name for name in ("train.gex", "test.gex", "m.safetensors", "scores.tsv"))
        if not test.exists():
            values = made_up(np.random.default_rng(int(draw)), args.samples + TEST)
            for path, part in ((train, values[TEST:]), (test, values[:TEST])):
                (work / "genes.tsv").write_text("gene\n" + "".join(f"g{i}\n" for i in range(GENES)))
                (work / "samples.tsv").write_text("sample\n" + "".join(f"{path.stem}{i}\n" for i in range(len(part))))
                np.save(work / "x.npy", part)
                genelift(path, f"import {work}/x.npy --genes {work}/genes.tsv --samples {work}/samples.tsv -o {path}")
        genelift(model, f"train {train} -o {model} --seed {draw} {args.train}")
        genelift(scores, f"attribute {model} {train} -o {scores}")
        most = max(map(int, args.sizes.split(",")))
        names = {}
        for name, options in LISTS.items():
            names[name] = work / f"{name.split(' (')[0]}-{len(names)}.tsv"
            options = options.format(train=train, model=model, scores=scores)
            genelift(names[name], f"select {options} -n {most} -o {names[name]} --seed {draw}")
        out = work / f"compare-{args.method}"
        # a short name for each, since options are split at blanks
        lists = " ".join(f"{path.stem}={path}" for path in names.values())
        genelift(out, f"compare --train {train} --test {test} --landmarks {lists} --size {args.sizes} --method {args.method} -o {out} --seed {draw} {args.compare}")
        with open(out / "curve.tsv") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                results.setdefault(row["set"], {}).setdefault(row["n_landmarks"], []).append(float(row["nmse"]))
        shown(results, names)


def shown(results, names):
    told = {path.stem: name for name, path in names.items()}
    sizes = list(next(iter(results.values())))
    print("\n| list | " + " | ".join(sizes) + " |\n| --- |" + " --- |" * len(sizes))
    for stem, by_size in results.items():
        cells = [" ".join(f"{value:.4f}" for value in by_size.get(size, [])) for size in sizes]
        print(f"| {told.get(stem, stem)} | " + " | ".join(cells) + " |", flush=True)


main()
