"""Does to genelift what computers do: kills it at random moments, lets two processes write one output, fills the disk, flips bytes.

    python3 scripts/faults.py target/release/genelift [kills] [races] [full] [flips] [--seed 1] [--scale 1]

kills   kill -9 of every command at random moments; after each the output is old, new or not there, the same command again ends with
        the bytes of an undisturbed one (but for times), leaves nothing else, and a training does at most a checkpoint's interval again
races   the same command twice at once: one wins and the other is told, or both one after the other; the output is whole
full    a small file system (needs root: a tmpfs is mounted), filled by every command that writes: exit 1, one message, the old output whole
flips   bytes flipped and files cut short in everything that genelift writes: a command that reads it refuses it (verify does), or the
        change is harmless and is named

Prints a table of counts; ends with 1 where something was not right. --scale 0.1 is the short form.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import kill_at_renames

CPU = "--device cpu --threads 1".split()
NO_DEVICE = ("simulate", "split", "info", "import", "verify", "figures", "report")

# what is run, and what it writes
COMMANDS = {
    "simulate": ("simulate -o out.gex --samples 3000 --genes 400 --rank 5 --force", ["out.gex"]),
    "import": ("import table.csv -o out.gex --force", ["out.gex"]),
    "prepare": ("prepare s.gex -o out.gex --quantile-normalize --zscore --force", ["out.gex"]),
    "split": ("split s.gex -o out --fractions 0.5,0.5 --force", ["out"]),
    "train": ("train s.gex -o out --epochs 12 --hidden 40,8,40 --batch 32 --history out.tsv", ["out", "out.tsv"]),
    "evaluate": ("evaluate m s.gex -o out --force", ["out"]),
    "attribute": ("attribute m s.gex -o out --force", ["out", "out.json"]),
    "select": ("select --strategy diverse --store s.gex -n 30 -o out --force", ["out", "out.json"]),
    "fit": ("fit s.gex --landmarks landmarks -o out --method linear --force", ["out"]),
    "predict": ("predict p s.gex --replace -o out.gex --force", ["out.gex"]),
    "compare": ("compare --train s.gex --test t.gex --landmarks a=landmarks -o out --random-draws 3 --force", ["out"]),
    "embed": ("embed m s.gex -o out --label study --force", ["out"]),
    "reconstruct": ("reconstruct m s.gex -o out.gex --force", ["out.gex"]),
    "export": ("export s.gex -o out.h5ad --with scores.tsv --force", ["out.h5ad"]),
    "table": ("export scores.tsv -o out.parquet --force", ["out.parquet"]),
    "cluster": ("cluster t.gex --landmarks landmarks --label study -o out --force", ["out"]),
    "enrich": ("enrich landmarks --store s.gex --collection sets.gmt --min-size 2 -o out.tsv --force", ["out.tsv", "out.tsv.json"]),
    "explain": ("explain landmarks --store s.gex --test t.gex --predictor p -o out --force", ["out"]),
    "figures": ("figures ran -o out --format svg --force", ["out"]),
    "report": ("report ran -o out.html --force", ["out.html"]),
    "run": ("run c.toml", ["runs"]),
}
TIMES = re.compile(rb'"(seconds|samples_per_second)": ?[-0-9.eE]+|"(started|finished-at|ended)": ?"[^"]*"')


def start(program, folder, text):
    words = text.split()
    device = [] if words[0] in NO_DEVICE else CPU
    device = device if words[0] != "run" else ["--set", "device=cpu", "--set", "threads=1"]
    return subprocess.Popen([program, "-q", *words, *device], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(program, folder, text):
    child = start(program, folder, text)
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


def without_times(path):
    """A file's bytes, without times."""
    data = kill_at_renames.content_of(path)
    name = os.path.basename(path)
    if name in ("history.tsv", "out.tsv"):
        data = b"\n".join(b"\t".join(line.split(b"\t")[:6]) for line in data.split(b"\n"))
    if name == "run.json":
        data = TIMES.sub(b"", data)
        # what a file has of times in it: the digest of a history and of the page, and the page's length
        data = re.sub(rb'"path": "(history.tsv|report.html)",\s+"sha256": "[0-9a-f]+"|"bytes": [0-9]+', b"", data)
    if name == "report.html":
        # each stage's seconds, as text and as data, and the same digest
        data = re.sub(rb"<td class=n>\s*[0-9.]+</td>|\"done\",\s*[0-9.]+|[0-9a-f]{64}", b"", data)
    return data


def digest(folder, names):
    return kill_at_renames.digest(folder, names, without_times)


