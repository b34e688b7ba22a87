"""genelift beside its peers on one machine: rounds of each in turn, so that a change of the machine's load meets all of them.

    cargo build --release
    python scripts/compare_speed.py [--threads 2] [--repetitions 5] [--json FILE]
    python scripts/compare_speed.py --genelift new=target/release/genelift --genelift old=/tmp/genelift --peers ""

Prints a Markdown table: the median over the repetitions of samples a second, their spread (highest less lowest, of the
median), and for each genelift the median, lowest and highest of its ratios to the others, taken within a repetition.
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
    parser.add_argument("--peers", default="pytorch,captum",
                        help="of pytorch, pytorch-compiled, pytorch-bf16, pytorch-bf16-compiled, captum")
    parser.add_argument("--precisions", default="f32", help="of genelift: f32, bf16")
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
        for precision in args.precisions.split(","):
            command = [path, "bench", "--device", "cpu", "--stage", args.stages, *training, *small, "--json"]
            yield name if precision == "f32" else f"{name} {precision}", [*command, "--precision", precision]
    peers = {
        "pytorch": [SCRIPTS / "bench_pytorch.py", *training],
        "pytorch-compiled": [SCRIPTS / "bench_pytorch.py", *training, "--compile"],
        "pytorch-bf16": [SCRIPTS / "bench_pytorch.py", *training, "--precision", "bf16"],
        "pytorch-bf16-compiled": [SCRIPTS / "bench_pytorch.py", *training, "--precision", "bf16", "--compile"],
        "captum": [SCRIPTS / "bench_captum.py", *common[:-2], "--rounds", "1", "--attributed", str(args.attributed)],
    }
    for peer in filter(None, args.peers.split(",")):
        yield peer, [sys.executable, *peers[peer]]


def spread(values):
    return (max(values) - min(values)) / statistics.median(values)


def ratio(ours, others):
    ratios = [a / b for a, b in zip(ours, others)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else ""


def main():
    args = arguments()
    runs = dict(programs(args))
    first = next(iter(runs))
    ours = [name for name, command in runs.items() if command[1] == "bench"]
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
                stage["name"] = stage["name"].removesuffix(", bf16")
                rates.setdefault(stage["name"], {}).setdefault(name, []).append(stage["rate"])
                if "share-of-ceiling" in stage:
                    shares.setdefault(stage["name"], {}).setdefault(name, []).append(stage["share-of-ceiling"])
    print(f"{args.samples} samples x {args.genes} genes, {args.threads} threads, {args.repetitions} repetitions; "
          f"load at their starts {', '.join(f'{load:.1f}' for load in loads)}; "
          f"matmul {statistics.median(ceilings) / 1e9:.0f} GFLOP/s (spread {100 * spread(ceilings):.0f} %)\n")
    print("| stage | program | samples/s | spread | share of ceiling | " + " | ".join(f"{name} is faster by" for name in ours) + " |")
    print("| --- " * (5 + len(ours)) + "|")
    for stage, by_program in rates.items():
        for name, values in by_program.items():
            of = shares.get(stage, {}).get(name)
            share = f"{100 * statistics.median(of):.0f} %" if of else ""
            faster = " | ".join(ratio(by_program.get(own, []), values) if own != name else "" for own in ours)
            print(f"| {stage} | {name} | {statistics.median(values):.1f} | {100 * spread(values):.0f} % | {share} | {faster} |")
    if args.json:
        figures = {"loads": loads, "matmul": ceilings, "rates": rates, "shares": shares, "versions": versions,
                   "settings": vars(args)}
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
