"""Time and peak memory of `genelift import` for TSVs, beside polars' and pandas' reading of the same file.

    pip install numpy==2.4.6 pandas==2.3.3 polars==2.1.0
    python scripts/measure_import.py DIRECTORY 0.1 1 4                                 (GB of 20,000 genes, a row each)
    python scripts/measure_import.py DIRECTORY genes:20000x400 samples:1500x20000 --repeats 15

`genes:20000x400` has a row for each of 20,000 genes, `samples:1500x20000` one for each of 1,500 samples; four decimals. All
run by turns, and the file is read once beforehand, so that the disk plays no part in reading it. genelift is a whole process: it
parses, takes the file's SHA-256, turns, and writes and syncs a new store, which is removed before the next turn. `polars` is `read_csv` alone in a process that is warm;
`polars process` has Python's start and polars' import in it, as `pandas process` has. Ratios are to genelift, of the same turns.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np

from measuring import measured

BINARY = Path(__file__).resolve().parent.parent / "target" / "release" / "genelift"
PANDAS = "import sys, pandas; x = pandas.read_csv(sys.argv[1], sep='\\t', index_col=0); print(x.shape, file=sys.stderr)"
POLARS = "import sys, polars; x = polars.read_csv(sys.argv[1], separator='\\t'); print(x.shape, file=sys.stderr)"
WARM = """
import sys, time, polars
for path in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    x = polars.read_csv(path.rstrip(), separator="\\t")
    print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
    del x
"""


class Warm:
    """A Python process that has polars loaded and times `read_csv` when asked; the first reading is thrown away."""

    def __init__(self, path):
        self.path = path
        pipe = subprocess.PIPE
        self.child = subprocess.Popen([sys.executable, "-c", WARM], stdin=pipe, stdout=pipe, text=True)
        self()

    def __call__(self):
        self.child.stdin.write(f"{self.path}\n")
        self.child.stdin.flush()
        return *map(float, self.child.stdout.readline().split()), float("nan")

    def end(self):
        self.child.stdin.close()
        self.child.wait()


def shape_of(word):
    """What the rows are, how many there are, and how many columns."""
    if ":" in word:
        rows_are, shape = word.split(":")
        return rows_are, *map(int, shape.split("x"))
    return "genes", 20_000, max(1, int(float(word) * 1e9 / 20_000 / 7.4))


def import_anew(text, store):
    """Times an import where no store is in its place: removing one is no part of it."""
    shutil.rmtree(store, ignore_errors=True)
    return measured([BINARY, "import", text, "-o", store])


def make(path, rows_are, rows, columns):
    rng = np.random.default_rng(1)
    pool = np.array([f"\t{v:.4f}".encode() for v in rng.gamma(6, 1.4, 1 << 16)], dtype=object)
    names = {True: "ENSG{:011d}".format, False: "sample_{}".format}
    of_rows, of_columns = names[rows_are == "genes"], names[rows_are != "genes"]
    with open(path, "wb") as file:
        file.write(("name\t" + "\t".join(map(of_columns, range(columns))) + "\n").encode())
        for row in range(rows):
            file.write(of_rows(row).encode() + b"".join(pool[rng.integers(0, 1 << 16, columns)]) + b"\n")
    return path.stat().st_size / 1e6


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("sizes", nargs="+")
    arguments.add_argument("--repeats", type=int, default=2)
    arguments.add_argument("--no-pandas", action="store_true")
    given = arguments.parse_args()
    print("size\tMB\tprogram\tmin s\tmedian s\tmin CPU s\tMB/s\tpeak MiB\tmedian ratio", flush=True)
    for size in given.sizes:
        text, store = given.directory / "measure.tsv", given.directory / "measure.gex"
        megabytes = make(text, *shape_of(size))
        warm = Warm(text)  # reads the file, too
        programs = {
            "genelift": lambda: import_anew(text, store),
            "polars": warm,
            "polars process": lambda: measured([sys.executable, "-c", POLARS, text]),
        }
        if megabytes <= 1000 and not given.no_pandas:
            programs["pandas process"] = lambda: measured([sys.executable, "-c", PANDAS, text])
        turns = [{name: run() for name, run in programs.items()} for _ in range(given.repeats)]
        for name in programs:
            seconds, cpu, peak = zip(*(turn[name] for turn in turns))
            ratio = median(turn[name][0] / turn["genelift"][0] for turn in turns)
            times = f"{min(seconds):.3f}\t{median(seconds):.3f}\t{min(cpu):.3f}\t{megabytes / min(seconds):.0f}"
            print(f"{size}\t{megabytes:.0f}\t{name}\t{times}\t{max(peak):.0f}\t{ratio:.2f}", flush=True)
        warm.end()
        text.unlink()
        shutil.rmtree(store)


if __name__ == "__main__":
    main()