def workshop(program, folder):
    for text in [
        "simulate -o s.gex --samples 600 --genes 200 --rank 5 --seed 1",
        "simulate -o t.gex --samples 60 --genes 200 --rank 5 --seed 1",
        "export s.gex -o table.csv",
        "train s.gex -o m --epochs 2 --hidden 40,8,40",
        "attribute m s.gex -o scores",
        "select scores -n 20 -o landmarks",
        "attribute m s.gex -o scores.tsv",
        "fit s.gex --landmarks landmarks -o p --method linear --penalty 1",
    ]:
        status, _, err = run(program, folder, text)
        assert status == 0, (text, err)
    with open(os.path.join(folder, "sets.gmt"), "w") as file:
        for first in range(1, 180, 20):
            file.write("\t".join([f"set{first}", "made up", *(f"g_{gene}" for gene in range(first, first + 20))]) + "\n")
    with open(os.path.join(folder, "c.toml"), "w") as file:
        file.write('output = "runs"\nseed = 1\n[import]\nfiles = ["table.csv"]\n[split]\nfractions = [0.7, 0.3]\n'
                   '[train]\nepochs = 6\nhidden = [40, 8, 40]\n[select]\nn = 20\n[compare]\nrandom-draws = 2\n')
    if {"figures", "report"} & set(COMMANDS):
        status, _, err = run(program, folder, "run c.toml --set output=ran")
        assert status == 0, err


def undisturbed(program, base, text, outputs):
    """Seconds of a command by itself, its outputs' digests, and what is in the folder after it."""
    with tempfile.TemporaryDirectory() as trial:
        folder = shutil.copytree(base, os.path.join(trial, "x"))
        begin = time.perf_counter()
        status, _, err = run(program, folder, text)
        seconds = time.perf_counter() - begin
        assert status == 0, (text, err)
        return seconds, digest(folder, outputs), sorted(os.listdir(folder))


