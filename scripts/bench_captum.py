"""Samples a second that captum attributes all bottleneck neurons with, as JSON in the form of `genelift bench --json`.

    pip install -r scripts/requirements.txt
    python scripts/bench_captum.py [--device cuda] [--threads 2]

captum.attr.DeepLift of every neuron of the encoder against the mean of the samples; of the contributions only the mean of
their absolute values over samples and neurons is kept, as by `genelift attribute`. captum takes one neuron at a time: for
each it runs input and reference forward and back.
"""

import argparse
import json
import time
import warnings
from importlib.metadata import version

import torch
from captum.attr import DeepLift

from bench_pytorch import network


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genes", type=int, default=22268)
    parser.add_argument("--hidden", default="500,100", help="the encoder's layers, the last the bottleneck")
    parser.add_argument("--attributed", type=int, default=64, help="samples, all in one batch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="[PyTorch's choice]")
    return parser.parse_args()


def main():
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(0)
    warnings.filterwarnings("ignore", category=UserWarning)
    widths = [args.genes, *map(int, args.hidden.split(","))]
    neurons = widths[-1]
    net = network(widths, dropout=0.0).to(args.device).eval()
    x = torch.rand(args.attributed, args.genes, device=args.device)
    reference = x.mean(0, keepdim=True)
    method = DeepLift(net)

    def scores(targets):
        total = torch.zeros(args.genes, device=args.device)
        for neuron in range(targets):
            total += method.attribute(x, reference, target=neuron).detach().abs().sum(0)
        return (total / (targets * len(x))).cpu()

    scores(2)
    seconds = []
    for _ in range(args.rounds):
        start = time.perf_counter()
        assert scores(neurons).isfinite().all()
        seconds.append(time.perf_counter() - start)
    middle = sorted(seconds)[len(seconds) // 2]
    print(json.dumps({
        "captum": version("captum"), "pytorch": torch.__version__,
        "device": torch.cuda.get_device_name() if x.is_cuda else f"CPU ({torch.get_num_threads()} threads)",
        "matrix": {"samples": args.attributed, "genes": args.genes},
        "stages": [{"name": f"DeepLIFT, all {neurons} neurons", "unit": "samples", "items": args.attributed,
                    "seconds": seconds, "rate": args.attributed / middle}],
    }, indent=1))


if __name__ == "__main__":
    main()
