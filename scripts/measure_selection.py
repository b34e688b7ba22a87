"""Time and memory of every selection and predictor as samples grow: a Markdown table.

    python3 scripts/measure_selection.py GENELIFT WORK [--samples 1000,10000,111009] [--genes 22268] [-n 943] [--only diverse,linear]

Matrices are made up (`simulate`, 50 programmes, half precision). Memory is the peak of what a process takes for itself (`RssAnon`, read twenty
times a second); the store's own pages, which the system takes back when it needs them, do not count. Seconds are on the clock and, after
the slash, of all cores together, which other work disturbs less. What is in WORK is not made again; rows go to WORK/measured.tsv as they come.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from measuring import of_its_own

SELECT = {
    "diverse": "--strategy diverse",
    "diverse, equal penalties": "--strategy diverse --penalty equal",
    "css": "--strategy css",
    "pca": "--strategy pca",
    "variance": "--strategy variance",
    "peel-off": "--strategy peel-off",
    "facility-location": "--strategy facility-location",
    "k-medoids": "--strategy k-medoids",
}
# intervals, which are five more fits of each, are left out
FIT = {"linear": "--method linear", "kernel": "--method kernel", "knn": "--method knn"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genelift")
    parser.add_argument("work", type=Path)
    parser.add_argument("--samples", default="1000,10000,111009")
    parser.add_argument("--genes", type=int, default=22_268)
    parser.add_argument("-n", type=int, default=943)
    parser.add_argument("--only", help="names of rows, separated by commas and no blank")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    log = args.work / "measured.tsv"
    known = dict(line.split("\t", 1) for line in log.read_text().splitlines()) if log.exists() else {}
    cells = {}
    for samples in map(int, args.samples.split(",")):
        store = args.work / f"{samples}.gex"
        if not store.exists():
            words = f"simulate -o {store} --samples {samples} --genes {args.genes} --dtype f16 --seed 5 -q".split()
            subprocess.run([args.genelift, *words], check=True, stdout=subprocess.DEVNULL)
        landmarks = args.work / f"{samples}-landmarks.tsv"
        for name, options in [*SELECT.items(), *FIT.items()]:
            if args.only and name not in args.only.split(","):
                continue
            key = f"{name} {samples}"
            if key not in known:
                out = landmarks if name == "diverse" else args.work / "out"
                if name in SELECT:
                    words = f"select --store {store} {options} -n {args.n} -o {out} --force"
                else:
                    words = f"fit {store} --landmarks {landmarks} {options} --held-out 0 -o {out}.safetensors --force"
                seconds, cores, peak, failed = of_its_own([args.genelift, *words.split(), "-q"])
                known[key] = failed or f"{seconds:.0f} s / {cores:.0f} s, {peak:,.0f} MiB"
                with open(log, "a") as file:
                    file.write(f"{key}\t{known[key]}\n")
                print(key, known[key], file=sys.stderr, flush=True)
            cells.setdefault(name, []).append(known[key])
    sizes = [f"{int(samples):,}" for samples in args.samples.split(",")]
    print("| | " + " | ".join(sizes) + " |\n| --- |" + " --- |" * len(sizes))
    for name, row in cells.items():
        print(f"| `{name}` | " + " | ".join(row) + " |")


main()
