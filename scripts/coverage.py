"""Whether `compare`'s intervals hold the true difference as often as they say.

    python scripts/coverage.py GENELIFT WORK independent     # 600 test sets of 60 samples
    python scripts/coverage.py GENELIFT WORK grouped         # 600 test sets of 12 studies of 4 to 15 samples
    python scripts/coverage.py GENELIFT WORK held-out STUDIES [OPTION…]    # 300 sets of so many studies, each held out once
    python scripts/coverage.py - - formula                   # groups held out in turn by NumPy alone: what their variance needs
    python scripts/coverage.py GENELIFT WORK halves TRAIN.gex TEST.gex NAME=LIST NAME=LIST [COLUMN]

The first two make data from hidden factors, fit two sets of landmarks on 80 samples and test them on 600 small stores and a large one, whose
difference is the truth: a 95 % interval should hold it in 92 to 97 % of the runs. The third draws all studies anew, training ones too, two
thirds into the training store, and compares as `compare --group-by` does by itself where few groups are tested, with the options given
(`--method linear`; the predictor is the default one); the truth is the mean over its runs. The last splits real test samples in halves, 100 times: the
interval of one half should hold the other half's estimate in 83 % (two estimates of one spread differ by sqrt(2) times the error of one, and
1.96/sqrt(2) standard deviations hold 83.4 %; with intervals by t over ten groups 86 %). With COLUMN the groups of at least three samples are
drawn in halves, as many in each whatever their sizes: `split`, which evens out samples, puts few large groups on one side and many small ones
on the other, and those are no two draws of one kind.
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np

GENES, FACTORS, RUNS, TRUTH = 60, 8, 600, 30_000
SETS = [("a", range(0, 8)), ("b", range(8, 14))]


def run(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def sample(rng, loadings, study):
    """Values of samples: half of a factor's variance is between studies, where there are any."""
    n = len(study)
    own = rng.normal(size=(n, FACTORS))
    if study.max() > 0:
        centre = rng.normal(size=(study.max() + 1, FACTORS))
        own = np.sqrt(0.5) * own + np.sqrt(0.5) * centre[study]
    return own @ loadings + rng.normal(0, 0.7, size=(n, GENES))


def store(program, path, values, study, name):
    table = path.with_suffix(".tsv")
    header = "\t".join(["sample_id", *(f"gene{g}" for g in range(GENES))])
    rows = ("\t".join([f"{name}_{i}", *map(repr, map(float, row))]) for i, row in enumerate(values))
    table.write_text("\n".join([header, *rows]) + "\n")
    labels = path.with_suffix(".labels.tsv")
    labels.write_text("sample_id\tstudy\n" + "".join(f"{name}_{i}\tstudy{s}\n" for i, s in enumerate(study)))
    run(program, "import", table, "--labels", labels, "-o", path, "--force")
    table.unlink()
    return path


def simulated(program, work, grouped):
    rng = np.random.default_rng(41)
    loadings = rng.normal(size=(FACTORS, GENES)) / np.sqrt(FACTORS)
    sizes = np.arange(4, 16)
    few = np.repeat(np.arange(12), sizes) if grouped else np.zeros(60, dtype=int)
    many = np.repeat(np.arange(4_000), rng.choice(sizes, 4_000)) if grouped else np.zeros(TRUTH, dtype=int)
    train = store(program, work / "train.gex", sample(rng, loadings, np.zeros(80, dtype=int)), np.zeros(80, dtype=int), "train")
    tests = [store(program, work / "truth.gex", sample(rng, loadings, many), many, "truth")]
    tests += [store(program, work / f"t{r}.gex", sample(rng, loadings, few), few, f"t{r}") for r in range(RUNS)]
    groups = ["--group-by", "study", "--hold-out", "split"] if grouped else []
    found = differences(program, work, train, tests, two_lists(work), ["--method", "linear", "--penalty", 10, *groups])
    for measure in ("nmse", "mae", "pcc"):
        truth = found[tests[0].name, measure][0]
        held = [low <= truth <= high for (name, m), (_, low, high) in found.items() if m == measure and name != tests[0].name]
        print(f"{'grouped' if grouped else 'independent'}, {measure}: true difference {truth:.4f}, in {np.mean(held):.1%} of {len(held)} intervals")


def two_lists(work):
    for name, genes in SETS:
        (work / f"{name}.txt").write_text("".join(f"gene{g}\n" for g in genes))
    return [f"{name}={work / name}.txt" for name, _ in SETS]


