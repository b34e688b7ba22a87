"""Import of HDF5 matrices against reading the same values into memory by h5py, in one run, best of five each.

    pip install h5py==3.16.0 numpy==2.4.6
    python scripts/measure_hdf5.py GENELIFT FILE...
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py


def best(run, times=5):
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def read(path):
    with h5py.File(path) as file:
        return file["0/DATA/0/matrix" if "0" in file else "X"][...].nbytes


if __name__ == "__main__":
    genelift = sys.argv[1]
    print("file\tMB\th5py_s\timport_s\tratio\tpeak_MiB")
    for path in sys.argv[2:]:
        size = read(path) / 1e6
        with tempfile.TemporaryDirectory(dir=".") as folder:
            command = [genelift, "import", path, "-o", f"{folder}/s.gex", "--force"]
            ours = best(lambda: subprocess.run(command, check=True, capture_output=True))
            timed = subprocess.run(["/usr/bin/time", "-f", "%M", *command], check=True, capture_output=True, text=True)
        theirs = best(lambda: read(path))
        peak = int(timed.stderr.split()[-1]) / 1024
        print(f"{Path(path).name}\t{size:.0f}\t{theirs:.3f}\t{ours:.3f}\t{theirs / ours:.2f}\t{peak:.0f}")
