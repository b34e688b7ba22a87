"""Do samples of a study that was not trained on lie together by label? The table of docs/clustering.md.

    python scripts/labelled_studies.py DATA WORK [--genelift genelift] [--epochs 30]

DATA holds hgu133a/ (613 arrays of 18 accessions) and brca/ (TCGA breast cancer with PAM50). Of the arrays each accession whose labels vary within
it is held out in turn: the network, its scaling and the landmarks come from the others. Of breast cancer a fifth of the patients is held out
by five seeds. Every step is a `genelift` command whose result stays in WORK, so that an interrupted call goes on. Python's own library is enough.
"""

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

STUDIES = ["chowdary", "nakayama", "bladderbatch", "GSE14924", "GSE38666", "GSE24739"]
LANDMARKS = 200
FIGURES = ["rand_tree", "rand_k_means", "information_tree", "information_k_means", "silhouette", "neighbours"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--genelift", default="genelift")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", default="21,22,23,24,25")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    def run(out, command):
        if not out.exists():
            start = time.time()
            subprocess.run([args.genelift, *command.split(), "-o", str(out), "-q"], check=True, stdout=subprocess.DEVNULL)
            print(f"{out}: {time.time() - start:.0f} s", file=sys.stderr, flush=True)
        return out

    rows = []
    arrays = args.data / "hgu133a/samples.tsv"
    raw = run(args.work / "arrays.gex", f"import {args.data}/hgu133a/hgu133a_qnorm_n613x22215.gctx --labels {arrays}")
    samples = list(csv.DictReader(open(arrays), delimiter="\t"))
    for study in STUDIES:
        parts = []
        for name, held_out in [("train", False), ("test", True)]:
            wanted = args.work / f"{study}-{name}.txt"
            wanted.write_text("".join(s["sample_id"] + "\n" for s in samples if (s["accession"] == study) == held_out))
            read = f"{raw}/matrix.npy --genes {raw}/genes.tsv --samples {raw}/samples.tsv --only-samples {wanted}"
            parts.append(run(args.work / f"{study}-{name}.gex", f"import {read}"))
        rows += clustered(args, run, study, "label", *parts)
    raw = run(args.work / "brca.gex", f"import {args.data}/brca/rna.csv.gz --labels {args.data}/brca/pam50.csv")
    for seed in args.seeds.split(","):
        folder = run(args.work / f"brca-{seed}", f"split {raw} --fractions 0.8,0.2 --seed {seed}")
        rows += clustered(args, run, f"breast cancer, split {seed}", "pam50", folder / "train.gex", folder / "test.gex")
    print_table(rows)


def clustered(args, run, name, label, train, test):
    key = train.stem if train.stem != "train" else train.parent.name
    model = run(args.work / f"{key}-model.safetensors", f"train {train} --epochs {args.epochs} --seed 1")
    panel = run(args.work / f"{key}-panel.tsv", f"select --store {train} -n {LANDMARKS} --seed 1")
    folder = run(args.work / f"{key}-clusters", f"cluster {test} --model {model} --landmarks {panel} --label {label} --t-sne 0 --seed 1")
    for row in csv.DictReader(open(folder / "figures.tsv"), delimiter="\t"):
        yield {"data": name, **row}


def print_table(rows):
    print("| held out | samples, labels | space |", " | ".join(FIGURES), "|")
    print("|", " --- |" * (3 + len(FIGURES)))
    for data in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == data]
        best = {f: max((float(r[f]) for r in own if r[f] != "NA"), default=None) for f in FIGURES}
        for row in own:
            cells = []
            for figure in FIGURES:
                value = None if row[figure] == "NA" else float(row[figure])
                text = "–" if value is None else f"{value:.3f}"
                cells.append(f"**{text}**" if value is not None and value == best[figure] else text)
            print(f"| {data} | {row['samples']}, {row['classes']} | {row['space']} |", " | ".join(cells), "|")
    spaces = dict.fromkeys(row["space"] for row in rows)
    print("\nMean over all that were held out:\n\n| space |", " | ".join(FIGURES), "|\n|", " --- |" * (1 + len(FIGURES)))
    for space in spaces:
        own = [row for row in rows if row["space"] == space]
        means = [[float(row[f]) for row in own if row[f] != "NA"] for f in FIGURES]
        print(f"| {space} |", " | ".join(f"{sum(m) / len(m):.3f}" if m else "–" for m in means), "|")


main()
