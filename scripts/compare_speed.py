"""genelift beside its peers on one machine: rounds of each in turn, so that a change of the machine's load meets all of them.

    cargo build --release
    python scripts/compare_speed.py [--threads 2] [--repetitions 5] [--json FILE]
    python scripts/compare_speed.py --genelift new=target/release/genelift --genelift old=/tmp/genelift --peers ""

Prints a Markdown table: the median over the repetitions of samples a second, their spread (highest less lowest, of the
median), and the median, lowest and highest of the ratios of the first program to the others, taken within a repetition.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genelift", action="append", metavar="NAME=PATH", help="[genelift=target/release/genelift]")
    parser.add_argument("--peers", default="pytorch,captum", help="of pytorch, pytorch-compiled, captum")
    parser.add_argument("--stages", default="train,deeplift")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="of a stage in a repetition")
    parser.add_argument("--genes", type=int, default=22268)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--attributed", type=int, default=64)
    parser.add_argument("--batch", default="256,1024")
    parser.add_argument("--json", help="also write every figure to this file")
    return parser.parse_args()


def programs(args):
    common = ["--threads", str(args.threads), "--genes", str(args.genes), "--rounds", str(args.rounds)]
    training = [*common, "--samples", str(args.samples), "--batch", args.batch]
    for given in args.genelift or ["genelift=target/release/genelift"]:
        name, path = given.split("=", 1)
        # the selection's options are checked whether it runs or not
        small = ["--selected-from", "2", "--landmarks", "1", "--attributed", str(args.attributed)]
        yield name, [path, "bench", "--device", "cpu", "--stage", args.stages, *training, *small, "--json"]
    peers = {
        "pytorch": [SCRIPTS / "bench_pytorch.py", *training],
        "pytorch-compiled": [SCRIPTS / "bench_pytorch.py", *training, "--compile"],
        "captum": [SCRIPTS / "bench_captum.py", *common[:-2], "--rounds", "1", "--attributed", str(args.attributed)],
    }
    for peer in filter(None, args.peers.split(",")):
        yield peer, [sys.executable, *peers[peer]]


def spread(values):
    return (max(values) - min(values)) / statistics.median(values)


def main():
    args = arguments()
    runs = dict(programs(args))
    first = next(iter(runs))
    rates, shares, ceilings, loads, versions = {}, {}, [], [], {}
    for repetition in range(args.repetitions):
        loads.append(os.getloadavg()[0])
        for name, command in runs.items():
            print(f"repetition {repetition + 1}: {name}", file=sys.stderr)
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            versions[name] = {key: result[key] for key in ("genelift", "pytorch", "captum", "device") if key in result}
            if name == first:
                ceilings.append(result["ceilings"]["matmul"])
            for stage in result["stages"]:
                rates.setdefault(stage["name"], {}).setdefault(name, []).append(stage["rate"])
                if "share-of-ceiling" in stage:
                    shares.setdefault(stage["name"], {}).setdefault(name, []).append(stage["share-of-ceiling"])
    print(f"{args.samples} samples x {args.genes} genes, {args.threads} threads, {args.repetitions} repetitions; "
          f"load at their starts {', '.join(f'{load:.1f}' for load in loads)}; "
          f"matmul {statistics.median(ceilings) / 1e9:.0f} GFLOP/s (spread {100 * spread(ceilings):.0f} %)\n")
    print(f"| stage | program | samples/s | spread | share of ceiling | {first} is faster by |\n| --- | --- | --- | --- | --- | --- |")
    for stage, by_program in rates.items():
        for name, values in by_program.items():
            of = shares.get(stage, {}).get(name)
            share = f"{100 * statistics.median(of):.0f} %" if of else ""
            ratios = [a / b for a, b in zip(by_program[first], values)]
            ratio = "" if name == first else f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            print(f"| {stage} | {name} | {statistics.median(values):.1f} | {100 * spread(values):.0f} % | {share} | {ratio} |")
    if args.json:
        figures = {"loads": loads, "matmul": ceilings, "rates": rates, "shares": shares, "versions": versions,
                   "settings": vars(args)}
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
