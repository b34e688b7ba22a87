"""Fits ridge regressions and nearest landmarks with scikit-learn, and D-GEX networks with PyTorch, for tests/predictors.

    pip install -r scripts/requirements.txt
    python scripts/reference_predictors.py tests/data/predictors

The D-GEX update rule is transcribed from its authors' description (Chen et al. 2016) and published code (github.com/uci-cbcl/D-GEX,
on pylearn2): tanh layers, squared error summed over targets and averaged over the batch, SGD with pylearn2's momentum
(v = momentum*v - rate*gradient, w += v, so that steps taken before the rate falls go on at the old rate; torch.optim.SGD's would
not), three times the rate for weights above the first layer, the rate times 0.9 when the MAE of the training samples rises, the
epoch of the best validation MAE kept.
"""

import sys
from pathlib import Path

import numpy as np
import sklearn
import torch
from safetensors.numpy import save_file
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

import reference

# Landmarks are the genes 0, every, 2*every, ...; the other genes are the targets.
LINEAR = {
    "primal": dict(samples=97, genes=63, every=4, penalty=10.0, folds=5, stride=1),
    "dual": dict(samples=41, genes=131, every=2, penalty=31.622776601683793, folds=5, stride=3),
}
KNN = dict(samples=71, genes=127, every=3, neighbors=7)
MLP = {
    "one": dict(samples=83, validation=20, genes=61, every=3, hidden=[17], batch=25, epochs=3, learning_rate=5e-4, gain=0.1),
    "three": dict(samples=83, validation=20, genes=61, every=3, hidden=[17, 13, 19], batch=25, epochs=3,
                  learning_rate=3e-4, gain=0.5),
    "rises": dict(samples=40, validation=10, genes=33, every=3, hidden=[9, 7], batch=16, epochs=12, learning_rate=5e-2,
                  gain=0.5),
}
SD_FLOOR, DECAY, RATE_FLOOR, UPPER, MOMENTUM = 1e-3, 0.9, 1e-5, 3.0, 0.5

CONVENTIONS = {
    "data": "the first `samples` rows and `genes` columns of examples/brca/expression.csv.gz; landmarks are every "
            "`every`-th gene from gene 0, targets the others",
    "linear": "StandardScaler on landmarks and targets; coefficients of Ridge(alpha=penalty), [targets, landmarks] "
              "row-major, every `stride`-th; cv_errors: sum of squared errors over targets and held-out samples by penalty, "
              "fold of sample i = i % folds, Ridge with an intercept on values standardised by all samples",
    "knn": "StandardScaler; NearestNeighbors(metric='euclidean') among landmark profiles, sorted positions by target",
    "mlp": "the last `validation` samples choose the epoch; scaling (x - mean)/(sd + 1e-3) by all samples, float64 run; batches "
           "in order, the last, smaller one used; weights of layer l: " + reference.UNIFORM_FORMULA
           + "; key = l, limit = sqrt(6/(in + out)), times `gain` for the output; biases 0",
}


def split(matrix, every):
    is_landmark = np.arange(matrix.shape[1]) % every == 0
    return matrix[:, is_landmark].astype(np.float64), matrix[:, ~is_landmark].astype(np.float64)


def linear(case):
    x, y = split(reference.example(case["samples"], case["genes"])[0], case["every"])
    x, y = StandardScaler().fit_transform(x), StandardScaler().fit_transform(y)
    fold = np.arange(len(x)) % case["folds"]
    penalties = [10.0 ** (k / 2) for k in range(-4, 11)]
    errors = []
    for penalty in penalties:
        error = 0.0
        for held in range(case["folds"]):
            model = Ridge(alpha=penalty).fit(x[fold != held], y[fold != held])
            error += np.sum((model.predict(x[fold == held]) - y[fold == held]) ** 2)
        errors.append(error)
    coefficients = Ridge(alpha=case["penalty"]).fit(x, y).coef_.ravel()[:: case["stride"]]
    return dict(case, cv_errors=errors, coefficients=[float(f"{c:.9g}") for c in coefficients])


