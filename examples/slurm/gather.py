"""What an array left (study.sh): a set's error against its size, over the splits, as a table of tab-separated values.

    python3 gather.py STUDY [--splits 1,2,3] [--sets diverse,css] [--measure nmse]

Of every set and size: the mean over the splits, the standard deviation between them, how many there are, and in how many of them the set was
the best of its size. Splits share samples, so the spread between them is too small for a test of their own: `genelift compare` with all of them in one call has the
correction of Nadeau and Bengio. What is missing is named on standard error, and the exit code is then 1. Python's standard library is enough.
"""

import argparse
import csv
import statistics
import sys
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--splits", help="those that there should be")
    parser.add_argument("--sets", help="those that there should be")
    parser.add_argument("--measure", default="nmse", help="a column of curve.tsv")
    args = parser.parse_args()
    splits = args.splits.split(",") if args.splits else sorted(p.name.removeprefix("split-") for p in args.study.glob("split-*"))
    found, missing = {}, []
    for split in splits:
        folder = args.study / f"split-{split}"
        curve = folder / "comparison" / "curve.tsv"
        if not curve.exists():
            lists = [name for name in (args.sets or "").split(",") if name and not (folder / f"{name}.tsv").exists()]
            missing.append(f"{curve}" + (f" (of {', '.join(lists)} there is no list yet)" if lists else ""))
            continue
        with open(curve, newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                found.setdefault((int(row["n_landmarks"]), row["set"]), {})[split] = float(row[args.measure])
    best = {}
    for (size, name), values in found.items():
        for split, value in values.items():
            best[size, split] = min(best.get((size, split), (value, name)), (value, name))
    print("\t".join(["n_landmarks", "set", f"mean_{args.measure}", "sd", "splits", "best_of_splits"]))
    for (size, name), values in sorted(found.items(), key=lambda item: (item[0][0], statistics.mean(item[1].values()))):
        sd = f"{statistics.stdev(values.values()):.5f}" if len(values) > 1 else "NA"
        first = sum(best[size, split][1] == name for split in values)
        print("\t".join([str(size), name, f"{statistics.mean(values.values()):.5f}", sd, str(len(values)), str(first)]))
    for path in missing:
        print(f"missing: {path}", file=sys.stderr)
    sys.exit(1 if missing else 0)


main()
