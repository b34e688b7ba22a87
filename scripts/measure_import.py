"""Peak memory and time of `genelift import` for gene-major TSVs of given sizes, beside pandas.read_csv on the same file.

    pip install numpy==2.4.6 pandas==2.3.3
    python scripts/measure_import.py DIRECTORY 0.1 1 4        (sizes in GB; pandas up to 1 GB)

20,000 genes, four decimals. Each is run alone, genelift and pandas by turns, twice; the better time counts. The file is read
once beforehand, so that the disk plays no part in reading it.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from measuring import measured

GENES = 20_000
BINARY = Path(__file__).resolve().parent.parent / "target" / "release" / "genelift"
PANDAS = "import sys, pandas; x = pandas.read_csv(sys.argv[1], sep='\\t', index_col=0); print(x.shape, file=sys.stderr)"


def make(path, gigabytes):
    samples = max(1, int(gigabytes * 1e9 / GENES / 7.4))
    rng = np.random.default_rng(1)
    pool = np.array([f"\t{v:.4f}".encode() for v in rng.gamma(6, 1.4, 1 << 16)], dtype=object)
    with open(path, "wb") as file:
        file.write(("gene\t" + "\t".join(f"sample_{i}" for i in range(samples)) + "\n").encode())
        for g in range(GENES):
            file.write(f"ENSG{g:011d}".encode() + b"".join(pool[rng.integers(0, 1 << 16, samples)]) + b"\n")


def main():
    directory, sizes = Path(sys.argv[1]), [float(size) for size in sys.argv[2:]]
    print("GB\tprogram\tseconds\tCPU seconds\tMB/s\tpeak MiB", flush=True)
    for size in sizes:
        text, store = directory / f"measure-{size}.tsv", directory / f"measure-{size}.gex"
        make(text, size)
        with open(text, "rb") as file:
            while file.read(1 << 24):
                pass
        commands = {"genelift": [BINARY, "import", text, "-o", store, "--force"]}
        if size <= 1:
            commands["pandas"] = [sys.executable, "-c", PANDAS, text]
        runs = [(name, measured(command)) for _ in range(2) for name, command in commands.items()]
        for name in commands:
            seconds, cpu, peak = min(figures for other, figures in runs if other == name)
            rate = text.stat().st_size / 1e6 / seconds
            print(f"{size}\t{name}\t{seconds:.2f}\t{cpu:.2f}\t{rate:.0f}\t{peak:.0f}", flush=True)
        text.unlink()
        shutil.rmtree(store)


if __name__ == "__main__":
    main()
