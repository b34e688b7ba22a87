"""Kills genelift before every rename, removal and making of a folder that a command does, by strace, and looks at what is left.

    python3 scripts/kill_at_renames.py target/release/genelift

After each kill the output must be whole, the old one or the new one (or not there, where there was none), and the same command again
must end with the same bytes and leave nothing else. Prints a table of kills by command; exits 1 where one was not right.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

CALLS = "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir"
CPU = "--device cpu --threads 1 -q".split()

# what is run, what it writes, and what says that it is whole
COMMANDS = {
    "simulate": ("simulate -o out.gex --samples 20 --genes 12 --rank 2 --force", ["out.gex"], "info out.gex"),
    "prepare": ("prepare s.gex -o out.gex --zscore --force", ["out.gex"], "info out.gex"),
    "split": ("split s.gex -o out --fractions 0.5,0.5 --force", ["out"], "compare"),
    "train": ("train s.gex -o out --epochs 2 --hidden 4 --force", ["out"], "info out"),
    "evaluate": ("evaluate m s.gex -o out --force", ["out"], None),
    "attribute": ("attribute m s.gex -o out --force", ["out", "out.json"], "select out -n 3 -o checked --force"),
    "select": ("select scores -n 5 -o out --force", ["out", "out.json"], "fit s.gex --landmarks out -o checked --method linear --penalty 1 --force"),
    "fit": ("fit s.gex --landmarks landmarks -o out --method linear --penalty 1 --force", ["out"], "predict out s.gex --replace -o checked.gex --force"),
    "compare": ("compare --train s.gex --test t.gex --landmarks a=landmarks -o out --random-draws 2 --force", ["out"], None),
}


def run(program, folder, text, prefix=()):
    words = text.split()
    device = [] if words[0] in ("simulate", "split", "info") else CPU
    return subprocess.run([*prefix, program, *words, *device], cwd=folder, capture_output=True, text=True)


def content_of(path):
    """A file's bytes."""
    with open(path, "rb") as data:
        return data.read()


def digest(folder, names, content=content_of):
    """Of every file of the outputs, by name; `content` gives what of a file counts."""
    found = {}
    for name in names:
        top = os.path.join(folder, name)
        files = [top] if os.path.isfile(top) else [os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs]
        for file in files:
            found[os.path.relpath(file, folder)] = hashlib.sha256(content(file)).hexdigest()
    return found


def workshop(program, folder):
    for text in [
        "simulate -o s.gex --samples 40 --genes 12 --rank 2 --seed 1",
        "simulate -o t.gex --samples 30 --genes 12 --rank 2 --seed 1",
        "train s.gex -o m --epochs 2 --hidden 4",
        "attribute m s.gex -o scores",
        "select scores -n 4 -o landmarks",
    ]:
        done = run(program, folder, text)
        assert done.returncode == 0, (text, done.stderr)


def calls(program, folder, text):
    """How often each system call is made, in order."""
    log = os.path.join(folder, "trace")
    run(program, folder, text, ("strace", "-f", "-o", log, "-e", f"trace={CALLS}"))
    with open(log) as lines:
        names = re.findall(r"^\d+ +(\w+)\(", lines.read(), re.M)
    os.remove(log)
    return {name: names.count(name) for name in names}


def is_whole(program, folder, names, check, states):
    """Whether the outputs are one of the states, or can be read as whole."""
    if digest(folder, names) in states:
        return True
    if check == "compare":  # parts: both there and of one split
        return False
    done = check and run(program, folder, check)
    for left in ("checked", "checked.json", "checked.gex"):
        path = os.path.join(folder, left)
        shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)
    return bool(done) and done.returncode == 0


def main(program):
    program, wrong = os.path.abspath(program), 0
    print("command\tbefore\tkills\twhole\tsame bytes\tno litter")
    for name, (text, outputs, check) in COMMANDS.items():
        for before in ("nothing", "another"):
            with tempfile.TemporaryDirectory() as base:
                workshop(program, base)
                if before == "another":
                    other = text.replace("--seed 0", "") + (" --seed 7" if name in ("simulate", "split", "train") else "")
                    assert run(program, base, other).returncode == 0, other
                states = [digest(base, outputs)]
                with tempfile.TemporaryDirectory() as trial:
                    folder = shutil.copytree(base, os.path.join(trial, "x"))
                    counts = calls(program, folder, text)
                    states.append(digest(folder, outputs))
                    after = sorted(os.listdir(folder))
                kills = whole = same = clean = 0
                for call, times in counts.items():
                    for when in range(1, times + 1):
                        with tempfile.TemporaryDirectory() as trial:
                            folder = shutil.copytree(base, os.path.join(trial, "x"))
                            inject = f"inject={call}:signal=KILL:when={when}"
                            run(program, folder, text, ("strace", "-f", "-o", "/dev/null", "-e", inject))
                            kills += 1
                            whole += is_whole(program, folder, outputs, check, states)
                            again = run(program, folder, text)
                            same += again.returncode == 0 and digest(folder, outputs) == states[1]
                            clean += sorted(os.listdir(folder)) == after
                wrong += 3 * kills - whole - same - clean
                print(f"{name}\t{before}\t{kills}\t{whole}\t{same}\t{clean}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
