"""Trains small and paper-like autoencoders on the example with PyTorch, for tests of training and of gradients.

    pip install -r scripts/requirements.txt
    python scripts/reference_training.py tests/data/training

Every case runs twice, in float64 (the reference) and in float32 (what rounding alone does to PyTorch itself).
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

import reference

CASES = {
    "paper": dict(samples=769, genes=2000, hidden=[500, 100, 500], activation="sigmoid", output="sigmoid", loss="mae",
                  scale="minmax", optimizer="adam", learning_rate=1e-3, l2=1e-6, batch=32, epochs=3, stride=101),
}
for activation in ("relu", "tanh"):
    small = dict(samples=203, genes=307, hidden=[50, 20, 50], activation=activation, output="linear", loss="mse",
                 scale="zscore", l2=1e-3, batch=64, epochs=3, stride=7)
    CASES[f"adam-{activation}"] = dict(small, optimizer="adam", learning_rate=1e-3)
    CASES[f"sgd-{activation}"] = dict(small, optimizer="sgd", learning_rate=2e-2, momentum=0.5)

CONVENTIONS = {
    "data": "the first `samples` rows and `genes` columns of examples/brca/expression.csv.gz, in float32",
    "scaling": reference.SCALING_FORMULA,
    "network": "genes-hidden-genes; `activation` after every hidden layer, `output` after the last; the target is the "
               "scaled input; no dropout",
    "initial weights": "layer l (from 0), shape [out, in]: " + reference.UNIFORM_FORMULA
                       + "; key = l, limit = sqrt(6/(in + out)); biases 0",
    "initial": "the first four elements of each initial weight tensor, to check the formula; "
               "pcg4d([1, 2, 3, 4]) = " + str([int(word) for word in reference.pcg4d(1, 2, 3, 4)]),
    "batches": "rows in file order, no shuffle; the last, smaller batch is used",
    "objective": "mean over batch and genes of |e| or e^2, plus l2 * sum of squared weights (biases excluded; "
                 "gradient 2*l2*w)",
    "optimizer": "torch.optim.Adam(betas=(0.9, 0.999), eps=1e-7) or torch.optim.SGD(momentum=0.5), weight_decay 0",
    "loss": "by epoch: the data term alone, before each update, averaged over the samples",
    "penalty": "l2 * sum of squared weights, before the first update and after each epoch",
    "subset": "weights: every `stride`-th element of the flattened tensor, from element 0; biases whole",
    "tensors": "final.*: the float64 run's parameters after the last epoch; final32.*: the float32 run's; gradient.*: "
               "d objective / d parameter (the penalty included) on the first batch at the initial weights, float64 "
               "run; all subsets, rounded to float32",
    "norms": "L2 norms of the whole tensors, float64 run",
    "rounding": "float32 run against float64 run: worst relative difference of an epoch's loss, and the worst "
                "||w32 - w64|| / ||w64|| among the whole weight tensors and among the biases",
}


def initial_weights(case):
    widths = [case["genes"], *case["hidden"], case["genes"]]
    return [reference.glorot(widths[l + 1], widths[l], l) for l in range(len(widths) - 1)]


def train(case, x, dtype):
    """Losses and penalties by epoch, first gradients and final parameters of one run."""
    weights = initial_weights(case)
    biases = [np.zeros(n, dtype=np.float32) for n in [*case["hidden"], case["genes"]]]
    activations = [case["activation"]] * len(case["hidden"]) + [case["output"]]
    net = reference.network(weights, biases, activations, dtype)
    names = [f"layers.{l}.{part}" for l in range(len(weights)) for part in ("weight", "bias")]
    parameters = dict(zip(names, net.parameters()))
    if case["optimizer"] == "adam":
        optimizer = torch.optim.Adam(net.parameters(), lr=case["learning_rate"], betas=(0.9, 0.999), eps=1e-7)
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=case["learning_rate"], momentum=case["momentum"])

    def penalty():
        return case["l2"] * sum(p.square().sum() for name, p in parameters.items() if name.endswith("weight"))

    x = torch.from_numpy(x).to(dtype)
    losses, penalties, gradients = [], [penalty().item()], None
    for _ in range(case["epochs"]):
        total = 0.0
        for batch in x.split(case["batch"]):
            error = net(batch) - batch
            data = (error.abs() if case["loss"] == "mae" else error.square()).mean()
            optimizer.zero_grad()
            (data + penalty()).backward()
            if gradients is None:
                gradients = {name: p.grad.clone() for name, p in parameters.items()}
            optimizer.step()
            total += data.item() * len(batch)
        losses.append(total / len(x))
        penalties.append(penalty().item())
    return losses, penalties, gradients, {name: p.detach() for name, p in parameters.items()}


def subset(tensors, prefix, stride):
    return {f"{prefix}.{name}": t.flatten()[:: stride if t.dim() == 2 else 1].to(torch.float32).numpy().copy()
            for name, t in tensors.items()}


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    manifest = {"made by": "scripts/reference_training.py", "versions": reference.versions(),
                "conventions": CONVENTIONS, "cases": {}}
    for name, case in CASES.items():
        x, _, _ = reference.example(case["samples"], case["genes"])
        assert x.shape == (case["samples"], case["genes"])
        offset, scale = reference.scaling(x, case["scale"])
        scaled = (x - offset) * scale
        losses, penalties, gradients, final = train(case, scaled, torch.float64)
        losses32, _, _, final32 = train(case, scaled, torch.float32)
        stride = case["stride"]
        save_file(subset(final, "final", stride) | subset(final32, "final32", stride)
                  | subset(gradients, "gradient", stride), out / f"{name}.safetensors")
        rounding = {"loss": max(abs(a - b) / b for a, b in zip(losses32, losses))} | {
            part: max(((final32[k].double() - w).norm() / w.norm()).item() for k, w in final.items() if k.endswith(part))
            for part in ("weight", "bias")
        }
        manifest["cases"][name] = dict(
            case, file=f"{name}.safetensors", losses=losses, losses32=losses32, penalties=penalties,
            initial={f"layers.{l}.weight": w.ravel()[:4].tolist() for l, w in enumerate(initial_weights(case))},
            norms={k: w.norm().item() for k, w in final.items()},
            gradient_norms={k: g.norm().item() for k, g in gradients.items()}, rounding=rounding)
        print(name, losses, rounding)
    reference.write_json(out / "manifest.json", manifest)


if __name__ == "__main__":
    main()
