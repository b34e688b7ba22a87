"""Import of HDF5 matrices against reading the same values into memory by h5py, in one run, best of nine each.

    pip install h5py==3.16.0 numpy==2.4.6
    python scripts/measure_hdf5.py GENELIFT FILE...
"""

import sys
import tempfile
import time
from pathlib import Path

import h5py

from measuring import measured


def read(path):
    with h5py.File(path) as file:
        return file["0/DATA/0/matrix" if "0" in file else "X"][...].nbytes


def timed(path):
    wall, cpu = time.perf_counter(), time.process_time()
    read(path)
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    genelift = sys.argv[1]
    print("file\tMB\th5py_s\timport_s\tratio\th5py_cpu_s\timport_cpu_s\tpeak_MiB")
    for path in sys.argv[2:]:
        size = read(path) / 1e6
        with tempfile.TemporaryDirectory(dir=".") as folder:
            command = [genelift, "import", path, "-o", f"{folder}/s.gex", "--force"]
            # Turn by turn, so that both meet the same load.
            theirs, ours = zip(*[(timed(path), measured(command)) for _ in range(9)])
        best = [min(column) for column in (*zip(*theirs), *zip(*ours))]
        wall, cpu, our_wall, our_cpu, peak = best
        row = [f"{size:.0f}", f"{wall:.3f}", f"{our_wall:.3f}", f"{wall / our_wall:.2f}", f"{cpu:.3f}", f"{our_cpu:.3f}", f"{peak:.0f}"]
        print(Path(path).name, *row, sep="\t")