def kills(program, rng, scale):
    wrong = total = 0
    print("| killed | undisturbed, s | kills | while it ran | same bytes after | no litter after |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as base:
        workshop(program, base)
        for name, (text, outputs) in COMMANDS.items():
            seconds, want, after = undisturbed(program, base, text, outputs)
            n = max(2, round(18 * scale))
            during = same = clean = 0
            for _ in range(n):
                with tempfile.TemporaryDirectory() as trial:
                    folder = shutil.copytree(base, os.path.join(trial, "x"))
                    child = start(program, folder, text)
                    time.sleep(rng.uniform(0, seconds))
                    during += child.poll() is None
                    child.send_signal(signal.SIGKILL)
                    child.communicate()
                    finished = child.returncode == 0
                    status, _, err = run(program, folder, text if not finished or "--force" in text or name == "run" else text + " --force")
                    ok = status == 0 and digest(folder, outputs) == want
                    left = sorted(os.listdir(folder))
                    same, clean = same + ok, clean + (left == after)
                    if not ok or left != after:
                        print(f"{name}: {err.strip().splitlines()[-1:]} left {sorted(set(left) - set(after))}", file=sys.stderr)
            wrong, total = wrong + 2 * n - same - clean, total + n
            print(f"| `{name}` | {seconds:.2f} | {n} | {during} | {same} | {clean} |", flush=True)
    print(f"\n{total} kills in all.\n")
    return wrong


def races(program, rng, scale):
    wrong = trials = both = told = 0
    with tempfile.TemporaryDirectory() as base:
        workshop(program, base)
        for name, (text, outputs) in COMMANDS.items():
            seconds, want, after = undisturbed(program, base, text, outputs)
            for _ in range(max(1, round(10 * scale))):
                with tempfile.TemporaryDirectory() as trial:
                    folder = shutil.copytree(base, os.path.join(trial, "x"))
                    one = start(program, folder, text)
                    time.sleep(rng.uniform(0, 0.5 * seconds))
                    two = start(program, folder, text)
                    ends = [child.communicate() + (child.returncode,) for child in (one, two)]
                    codes = sorted(end[2] for end in ends)
                    words = " ".join(end[1] for end in ends)
                    is_told = codes == [0, 1] and ("is being written by" in words or "already exists" in words)
                    ok = (codes == [0, 0] or is_told) and digest(folder, outputs) == want and sorted(os.listdir(folder)) == after
                    trials, both, told, wrong = trials + 1, both + (codes == [0, 0]), told + is_told, wrong + (not ok)
                    if not ok:
                        print(f"{name}: {codes} {words.strip()[-300:]}", file=sys.stderr)
    print(f"| races | one after the other | one told who is first | wrong |\n| --- | --- | --- | --- |\n| {trials} | {both} | {told} | {wrong} |\n")
    return wrong


def full(program, rng, scale):
    wrong = 0
    print("| disk full | trials | exit 1 and a message | old output whole, nothing else |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as base:
        workshop(program, base)
        small = os.path.join(base, "small")
        os.mkdir(small)
        for name, (text, outputs) in COMMANDS.items():
            trials = told = kept = 0
            for room in ([0.05, 0.3, 0.6, 0.9] if scale >= 0.5 else [0.5]):
                with tempfile.TemporaryDirectory() as trial:
                    folder = shutil.copytree(base, os.path.join(trial, "x"))
                    assert run(program, folder, text)[0] == 0
                    size = sum(os.path.getsize(os.path.join(d, f)) for o in outputs for top in [os.path.join(folder, o)]
                               for d, _, fs in (os.walk(top) if os.path.isdir(top) else [(folder, [], [o])]) for f in fs)
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(4096, int(size * room) // 4096 * 4096)}", "none", small], check=True)
                try:
                    words = re.sub(r"(-o |--history )", lambda m: m.group(1) + "small/", text).split()
                    if name == "run":
                        words += ["--set", "output=small/runs"]
                    status, _, err = run(program, base, " ".join(words))
                    left = [f for _, _, fs in os.walk(small) for f in fs]
                    # a run keeps its finished stages, a training its checkpoint
                    litter = [f for f in left if ".tmp-" in f or ".old-" in f or f.endswith(".lock")]
                    one = status == 1 and len([line for line in err.splitlines() if line.startswith("error:")]) == 1
                    trials, told, kept = trials + 1, told + one, kept + (not litter and (name in ("run", "train") or not left))
                    if not one or litter:
                        print(f"{name} at {room}: {status} {err.strip()[-200:]} left {left}", file=sys.stderr)
                finally:
                    subprocess.run(["umount", small], check=True)
            wrong += 2 * trials - told - kept
            print(f"| `{name}` | {trials} | {told} | {kept} |", flush=True)
    print()
    return wrong


# what genelift wrote, and who reads it
READERS = {
    "s.gex": "prepare s.gex -o x.gex --zscore --force",
    "m": "evaluate m t.gex -o x.dir --force",
    "scores": "select scores -n 5 -o x --force",
    "landmarks": "fit s.gex --landmarks landmarks -o x --method linear --penalty 1 --force",
    "p": "predict p t.gex --replace -o x.gex --force",
    "out": "verify out",
}


def flips(program, rng, scale):
    wrong = 0
    print("| damaged | flips and cuts | refused by `verify` | refused where it is read | neither | of these with other results |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as base:
        workshop(program, base)
        assert run(program, base, COMMANDS["compare"][0])[0] == 0
        for thing, reader in READERS.items():
            status, out, err = run(program, base, reader)
            assert status == 0, (reader, err)
            results = digest(base, ["x", "x.gex", "x.json", "x.dir"])
            top = os.path.join(base, thing)
            files = [top] if os.path.isfile(top) else [os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs]
            files += [top + ".json"] if os.path.isfile(top + ".json") else []
            n = verified = read = neither = other = 0
            for _ in range(max(3, round(170 * scale))):
                file = rng.choice(files)
                with open(file, "rb") as data:
                    whole = data.read()
                damaged = bytearray(whole)
                if rng.random() < 0.15:
                    del damaged[rng.randrange(len(whole)):]
                else:
                    damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
                with open(file, "wb") as data:
                    data.write(damaged)
                by_verify = run(program, base, f"verify {thing}")[0] == 1
                status, _, err = run(program, base, reader)
                assert status in (0, 1, 2), (thing, status, err)
                n, verified, read = n + 1, verified + by_verify, read + (status != 0)
                if not by_verify and status == 0:
                    neither += 1
                    changed = digest(base, ["x", "x.gex", "x.json", "x.dir"]) != results
                    other += changed
                    at = next((i for i, (a, b) in enumerate(zip(whole, damaged)) if a != b), len(damaged))
                    print(f"{os.path.relpath(file, base)}: byte {at} unseen{', other results' if changed else ''}", file=sys.stderr)
                with open(file, "wb") as data:
                    data.write(whole)
            wrong += neither
            print(f"| `{thing}` | {n} | {verified} | {read} | {neither} | {other} |", flush=True)
    print()
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--commands", help="these alone, as the tables name them")
    args = parser.parse_args()
    if args.commands:
        for name in [name for name in COMMANDS if name not in args.commands.split(",")]:
            del COMMANDS[name]
    program, wrong = os.path.abspath(args.program), 0
    for part in args.parts or ["kills", "races", "full", "flips"]:
        wrong += {"kills": kills, "races": races, "full": full, "flips": flips}[part](program, random.Random(args.seed), args.scale)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
