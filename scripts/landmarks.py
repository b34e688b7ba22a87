"""Makes the tables of docs/landmarks.md: every selection, the L1000 list and random draws side by side on held-out samples.

    python scripts/landmarks.py hgu133a DATA WORK          # or brca, or tcga (trained on arrays, tested on RNA-seq)
    python scripts/landmarks.py print                      # the tables again, from docs/tables

DATA holds the files named below. Every step is a `genelift` command, printed with its seconds (and kept in WORK/times.tsv), whose result
stays in WORK: an interrupted call goes on with the command that was cut off, and other options do again what they change (no path may
have blanks). Each round (a fold of whole accessions, or a random split) has
its own scaling, fitted on its training part, and its own lists. What is compared goes to docs/tables/*.tsv, from which the tables are
printed. Python's own library is enough.

To see that all of it works: --genes 2000 --rounds 2 --sizes 20,40 --tables WORK/tables.
"""

import argparse
import csv
import re
import subprocess
import sys
import time
from pathlib import Path

# name in the tables: options of `genelift select`
STRATEGIES = {
    "diverse": "--strategy diverse",
    "exchange": "--strategy diverse --exchange 1",
    "equal": "--strategy diverse --penalty equal",
    "css": "--strategy css",
    "facility-location": "--strategy facility-location",
    "peel-off": "--strategy peel-off",
    "variance": "--strategy variance",
    "pca": "--strategy pca",
    "k-medoids": "--strategy k-medoids",
    "concrete": "--strategy concrete",
}
BY_SIZE = {"exchange", "pca", "k-medoids", "concrete"}  # the others' lists are cut
BEFORE_SCALING = {"variance"}  # z-scored genes have one variance
LISTS_OF = {"adapted": "splits"}  # a design with the rounds and lists of another
ON_REQUEST = {"concrete", "top"}
DRAWS = {"linear": 20, "kernel": 5, "mlp": 5}
METHOD = {"linear": "--method linear", "kernel": "--method kernel", "mlp": "--method mlp --hidden 1000 --early-stop 20"}
COLUMNS = ["method", "N", "set", "genes", "targets", "samples", "nmse", "nmse_sd_of_draws", "pcc", "r2_median", "pass", "rank", "draws",
           "worse_than_diverse", "low", "high", "p", "over", "units"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=[*DATASETS, "print"])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("work", type=Path, nargs="?")
    parser.add_argument("--genelift", default="genelift")
    parser.add_argument("--tables", type=Path, default=Path(__file__).parent.parent / "docs/tables")
    parser.add_argument("--sizes", default="50,100,200,400")
    parser.add_argument("--methods", default="linear,kernel", help="predictors; linear is always the first [linear,kernel]")
    parser.add_argument("--mlp", default="", help="sizes at which the network is fitted too, e.g. 100")
    parser.add_argument("--more", default="", help="further lists: concrete, top (trains an autoencoder a round)")
    parser.add_argument("--without", default="", help="strategies to leave out, e.g. peel-off,k-medoids,facility-location: hours on 22,000 genes")
    parser.add_argument("--designs", default="", help="only these, e.g. accessions")
    parser.add_argument("--folds", type=int, default=10, help="folds of whole accessions; 0 is one each [10]")
    parser.add_argument("--splits", default="21,22,23,24,25", help="seeds of random splits [21,22,23,24,25]")
    parser.add_argument("--draws", type=int, help="random sets of each size [linear: 20; else 5]")
    parser.add_argument("--genes", type=int, help="only so many genes, those of largest variance: a trial")
    parser.add_argument("--rounds", type=int, help="only the first folds and splits: a trial")
    args = parser.parse_args()
    if args.dataset != "print":
        if args.work is None:
            parser.error("DATA and WORK are missing")
        campaign(args)
    for table in sorted(args.tables.glob("*.tsv")):
        if not table.stem.endswith(("-curve", "-equals")):
            report(table)


# Commands