def knn(case):
    x, y = split(reference.example(case["samples"], case["genes"])[0], case["every"])
    x, y = StandardScaler().fit_transform(x), StandardScaler().fit_transform(y)
    found = NearestNeighbors(n_neighbors=case["neighbors"], metric="euclidean").fit(x.T).kneighbors(y.T)[1]
    return dict(case, near=np.sort(found, axis=1).tolist())


def mlp(case):
    matrix = reference.example(case["samples"], case["genes"])[0]
    x, y = (
        torch.from_numpy((part - part.mean(0)) / (part.std(0) + SD_FLOOR)) for part in split(matrix, case["every"])
    )
    n = case["samples"] - case["validation"]
    widths = [x.shape[1], *case["hidden"], y.shape[1]]
    last = len(widths) - 2
    weights = [
        reference.glorot(widths[l + 1], widths[l], l, case["gain"] if l == last else 1.0).astype(np.float64)
        for l in range(last + 1)
    ]
    network = reference.network(
        weights, [np.zeros(w) for w in widths[1:]], ["tanh"] * last + ["linear"], torch.float64
    )
    layers = [module for module in network if isinstance(module, torch.nn.Linear)]
    rate = case["learning_rate"]
    groups = [
        dict(params=[parameter], factor=UPPER if l > 0 and parameter is layer.weight else 1.0)
        for l, layer in enumerate(layers) for parameter in (layer.weight, layer.bias)
    ]
    velocities = [torch.zeros_like(group["params"][0]) for group in groups]
    history, best = [], None
    for epoch in range(1, case["epochs"] + 1):
        total = 0.0
        for first in range(0, n, case["batch"]):
            rows = slice(first, min(first + case["batch"], n))
            network.zero_grad()
            loss = ((network(x[rows]) - y[rows]) ** 2).sum(1).mean()
            total += loss.item() * (rows.stop - rows.start)
            loss.backward()
            with torch.no_grad():
                for group, velocity in zip(groups, velocities):
                    (parameter,) = group["params"]
                    velocity.mul_(MOMENTUM).sub_(rate * group["factor"] * parameter.grad)
                    parameter.add_(velocity)
        with torch.no_grad():
            mae = [(network(x[part]) - y[part]).abs().mean().item() for part in (slice(0, n), slice(n, None))]
        history.append(dict(loss=total / n, learning_rate=rate, training_mae=mae[0], validation_mae=mae[1]))
        if len(history) > 1 and mae[0] > history[-2]["training_mae"]:
            rate = max(rate * DECAY, RATE_FLOOR)
        if best is None or mae[1] < best[0]:
            parameters = {}
            for l, layer in enumerate(layers):
                parameters[f"layers.{l}.weight"] = layer.weight.detach().numpy().astype(np.float32)
                parameters[f"layers.{l}.bias"] = layer.bias.detach().numpy().astype(np.float32)
            best = (mae[1], epoch, parameters)
    return dict(case, history=history, best_epoch=best[1]), best[2]


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    cases = {}
    for name, case in MLP.items():
        cases[name], tensors = mlp(case)
        cases[name]["file"] = f"{name}.safetensors"
        save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, out / cases[name]["file"])
    manifest = {
        "script": "scripts/reference_predictors.py",
        "versions": reference.versions(sklearn=sklearn.__version__),
        "conventions": CONVENTIONS,
        "linear": {name: linear(case) for name, case in LINEAR.items()},
        "knn": knn(KNN),
        "mlp": cases,
    }
    reference.write_json(out / "manifest.json", manifest)
    for name, case in cases.items():
        print(name, case["best_epoch"], [round(row["training_mae"], 4) for row in case["history"]],
              [row["learning_rate"] for row in case["history"]][-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
