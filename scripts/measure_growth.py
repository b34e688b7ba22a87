"""How time and memory of every stage of `genelift bench` grow, each against the sizes that it depends on: a Markdown table of
medians and of the slopes of their logarithms.

    python scripts/measure_growth.py [--device cpu] [--rounds 3] [--json growth.json]

Time is a round's median (for the batch: all samples' in steps of that many); memory that of the stage's matrices on the device
and the process's peak, which counts the made-up matrix too.
"""

import argparse
import json
import math
import subprocess

STAGES = ["train", "deeplift", "predictor", "select", "permutation", "k-means"]
FIXED = {"genes": 11134, "samples": 512, "batch": 256, "hidden": "500,100,500", "attributed": 16, "landmarks": 200,
         "selected-from": 256}
# what is varied, the stages that depend on it, the sizes, and the options that a size means
SERIES = [
    ("genes", STAGES, [2784, 5567, 11134, 22268], lambda n: {"genes": n}),
    ("samples", STAGES, [256, 512, 1024, 2048],
     lambda n: {"samples": n, "attributed": n // 16, "selected-from": n // 2}),
    ("hidden width", ["train", "deeplift"], [125, 250, 500, 1000], lambda n: {"hidden": f"{n},100,{n}"}),
    ("neurons", ["train", "deeplift"], [25, 50, 100, 200], lambda n: {"hidden": f"500,{n},500"}),
    ("batch", ["train"], [32, 128, 512, 1024], lambda n: {"batch": n, "samples": 1024}),
    ("landmarks", ["predictor", "select"], [100, 200, 400, 800], lambda n: {"landmarks": n}),
]


def slope(xs, ys):
    xs, ys = [math.log(x) for x in xs], [math.log(max(y, 1e-9)) for y in ys]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genelift", default="target/release/genelift")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write all figures there too")
    args = parser.parse_args()
    figures = []
    print("| against | stage | sizes | seconds | exponent | device, MB | exponent | peak of the process, MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for axis, stages, sizes, options in SERIES:
        for stage in stages:
            points = []
            for size in sizes:
                chosen = {**FIXED, **options(size)}
                command = [args.genelift, "bench", "--json", "-q", "--side", "512", "--stage", stage, "--device", args.device,
                           "--rounds", str(args.rounds)]
                command += [word for name, value in chosen.items() for word in (f"--{name}", str(value))]
                result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                (measured,) = result["stages"]
                points.append({"size": size, "seconds": measured["median"], "device": measured["device-memory"],
                               "host": result["peak-host-memory"]})
            time = slope(sizes, [p["seconds"] for p in points])
            memory = slope(sizes, [p["device"] for p in points]) if points[0]["device"] else None
            figures.append({"against": axis, "stage": stage, "points": points, "time": time, "memory": memory})
            device = ", ".join(f"{p['device'] / 1e6:.0f}" for p in points) if memory is not None else "–"
            host = ", ".join(f"{p['host'] / 1e6:.0f}" for p in points)
            seconds = ", ".join(f"{p['seconds']:.3f}" for p in points)
            sizes_text = ", ".join(map(str, sizes))
            memory = "–" if memory is None else f"{memory:.2f}"
            print(f"| {axis} | {stage} | {sizes_text} | {seconds} | {time:.2f} | {device} | {memory} | {host} |", flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
