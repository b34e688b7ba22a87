"""What the reference scripts share: the example data, its scaling, and the network with weights drawn by formula."""

import csv
import gzip
import json
import platform
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "brca" / "expression.csv.gz"

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def pcg4d(x, y, z, w):
    """Jarzynski & Olano 2020, as in src/device/random.rs; four uint32 arrays in, four out."""
    with np.errstate(over="ignore"):
        x, y, z, w = (np.asarray(v, dtype=np.uint32) * np.uint32(1664525) + np.uint32(1013904223) for v in (x, y, z, w))

        def mix(x, y, z, w):
            x = x + y * w
            y = y + z * x
            z = z + x * y
            w = w + y * z
            return x, y, z, w

        x, y, z, w = mix(x, y, z, w)
        x, y, z, w = (v ^ (v >> np.uint32(16)) for v in (x, y, z, w))
        return mix(x, y, z, w)


UNIFORM_FORMULA = (
    "limit * (2*u - 1) in float64, rounded to float32; u = (word0 of pcg4d([e, key, 0x67656e65, 0x6c696674]) >> 8) "
    "/ 2^24; e = flat index in row-major order"
)


def uniform(shape, key, limit):
    """Uniform float32 values in [-limit, limit) by UNIFORM_FORMULA."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint32)
    words = pcg4d(index, *(np.full_like(index, v) for v in (key, 0x67656E65, 0x6C696674)))
    u = (words[0] >> np.uint32(8)).astype(np.float64) / 2.0**24
    return (limit * (2.0 * u - 1.0)).astype(np.float32).reshape(shape)


def glorot(fan_out, fan_in, key, gain=1.0):
    """Glorot-uniform weights [out, in]: limit = gain * sqrt(6 / (in + out))."""
    return uniform((fan_out, fan_in), key, gain * np.sqrt(6.0 / (fan_in + fan_out)))


def example(samples=None, genes=None):
    """The first `samples` rows and `genes` columns of the example: float32 matrix, sample ids, gene ids."""
    with gzip.open(EXAMPLE, "rt", newline="") as file:
        rows = list(csv.reader(file))
    names = rows[0][1:][:genes]
    matrix = np.array([row[1:] for row in rows[1:]], dtype=np.float64)[:samples, :genes].astype(np.float32)
    return matrix, [row[0] for row in rows[1:]][:samples], names


def scaling(x, kind):
    """offset and scale by gene, float32, such that the network sees (x - offset) * scale, in float32."""
    if kind == "minmax":
        offset, spread = x.min(axis=0), x.max(axis=0) - x.min(axis=0)
    else:
        wide = x.astype(np.float64)
        offset, spread = wide.mean(axis=0).astype(np.float32), wide.std(axis=0).astype(np.float32)
    scale = np.divide(np.float32(1), spread, out=np.zeros_like(spread), where=spread > 0)
    return offset, scale


SCALING_FORMULA = {
    "minmax": "float32: offset = min, scale = 1/(max - min), 0 where max == min; input = (x - offset) * scale",
    "zscore": "mean and sd (ddof 0) in float64, rounded to float32; scale = 1/sd; input = (x - offset) * scale in float32",
}

ACTIVATIONS = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "linear": torch.nn.Identity}


def network(weights, biases, activations, dtype):
    """Linear layers with their activations; a fresh module for each, as captum needs."""
    layers = []
    for weight, bias, activation in zip(weights, biases, activations):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        layers += [linear, ACTIVATIONS[activation]()]
    return torch.nn.Sequential(*layers)


def versions(**more):
    """Versions for a manifest."""
    return {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__, **more}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")