def held_out(program, work, studies, options):
    rng = np.random.default_rng(43)
    loadings = rng.normal(size=(FACTORS, GENES)) / np.sqrt(FACTORS)
    lists, found = two_lists(work), []
    for run in range(RUNS // 2):
        study = np.repeat(np.arange(studies), rng.integers(4, 16, studies))
        values, trained = sample(rng, loadings, study), study < 2 * studies // 3
        stores = [store(program, work / f"{name}.gex", values[part], study[part], name) for name, part in (("train", trained), ("test", ~trained))]
        found.append(differences(program, work, stores[0], stores[1:], lists, ["--group-by", "study", *options]))
    for measure in ("nmse", "mae", "pcc"):
        rows = np.array([row for one in found for (_, m), row in one.items() if m == measure])
        truth = rows[:, 0].mean()
        held = (rows[:, 1] <= truth) & (truth <= rows[:, 2])
        print(f"{studies} studies held out in turn, {measure}: true difference {truth:.4f}, in {np.mean(held):.1%} of {len(held)} intervals", flush=True)


def formula():
    """Ridge on two sets of hidden factors' genes, each study inferred from all others: how often t with the variance (1 + c)·S²/G holds the mean
    over runs, for c = 0, G/(G - 1) (Nadeau and Bengio) and min(G/(G - 1), 6/G) (the program's)."""
    from scipy import stats

    rng = np.random.default_rng(5)
    loadings = rng.normal(size=(FACTORS, GENES)) / np.sqrt(FACTORS)
    print("between-studies\tsizes\tridge\tset-a\tset-b\tstudies\tplain\tnadeau-bengio\tprogram")
    for share, low, high, ridge, a, b in [(.5, 4, 16, 10, 8, 6), (.2, 4, 16, 10, 8, 6), (.5, 20, 40, 10, 8, 6), (.5, 4, 16, 1, 20, 14),
                                          (.8, 4, 16, 30, 8, 6), (.5, 4, 16, 10, 3, 9)]:
        for studies in (3, 5, 7, 9, 12, 20):
            runs = np.array([of_studies(rng, loadings, share, rng.integers(low, high, studies), ridge, a, b) for _ in range(RUNS)])
            mean, half = runs.mean(axis=1), stats.t.ppf(0.975, studies - 1) * runs.std(axis=1, ddof=1) / np.sqrt(studies)
            corrected = studies / (studies - 1)
            held = [np.mean(abs(mean - mean.mean()) <= half * np.sqrt(1 + c)) for c in (0, corrected, min(corrected, 6 / studies))]
            print(share, f"{low}-{high - 1}", ridge, a, b, studies, *(f"{share:.3f}" for share in held), sep="\t", flush=True)


def of_studies(rng, loadings, share, sizes, ridge, a, b):
    """The difference of the two sets' errors in each study, inferred from the others."""
    draw = lambda n: (np.sqrt(1 - share) * rng.normal(size=(n, FACTORS)) + np.sqrt(share) * rng.normal(size=FACTORS)) @ loadings
    studies = [draw(n) + rng.normal(0, 0.7, size=(n, GENES)) for n in sizes]
    found = []
    for held, test in enumerate(studies):
        train = np.vstack([study for i, study in enumerate(studies) if i != held])
        z, y = ((part - train.mean(axis=0)) / train.std(axis=0) for part in (train, test))
        error = lambda x, new: ((new_of(x, z[:, a + b:], new, ridge) - y[:, a + b:]) ** 2).mean()
        found.append(error(z[:, :a], y[:, :a]) - error(z[:, a:a + b], y[:, a:a + b]))
    return found


def new_of(x, targets, new, ridge):
    return new @ np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ targets)


def differences(program, work, train, tests, lists, more):
    """Of each test and measure the difference of the first pair, with its interval."""
    tests = ",".join(map(str, tests))
    run(program, "compare", "--train", train, "--test", tests, "--landmarks", *lists, "-o", work / "out", "--random-draws", 0, "--force", *more)
    with open(work / "out" / "tests.tsv") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    number = lambda text: float("nan") if text == "NA" else float(text)
    return {(Path(row["test"]).parent.name + "/" + Path(row["test"]).name if "half" in row["test"] else Path(row["test"]).name, row["measure"]):
            tuple(number(row[key]) for key in ("mean_difference", "interval_low", "interval_high")) for row in rows}


def halves(program, work, train, test, lists, column):
    tests, group = [], ["--group-by", column, "--hold-out", "split"] if column else []
    for seed in range(100):
        out = work / f"half{seed}"
        if column:
            halves_of_groups(program, out, Path(test), column, np.random.default_rng(seed))
        else:
            run(program, "split", test, "-o", out, "--fractions", "0.5,0.5", "--seed", seed, "--force")
        tests += [out / "train.gex", out / "test.gex"]
    found = differences(program, work, train, tests, lists, ["--method", "linear", *group])
    for measure in ("nmse", "mae", "pcc"):
        held = []
        for seed in range(100):
            one, other = (found[f"half{seed}/{name}.gex", measure] for name in ("train", "test"))
            held += [a[1] <= b[0] <= a[2] for a, b in ((one, other), (other, one)) if not np.isnan(a[1])]
        print(f"halves, {measure}: the other half's estimate is in {np.mean(held) if held else np.nan:.1%} of {len(held)} intervals")


def halves_of_groups(program, out, test, column, rng):
    with open(test / "samples.tsv") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    groups = np.array([row[column] for row in rows])
    names, sizes = np.unique(groups, return_counts=True)
    names = rng.permutation(names[sizes >= 3])
    assert len(names) >= 20, f"{len(names)} groups of at least three samples: no two halves of ten, and below ten there is no interval"
    values = np.load(test / "matrix.npy", mmap_mode="r")
    out.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", names[::2]), ("test", names[1::2])):
        here = np.flatnonzero(np.isin(groups, part))
        np.save(out / "x.npy", np.asarray(values[here], np.float32))
        (out / "samples.tsv").write_text(f"sample_id\t{column}\n" + "".join(f"{rows[i]['sample_id']}\t{groups[i]}\n" for i in here))
        run(program, "import", out / "x.npy", "--genes", test / "genes.tsv", "--samples", out / "samples.tsv", "-o", out / f"{name}.gex", "--force")


def main():
    program, work, what = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if what == "formula":
        return formula()
    work.mkdir(parents=True, exist_ok=True)
    if what == "halves":
        train, test, *rest = sys.argv[4:]
        halves(program, work, train, test, rest[:2], rest[2] if len(rest) > 2 else None)
    elif what == "held-out":
        held_out(program, work, int(sys.argv[4]), sys.argv[5:])
    else:
        simulated(program, work, what == "grouped")


if __name__ == "__main__":
    main()