class Runner:
    """Runs `genelift` unless the result is there, by the same command, and no older than what it is made from. What a command writes is
    whole or not at all."""

    def __init__(self, program, work):
        self.program, self.log, self.known = program, work / "times.tsv", {}
        if self.log.exists():
            self.known = {out: command for out, _, command in (line.split("\t") for line in self.log.read_text().splitlines())}

    def __call__(self, out, command, files=(), made_from=()):
        """Words are split at blanks; the output is `out`, a folder of these files where there are any."""
        made = [Path(out) / file for file in files or [""]]
        if not self.is_kept(str(out), command, made, made_from):
            words = [self.program, *command.split(), "-o", str(out), "-q"] + ["--force"] * Path(out).exists()
            print(time.strftime("%H:%M:%S"), "$", " ".join(words), file=sys.stderr, flush=True)
            Path(out).parent.mkdir(parents=True, exist_ok=True)
            start = time.time()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            seconds = time.time() - start
            print(f"         {seconds:.0f} s", file=sys.stderr, flush=True)
            with open(self.log, "a") as log:
                log.write(f"{out}\t{seconds:.1f}\t{command}\n")
        return Path(out)

    def is_kept(self, out, command, made, made_from):
        if self.known.get(out) != command or not all(file.exists() for file in made):
            return False
        named = [Path(word) for word in re.split("[ ,=]", command) if "/" in word or "." in word]
        inputs = [path for path in [*named, *map(Path, made_from)] if path.exists()]
        return max(map(changed, inputs), default=0) <= min(map(changed, made))


def changed(path):
    """When a file, or one in a folder, was last written."""
    return max([path.stat().st_mtime, *(file.stat().st_mtime for file in path.iterdir())]) if path.is_dir() else path.stat().st_mtime


def campaign(args):
    args.work.mkdir(parents=True, exist_ok=True)
    run = Runner(args.genelift, args.work)
    for design, panel, options, rounds in DATASETS[args.dataset](args, run):
        if args.designs and design not in args.designs.split(","):
            continue
        folder = args.work / design
        rounds = [round(number) for number, round in enumerate(rounds[:args.rounds], 1)]
        chosen = args.work / LISTS_OF.get(design, design)
        lists = [select(args, run, chosen, number, *parts) for number, parts in enumerate(rounds, 1)]
        files, made = lists[0][0], [path for _, made in lists for path in made]
        compared = compare(args, run, folder, panel, options, rounds, files, made)
        write(args.tables, f"{args.dataset}-{design}", compared, folder)


