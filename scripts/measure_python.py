"""Times `genelift.train` on an AnnData beside the command on the same store, in turns, and measures peak memory.

    target/wheel/fresh/bin/python scripts/measure_python.py STORE [EPOCHS] [ROUNDS]

Both are the wheel's. The command's time is that of its whole process; the call's begins when the matrix is in memory. Peaks are of a
process each, above what it had before the call (Linux).
"""

import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

PEAK = """
import sys, numpy as np, scipy.sparse, genelift
store = genelift.Store(sys.argv[1])
adata = store.to_anndata()
if sys.argv[2] == "float64":
    adata.X = adata.X.astype(np.float64)
elif sys.argv[2] == "sparse":
    adata.X = scipy.sparse.csr_matrix(adata.X)
def now(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024
genelift.select(adata[:10, :50].X.copy(), 3, strategy="variance", device="cpu")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = now("VmRSS")
if sys.argv[3] == "train":
    genelift.train(adata, epochs=1, device="cpu")
else:
    genelift.select(adata, 100, strategy="variance", device="cpu")
print(now("VmHWM") - before)
"""


def main():
    import genelift

    path = Path(sys.argv[1])
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    store = genelift.Store(path)
    adata = store.to_anndata()
    command = Path(sysconfig.get_path("scripts")) / "genelift"
    times = {"command": [], "call": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "model"
            start = time.perf_counter()
            words = [command, "train", path, "-o", out, "--epochs", str(epochs), "--device", "cpu", "--quiet"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            times["command"].append(time.perf_counter() - start)
            start = time.perf_counter()
            model = genelift.train(adata, epochs=epochs, device="cpu", progress=False)
            times["call"].append(time.perf_counter() - start)
            assert model.read_bytes() == out.read_bytes(), "the models differ"
    print(f"{store!r}, {epochs} epochs, {rounds} rounds in turns, seconds: median (least to most)")
    for name, seconds in times.items():
        print(f"{name:8} {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})")
    ratios = [call / cli for call, cli in zip(times["call"], times["command"], strict=True)]
    print(f"call/command {statistics.median(ratios):.3f}; least against least {min(times['call']) / min(times['command']):.3f}")
    for kind in ("float32", "float64", "sparse"):
        for work in ("select", "train"):
            done = subprocess.run([sys.executable, "-c", PEAK, path, kind, work], check=True, capture_output=True, text=True)
            print(f"peak above before, MiB: {kind} {work} {float(done.stdout):.0f}")
    print(f"the matrix, MiB: {store.matrix.nbytes / 2**20:.0f}")


if __name__ == "__main__":
    main()
