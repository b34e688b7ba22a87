"""Feeds every fuzz target changed files and prints a table of what came: `fuzz/drive.rs` says what is fed to what.

    python3 scripts/fuzz.py [TARGET…] [--text 1000000] [--containers 100000] [--seed 12] [--log fuzz.log]

The parsers are built with optimisation, and with checks of arithmetic and invariants (`--config`), in a target folder of their own,
so that other builds stay. What the log has of a target and seed is not fed again, so a run that was ended goes on.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = [
    part
    for key in ("overflow-checks", "debug-assertions")
    for part in ("--config", f"profile.release.package.genelift.{key}=true")
]
CONTAINERS = (
    "npy npz arrow parquet h5ad h5mu gctx tenx loom archs4 xlsx xls ods model checkpoint predictor".split()
)
SAID = re.compile(
    r"(?P<inputs>\d+) inputs in (?P<seconds>\S+) s, (?P<begun>\d+) past the first check, (?P<whole>\d+) read whole, "
    r"(?P<failed>\d+) failed, slowest (?P<slowest>\S+), peak memory (?P<memory>.+)"
)


def targets():
    text = (ROOT / "fuzz/drive.rs").read_text()
    return re.findall(r'^    \("(\w+)", "[^"]*", "\w+"\),', text, re.M)


def build(folder):
    command = ["cargo", "build", "--release", "--locked", "--target-dir", str(folder), *CHECKS, "--example", "fuzz_parsers"]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder / "release/examples/fuzz_parsers"


def known(log, seed):
    """What was said of each target with this seed."""
    lines = log.read_text().splitlines() if log.is_file() else []
    rows = (line.split("\t", 2) for line in lines if line.count("\t") >= 2)
    return {target: said for target, of, said in rows if of == str(seed)}


def row(target, said):
    found = SAID.search(said)
    inputs, begun, whole = (int(found[key]) for key in ("inputs", "begun", "whole"))
    return (
        f"| {target} | {inputs:,} | {100 * begun / inputs:.1f} % | {100 * whole / inputs:.1f} % | {found['failed']} | "
        f"{found['slowest']} | {found['memory']} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=targets())
    parser.add_argument("--text", type=int, default=1_000_000, help="inputs a target of text")
    parser.add_argument("--containers", type=int, default=100_000, help="inputs a target of containers")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--log", type=Path, default=Path("fuzz.log"))
    parser.add_argument("--target-dir", type=Path, default=ROOT / "target/fuzz")
    options = parser.parse_args()
    program = build(options.target_dir)
    done, failed = known(options.log, options.seed), False
    for target in options.targets:
        if target not in done:
            inputs = options.containers if target in CONTAINERS else options.text
            ran = subprocess.run([program, target, str(inputs), str(options.seed)], stdout=subprocess.PIPE, text=True)
            if not SAID.search(ran.stdout):
                sys.exit(f"{target} ended with {ran.returncode}: {ran.stdout}")
            done[target] = ran.stdout.strip()
            with open(options.log, "a") as log:
                log.write(f"{target}\t{options.seed}\t{done[target]}\n")
        failed |= int(SAID.search(done[target])["failed"]) > 0
        print(row(target, done[target]), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