def table(path):
    with open(path, newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


def write_lines(path, lines):
    """The file is whole when it is there; one that says the same stays."""
    text = "".join(line + "\n" for line in lines)
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_text(text)
    path.with_suffix(".part").rename(path)


# Data sets: of each design its name, the list of L1000, options of the comparison, and functions that make a round's (training
# part as it was measured, the same z-scored, test part z-scored).

def fewer_genes(args, run, store):
    if not args.genes:
        return store
    keep = run(store.with_suffix(".few.tsv"), f"select --store {store} --strategy variance -n {args.genes}")
    return run(store.with_suffix(".few.gex"), f"prepare {store} --match-genes {keep}")


def scaled(run, train, test):
    """Both as the training part has it."""
    fitted = run(train.with_suffix(".z.gex"), f"prepare {train} --zscore")
    return train, fitted, run(test.with_suffix(".z.gex"), f"prepare {test} --like {fitted}")


def accession_folds(store, folds):
    """Samples by fold: the largest accession first, each to the fold with fewest samples."""
    by_accession = {}
    for row in table(store / "samples.tsv"):
        by_accession.setdefault(row["accession"], []).append(row["sample_id"])
    folds = min(folds or len(by_accession), len(by_accession))
    parts = [[] for _ in range(folds)]
    for _, samples in sorted(by_accession.items(), key=lambda item: (-len(item[1]), item[0])):
        min(parts, key=len).extend(samples)
    return parts


def fold_of(run, store, folder, samples):
    """A function that makes the round that holds `samples` out."""
    def parts(number):
        held, stores = set(samples), []
        for name, held_out in [("train", False), ("test", True)]:
            ids = [row["sample_id"] for row in table(store / "samples.tsv")]
            wanted = folder / f"{number}-{name}.txt"
            write_lines(wanted, [sample for sample in ids if (sample in held) == held_out])
            read = f"{store}/matrix.npy --genes {store}/genes.tsv --samples {store}/samples.tsv --only-samples {wanted}"
            stores.append(run(folder / f"{number}-{name}.gex", f"import {read}"))
        return scaled(run, *stores)
    return parts


def split_of(run, store, folder, seed, options):
    """A function that makes a random split."""
    def parts(number):
        out = folder / f"split-{seed}"
        run(out, f"split {store} --fractions 0.8,0.2 {options} --seed {seed}", ["train.gex", "test.gex"])
        return out / "train.gex", out / "test.gex"
    return parts


def hgu133a(args, run):
    data, work = args.data, args.work
    raw = run(work / "raw.gex", f"import {data}/hgu133a/hgu133a_qnorm_n613x22215.gctx --labels {data}/hgu133a/samples.tsv")
    raw = fewer_genes(args, run, raw)
    panel = work / "l1000.txt"
    write_lines(panel, [line.split("\t")[2] for line in open(data / "lists/map_lm.txt").read().splitlines()])
    options = f"--map {data}/lists/hgu133a_probe_gene.tsv --drop-leaks --group-by accession"
    folds = [fold_of(run, raw, work / "accessions", samples) for samples in accession_folds(raw, args.folds)]
    yield "accessions", panel, options, folds
    splits = [split_of(run, raw, work / "splits", seed, "--group-by accession") for seed in seeds(args)]
    yield "splits", panel, options, [then_scaled(run, split) for split in splits]


def brca(args, run):
    raw = fewer_genes(args, run, run(args.work / "raw.gex", f"import {args.data}/brca/rna.csv.gz"))
    splits = [split_of(run, raw, args.work / "splits", seed, "") for seed in seeds(args)]
    yield "splits", "l1000", "", [then_scaled(run, split) for split in splits]


def tcga(args, run):
    """Arrays and RNA-seq as docs/cross-platform.md makes them comparable: RNA-seq takes the quantiles of the training part, and its own z-scores,
    which take away each platform's offset. Each split leaves other accessions out of the training."""
    data, work = args.data, args.work
    probes = run(work / "probes.gex", f"import {data}/hgu133a/hgu133a_qnorm_n613x22215.gctx --labels {data}/hgu133a/samples.tsv")
    seq = run(work / "seq.gex", f"import {data}/tcga6/tcga_rnaseq_6cohorts_n350x20531.h5ad")
    genes = run(work / "genes.gex", f"prepare {probes} --collapse-probes {data}/lists/hgu133a_probe_gene.tsv")
    genes = fewer_genes(args, run, genes)
    matched = run(work / "seq-matched.gex", f"prepare {seq} --match-genes {genes} --missing-genes drop")
    array = run(work / "array.gex", f"prepare {genes} --match-genes {matched}")

    def mapped(split):
        def parts(number):
            train, _ = split(number)
            test = train.with_name("seq-z.gex")
            run(test, f"prepare {matched} --map-quantiles-to {train} --zscore")
            return train, run(train.with_suffix(".z.gex"), f"prepare {train} --zscore"), test
        return parts

    splits = [split_of(run, array, work / "splits", seed, "--group-by accession") for seed in seeds(args)]
    yield "splits", "l1000", "--group-by accession --hold-out split", [mapped(split) for split in splits]
    yield "adapted", "l1000", "--group-by accession --hold-out split --adapt", [mapped(split) for split in splits]


def seeds(args):
    return args.splits.split(",")


def then_scaled(run, split):
    return lambda number: scaled(run, *split(number))


DATASETS = {"hgu133a": hgu133a, "brca": brca, "tcga": tcga}


# Lists and comparisons

def select(args, run, folder, number, raw, train, test):
    """Every strategy's list of a round, chosen by its training part alone: names of files, with {size} and {round} in them, and the
    files."""
    sizes, more = args.sizes.split(","), args.more.split(",")
    files, made = {}, []
    for name, options in STRATEGIES.items():
        if (name in ON_REQUEST and name not in more) or name in args.without.split(","):
            continue
        store = raw if name in BEFORE_SCALING else train
        files[name] = folder / "lists" / (f"{name}-{{size}}-{{round}}.tsv" if name in BY_SIZE else f"{name}-{{round}}.tsv")
        # across platforms a list is chosen among genes that the test samples have too
        for size in sizes if name in BY_SIZE else sizes[-1:]:
            path = Path(str(files[name]).replace("{size}", size).replace("{round}", str(number)))
            made.append(path)
            run(path, f"select --store {store} {options} --measured-in {test} --seed {number} -n {size}")
    if "top" in more:
        model = run(folder / f"{number}-model.safetensors", f"train {train} --seed {number}")
        scores = run(folder / f"{number}-scores.tsv", f"attribute {model} {train} --seed {number}")
        files["top"] = folder / "lists/top-{round}.tsv"
        path = folder / f"lists/top-{number}.tsv"
        made.append(run(path, f"select {scores} --strategy top --measured-in {test} -n {sizes[-1]}"))
    return files, made


def compare(args, run, folder, panel, options, rounds, files, made):
    """Every predictor at every size: {(method, size): folder}. All sizes of `linear` have one set of targets, which the others take."""
    sizes = args.sizes.split(",")
    trains, tests = (",".join(str(parts[i]) for parts in rounds) for i in (1, 2))
    lists = " ".join(f"{name}={path}" for name, path in files.items())
    lists = lists if len(rounds) > 1 else lists.replace("{round}", "1")
    stores = f"compare --train {trains} --test {tests} --landmarks {lists} --subsets L1000={panel} --seed 1 {options}"

    def one(out, method, size, more=""):
        return run(out, f"{stores} --size {size} {METHOD[method]} --random-draws {args.draws or DRAWS[method]} {more}", made_from=made)

    linear = one(folder / "linear", "linear", args.sizes)
    found = {("linear", size): linear / size if len(sizes) > 1 else linear for size in sizes}
    targets = folder / "targets.tsv"
    write_lines(targets, ["gene_id", *dict.fromkeys(row["gene_id"] for row in table(found["linear", sizes[0]] / "genes.tsv"))])
    others = [(method, size) for method in args.methods.split(",") if method != "linear" for size in sizes]
    for method, size in others + [("mlp", size) for size in args.mlp.split(",") if size]:
        found[method, size] = one(folder / f"{method}-{size}", method, size, f"--targets {targets}")
    return found


# Tables

def write(tables, name, compared, folder):
    """The small files that the tables are printed from."""
    lines = ["\t".join(COLUMNS)]
    for (method, size), out in compared.items():
        lines += ["\t".join(str(row[column]) for column in COLUMNS) for row in rows(method, size, out)]
    write_lines(tables / f"{name}.tsv", lines)
    for kind in ["curve", "equals"]:
        if (folder / f"linear/{kind}.tsv").exists():
            found = list(table(folder / f"linear/{kind}.tsv"))
            columns = [column for column in found[0] if column != "test"]
            shown = [row for row in found if kind == "curve" or row["set"] == "diverse"]
            write_lines(tables / f"{name}-{kind}.tsv",
                        ["\t".join(columns), *("\t".join(short(row[column]) for column in columns) for row in shown)])


def short(text):
    """Six digits of a number."""
    return f"{float(text):.6g}" if text.lstrip("-").replace(".", "", 1).replace("e-", "", 1).isdigit() else text


def rows(method, size, out):
    summary = list(table(out / "summary.tsv"))
    spread = {row["set"]: row["nmse_mean"] for row in summary if row["kind"] == "draws sd"}
    ranks = {row["set"]: row for row in table(out / "ranks.tsv") if row["measure"] == "nmse"}
    beside = {row["b"]: row for row in table(out / "tests.tsv") if row["measure"] == "nmse" and row["a"] == "diverse"}
    for row in summary:
        drawn = row["kind"] == "draws mean" and row["n_landmarks"] == size
        if row["kind"] != "set" and not drawn:  # a short list has random draws of its own length
            continue
        name = row["set"].removesuffix(f"-{size}")
        if row["kind"] == "set" and int(row["n_landmarks"]) > int(size):
            name += f", all {row['n_landmarks']}"
        rank, test = ranks.get(row["set"], {}), beside.get(row["set"], {})
        less = lambda column: short(str(0.0 - float(test[column]))) if test.get(column, "NA") != "NA" else "NA"
        yield {
            "method": method, "N": size, "set": name, "genes": row["n_landmarks"], "targets": row["n_targets"], "samples": row["n_samples"],
            "nmse": short(row["nmse_mean"]), "nmse_sd_of_draws": short(spread.get(row["set"], "NA")), "pcc": short(row["pcc_mean"]),
            "r2_median": short(row["r2_median"]), "pass": short(row["permutation_share"]), "rank": rank.get("rank", "NA"),
            "draws": rank.get("draws", "NA"), "worse_than_diverse": less("mean_difference"), "low": less("interval_high"),
            "high": less("interval_low"), "p": short(test.get("p", "NA")), "over": test.get("over", "NA"), "units": test.get("units", "NA"),
        }


def report(path):
    """The tables of one data set and design: errors, R², and where `diverse` is ahead and behind."""
    found = list(table(path))
    print(f"\n### {path.stem}")
    for method in dict.fromkeys(row["method"] for row in found):
        of = {(row["set"], row["N"]): row for row in found if row["method"] == method}
        sizes = list(dict.fromkeys(size for _, size in of))
        targets = "–".join(dict.fromkeys(row["targets"] for row in of.values()))
        over = next((f"{row['units']} {row['over']}" for row in of.values() if row["over"] != "NA"), "")
        print(f"\n**{method}**, {targets} targets, intervals over {over}\n")
        names = sorted(dict.fromkeys(name for name, _ in of), key=lambda name: last(of, name, sizes))
        grid("MSE/var", names, sizes, lambda name, size: error_cell(of, name, size, names))
        grid("median R²", names, sizes, lambda name, size: f"{float(of[name, size]['r2_median']):.3f}" if (name, size) in of else "")
        goals(of, names, sizes)
    curves(path)


def last(of, name, sizes):
    rows = [of[name, size] for size in sizes if (name, size) in of]
    return -len(rows), float(rows[-1]["nmse"])


def grid(title, names, sizes, cell):
    print(f"| {title} | " + " | ".join(f"N = {size}" for size in sizes) + " |")
    print("| --- " * (len(sizes) + 1) + "|")
    for name in names:
        print(f"| {name} | " + " | ".join(cell(name, size) for size in sizes) + " |")
    print()


def error_cell(of, name, size, names):
    """The error, the best in bold; how many percent more than that of `diverse`, with the interval."""
    if (name, size) not in of:
        return ""
    row, ours = of[name, size], float(of["diverse", size]["nmse"])
    text = f"{float(row['nmse']):.4f}"
    if float(row["nmse"]) == min(float(of[n, size]["nmse"]) for n in names if (n, size) in of and "all" not in n.split()):
        text = f"**{text}**"
    more = [f"{100 * float(row[column]) / ours:+.1f}" for column in ("worse_than_diverse", "low", "high") if row[column] != "NA"]
    return text + (f" ({more[0]} %, {more[1]} to {more[2]})" if len(more) == 3 else f" ({more[0]} %)" if more else "")


def goals(of, names, sizes):
    """Of each size the rivals that `diverse` is ahead of, level with and behind, by the intervals."""
    for size in sizes:
        ahead, level, behind = [], [], []
        for name in names:
            row = of.get((name, size))
            if row is None or row["low"] == "NA":
                continue
            (ahead if float(row["low"]) > 0 else behind if float(row["high"]) < 0 else level).append(name)
        parts = [f"{word} {', '.join(group)}" for word, group in
                 [("ahead of", ahead), ("level with", level), ("behind", behind)] if group]
        print(f"* N = {size}: `diverse` is {'; '.join(parts) or 'without intervals'}")


def curves(path):
    curve, equals = (path.with_name(f"{path.stem}-{kind}.tsv") for kind in ("curve", "equals"))
    if curve.exists():
        enough = {row["set"]: row["enough"] for row in table(curve)}
        print("* By `linear`, the N beyond which the gain is within the interval:", ", ".join(
            f"{name} {'none of these' if n == 'NA' else n}" for name, n in enough.items()))
    if equals.exists():
        shown = [row for row in table(equals) if row["other"].startswith(("random", "L1000"))]
        at = lambda n: "more than these" if n == "NA" else f"{float(n):.0f}"
        print("* By `linear`, genes of `diverse` that equal", ", ".join(
            f"{row['n_other']} of {row['other']}: {at(row['equal_at'])}" for row in shown))


if __name__ == "__main__":
    main()
