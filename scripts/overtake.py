"""From how many samples on does D-GEX's network infer better than ridge and kernel ridge? On made-up data: docs/predictors.md.

    python scripts/overtake.py WORK [--genelift PATH] [--samples 300,1000,3000,10000] [--kinds linear,saturating,products]

Ten hidden programmes, standard normal; 50 landmarks that are linear in them, with noise of a fifth of their variance, and 450 targets with
noise of a tenth: `linear` in the programmes; `saturating`, tanh of twice a linear form; `products`, half of the variance from a linear form and
half from three products of two programmes. The network is trained as by default, but ends after 20 epochs without a better one. What is
printed is the mean squared error in 1,000 other samples over the training variance; the noise alone is 0.1 of it. Needs NumPy; every step is a
`genelift` command that leaves its result in WORK.
"""

import argparse
import subprocess
import time
from pathlib import Path

import numpy as np

PROGRAMMES, LANDMARKS, TARGETS, TEST = 10, 50, 450, 1000


def unit(values):
    return (values - values.mean(0)) / values.std(0)


def made(kind, n, seed):
    """(n + TEST) × genes; the first samples of a larger set are those of a smaller one."""
    shape, draws = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    loadings = shape.normal(size=(PROGRAMMES, LANDMARKS + TARGETS))
    loadings /= np.linalg.norm(loadings, axis=0)
    pairs = np.stack([[shape.choice(PROGRAMMES, 2, replace=False) for _ in range(3)] for _ in range(TARGETS)])
    rows = draws.normal(size=(12_000, PROGRAMMES + LANDMARKS + TARGETS))
    z, noise = rows[:, :PROGRAMMES], rows[:, PROGRAMMES:]
    linear = z @ loadings
    products = (z[:, pairs[..., 0]] * z[:, pairs[..., 1]]).sum(2)
    targets = {
        "linear": linear[:, LANDMARKS:],
        "saturating": np.tanh(2 * linear[:, LANDMARKS:]),
        "products": unit(linear[:, LANDMARKS:]) + unit(products),
    }[kind]
    signal = np.hstack([np.sqrt(0.8) * unit(linear[:, :LANDMARKS]), np.sqrt(0.9) * unit(targets)])
    values = signal + noise * np.sqrt(np.repeat([0.2, 0.1], [LANDMARKS, TARGETS]))
    return 8 + np.vstack([values[TEST : TEST + n], values[:TEST]]).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--genelift", default="genelift")
    parser.add_argument("--samples", default="300,1000,3000,10000")
    parser.add_argument("--kinds", default="linear,saturating,products")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    def genelift(out, *words):
        if not out.exists():
            subprocess.run([args.genelift, *map(str, words), "-o", str(out), "-q"], check=True, stdout=subprocess.DEVNULL)

    def error(train, test, method, *options):
        fitted = args.work / f"{train.stem}.{method}.safetensors"
        start = time.time()
        genelift(fitted, "fit", train, "--landmarks", landmarks, "--held-out", 0, *options)
        seconds = time.time() - start
        completed = args.work / f"{train.stem}.{method}.gex"
        genelift(completed, "predict", fitted, test, "--replace")
        genes = (completed / "genes.tsv").read_text().splitlines()[1:]
        places = np.array([int(line.split("\t")[0].split("_")[1]) - 1 for line in genes])
        inferred = np.load(completed / "matrix.npy")[:, np.argsort(places)][:, -TARGETS:]
        truth = np.load(test / "matrix.npy")[:, -TARGETS:]
        known = np.load(train / "matrix.npy")[:, -TARGETS:]
        return np.mean((inferred - truth) ** 2 / known.var(0)), seconds

    landmarks = args.work / "landmarks.txt"
    landmarks.write_text("".join(f"gene_{i + 1}\n" for i in range(LANDMARKS)))
    names = args.work / "genes.tsv"
    names.write_text("gene_id\n" + "".join(f"gene_{i + 1}\n" for i in range(LANDMARKS + TARGETS)))
    print("kind\tsamples\tmethod\terror\tseconds", flush=True)
    for kind in args.kinds.split(","):
        for n in map(int, args.samples.split(",")):
            values, name = made(kind, n, args.seed), f"{kind}-{n}-{args.seed}"
            parts = []
            for part, rows in [("train", values[:n]), ("test", values[n:])]:
                matrix, store = args.work / f"{name}-{part}.npy", args.work / f"{name}-{part}.gex"
                np.save(matrix, rows)
                samples = matrix.with_suffix(".tsv")
                samples.write_text("sample_id\n" + "".join(f"{part}_{i + 1}\n" for i in range(len(rows))))
                genelift(store, "import", matrix, "--genes", names, "--samples", samples)
                parts.append(store)
            methods = {"linear": [], "kernel": [], "mlp": ["--early-stop", 20]}
            for method, more in methods.items():
                found, seconds = error(*parts, method, "--method", method, *more)
                print(f"{kind}\t{n}\t{method}\t{found:.4f}\t{seconds:.0f}", flush=True)


main()
