"""DeepLIFT contributions by captum in float64, aggregated to one score a gene as genelift defines it."""

import warnings

import numpy as np
import torch
from captum.attr import DeepLift

import reference

# captum announces its hooks at every call.
warnings.filterwarnings("ignore", module="captum")

AGGREGATIONS = ("mean-abs", "abs-mean", "mean", "rms")


def encoder(weights, biases, activations, target):
    """The network up to the bottleneck: target "post" ends at its activation, "pre" at the activation's input."""
    if target == "pre":
        activations = [*activations[:-1], "linear"]
    return reference.network(weights, biases, activations, torch.float64)


def reference_input(x, kind):
    """Reference at the network's input (scaled), from the scaled samples x, rounded to float32."""
    make = {"zeros": lambda v: np.zeros(v.shape[1]), "mean": lambda v: v.mean(axis=0), "median": lambda v: np.median(v, axis=0)}
    return make[kind](x.astype(np.float64)).astype(np.float32)


def attribute(net, x, x0, chunk=64):
    """Scores of all four aggregations, per-neuron means over samples [K, G], and completeness.

    x [S, G] and x0 [G] are scaled inputs. C[s, i, k] is captum's DeepLift (Rescale) of neuron k. Completeness is
    max |sum_i C[s, i, k] - (y_k(x) - y_k(x0))| and, as its scale, max |y_k(x) - y_k(x0)|.
    """
    x = torch.from_numpy(np.asarray(x, dtype=np.float64))
    x0 = torch.from_numpy(np.asarray(x0, dtype=np.float64))[None]
    explainer = DeepLift(net)
    with torch.no_grad():
        change = net(x) - net(x0)
    samples, neurons = change.shape
    absolute, square = torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros(x.shape[1], dtype=x.dtype)
    signed = torch.zeros(neurons, x.shape[1], dtype=x.dtype)
    worst = 0.0
    for rows in torch.arange(samples).split(chunk):
        for k in range(neurons):
            c = explainer.attribute(x[rows], x0, target=k).detach()
            absolute += c.abs().sum(0)
            square += c.square().sum(0)
            signed[k] += c.sum(0)
            worst = max(worst, (c.sum(1) - change[rows, k]).abs().max().item())
    mean = signed / samples
    scores = {
        "mean-abs": absolute / (samples * neurons),
        "abs-mean": mean.abs().mean(0),
        "mean": mean.mean(0),
        "rms": (square / (samples * neurons)).sqrt(),
    }
    return {k: v.numpy() for k, v in scores.items()}, mean.numpy(), (worst, change.abs().max().item())
