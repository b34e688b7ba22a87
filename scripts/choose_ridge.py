"""Chooses the constant of `diverse --penalty uniqueness` by leaving data sets out, and judges it on splits of their own.

    python scripts/choose_ridge.py GENELIFT DATA WORK [--sizes 50,100,200] [--splits 31,32,33] [--fresh 41,42,43]

For each constant c, on the random splits of the three data sets of `landmarks.py`, the error of ridge predictions with the genes that
`--penalty uniqueness --ridge c` takes is divided by that of `diverse` with equal penalties; a set's figure is the mean over sizes and splits, with its standard error over splits.
The c of least mean over two sets is judged on the third, on fresh splits, beside the c of least mean over all three. A Markdown table; steps whose
result is in WORK are not done again.
"""

import argparse
from pathlib import Path
from statistics import mean, stdev

import landmarks

RIDGES = ["1", "1.5", "2", "2.5"]


def ratios(args, dataset, seeds):
    """{c: [mean ratio over sizes, by split]}: the sizes of a split are no independent figures."""
    given = argparse.Namespace(**vars(args), folds=6, more="", without="", methods="linear", mlp="")
    given.splits, given.work = seeds, args.work / dataset
    given.work.mkdir(parents=True, exist_ok=True)
    run = landmarks.Runner(args.genelift, given.work)
    design, panel, options, rounds = next(d for d in landmarks.DATASETS[dataset](given, run) if d[0] == "splits")
    # each split by itself: its lists come from its training part
    options += " --hold-out split" * ("--group-by" in options and "--hold-out" not in options)
    found = {c: [] for c in args.ridges.split(",")}
    for seed, parts in zip(seeds.split(","), rounds):
        folder = args.work / dataset / f"{design}-{seed}"
        stores = parts(1)
        files, made = landmarks.select(given, run, folder, 1, *stores)
        compared = landmarks.compare(given, run, folder, panel, options, [stores], files, made)
        by_size = {c: [] for c in found}
        for (_, size), out in compared.items():
            error = {row["set"]: float(row["nmse_mean"]) for row in landmarks.table(out / "summary.tsv") if row["kind"] == "set"}
            named = {name.removesuffix(f"-{size}"): value for name, value in error.items()}
            for c in found:
                by_size[c].append(named[f"c{c}"] / named["diverse"])
        for c in found:
            found[c].append(mean(by_size[c]))
    return found


def per_cent(values):
    off = [100 * (value - 1) for value in values]
    return f"{mean(off):+.2f} ± {stdev(off) / len(off) ** 0.5:.2f} %" if len(off) > 1 else f"{off[0]:+.2f} %"


def best(found, sets):
    return min(found[sets[0]], key=lambda c: mean(mean(found[s][c]) for s in sets))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genelift")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--sizes", default="50,100,200")
    parser.add_argument("--splits", default="31,32,33")
    parser.add_argument("--fresh", default="41,42,43")
    parser.add_argument("--ridges", default=",".join(RIDGES))
    parser.add_argument("--genes", type=int, help="only so many genes, those of largest variance: a trial")
    args = parser.parse_args()
    unique = {f"c{c}": f"--strategy diverse --penalty uniqueness --ridge {c}" for c in args.ridges.split(",")}
    landmarks.STRATEGIES = {"diverse": "--strategy diverse --penalty equal", **unique}
    landmarks.DRAWS = {"linear": 2}
    sets = list(landmarks.DATASETS)
    found = {dataset: ratios(args, dataset, args.splits) for dataset in sets}
    print("| c | " + " | ".join(sets) + " |\n| --- |" + " --- |" * len(sets))
    for c in args.ridges.split(","):
        print(f"| {c} | " + " | ".join(per_cent(found[s][c]) for s in sets) + " |")
    overall = best(found, sets)
    chosen = {s: best(found, [other for other in sets if other != s]) for s in sets}
    print(f"\nc chosen on all three: {overall}. Fresh splits:\n\n| set | c of the other two | error | c of all three | error |\n| --- | --- | --- | --- | --- |")
    for s in sets:
        fresh = ratios(args, s, args.fresh)
        print(f"| {s} | {chosen[s]} | {per_cent(fresh[chosen[s]])} | {overall} | {per_cent(fresh[overall])} |", flush=True)


main()
