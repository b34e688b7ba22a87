"""Samples a second that PyTorch trains the same autoencoder with, as JSON in the form of `genelift bench --json`.

    pip install -r scripts/requirements.txt
    python scripts/bench_pytorch.py [--device cuda] [--precision fp32|tf32|bf16] [--compile] [--threads 2]

The same work as `genelift train`: all samples lie on the device, a permutation of them is gathered batch by batch, mean
absolute error plus the L2 penalty (through Adam's own weight_decay, which costs nothing; ours adds the penalty's value to
the history), dropout after every hidden layer, the fused Adam. The scaling that genelift does while it gathers is done
before and not timed here.
"""

import argparse
import json
import time

import torch

L2 = 1e-6


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genes", type=int, default=22268)
    parser.add_argument("--hidden", default="500,100,500")
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--batch", default="256,1024")
    parser.add_argument("--rounds", type=int, default=5, help="epochs timed, after one that is not")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="[PyTorch's choice]")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32",
                        help="fp32: TF32 off; tf32: TF32 products; bf16: autocast")
    parser.add_argument("--compile", action="store_true", help="torch.compile of the forward pass and the loss")
    return parser.parse_args()


def network(widths, dropout=0.1):
    layers = []
    for below, above in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(below, above), torch.nn.Sigmoid(), torch.nn.Dropout(dropout)]
    net = torch.nn.Sequential(*layers[:-1])
    for layer in net:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    return net


def epochs(args, x, batch):
    """Seconds of each epoch."""
    net = network([args.genes, *map(int, args.hidden.split(",")), args.genes]).to(x.device)
    weights = [p for p in net.parameters() if p.dim() == 2]
    biases = [p for p in net.parameters() if p.dim() == 1]
    groups = [{"params": weights, "weight_decay": 2 * L2}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.Adam(groups, lr=1e-3, eps=1e-7, fused=True)

    def loss(rows):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=args.precision == "bf16"):
            return torch.nn.functional.l1_loss(net(rows), rows)

    forward = torch.compile(loss) if args.compile else loss
    wait = torch.cuda.synchronize if x.device.type == "cuda" else lambda: None
    seconds = []
    for _ in range(args.rounds + 1):
        wait()
        start = time.perf_counter()
        total = torch.zeros((), device=x.device)
        for rows in torch.randperm(len(x), device=x.device).split(batch):
            optimizer.zero_grad(set_to_none=True)
            value = forward(x.index_select(0, rows))
            value.backward()
            optimizer.step()
            total += value.detach() * len(rows)
        assert total.isfinite().item()
        wait()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main():
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("highest" if args.precision == "fp32" else "high")
    torch.manual_seed(0)
    x = torch.rand(args.samples, args.genes, device=args.device)
    stages = []
    for batch in map(int, args.batch.split(",")):
        seconds = epochs(args, x, batch)
        middle = sorted(seconds)[len(seconds) // 2]
        stages.append({"name": f"training, batch {batch}", "unit": "samples", "items": args.samples,
                       "seconds": seconds, "rate": args.samples / middle})
    cuda = x.device.type == "cuda"
    print(json.dumps({
        "pytorch": torch.__version__, "precision": args.precision, "compiled": args.compile,
        "device": torch.cuda.get_device_name(x.device) if cuda else f"CPU ({torch.get_num_threads()} threads)",
        "matrix": {"samples": args.samples, "genes": args.genes}, "stages": stages,
        "peak-device-memory": torch.cuda.max_memory_allocated(x.device) if cuda else None,
    }, indent=1))


if __name__ == "__main__":
    main()
