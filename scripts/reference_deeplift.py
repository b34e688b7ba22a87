"""DeepLIFT scores of captum in float64 on the example, for the tests of attribution.

    pip install -r scripts/requirements.txt
    python scripts/reference_deeplift.py tests/data/deeplift
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import deeplift
import reference

SAMPLES = 48
GAIN = 6.0
BIAS_LIMIT = 0.5
# `neuron_stride`: which neurons' means over samples are kept, for the reference "mean" and the target "post".
CASES = {
    "sigmoid": dict(genes=2000, widths=[500, 100], activation="sigmoid", neuron_stride=5),
    "tanh": dict(genes=300, widths=[40, 20, 8], activation="tanh", neuron_stride=1),
    "relu": dict(genes=300, widths=[40, 8], activation="relu", neuron_stride=1),
}

CONVENTIONS = {
    "data": f"the first {SAMPLES} samples and `genes` columns of examples/brca/expression.csv.gz, float32, scaled by the "
            "minimum and maximum of these samples; " + reference.SCALING_FORMULA["minmax"],
    "network": "genes-widths, `activation` after every layer, the last one the bottleneck",
    "weights": "layer l (from 0), shape [out, in]: " + reference.UNIFORM_FORMULA
               + f"; key = 10 + l, limit = {GAIN:g} * sqrt(6/(in + out)) so that units saturate",
    "biases": f"the same formula with key = 20 + l, limit = {BIAS_LIMIT:g}",
    "references": "zeros, mean or median (mean of the middle two) of the scaled samples, rounded to float32",
    "targets": "post: the bottleneck's activation; pre: its input",
    "scores": "C[s,i,k] by captum.attr.DeepLift in float64, k over all bottleneck neurons. mean-abs: mean over s,k of "
              "|C|; abs-mean: mean over k of |mean over s of C|; mean: mean over s,k of C; rms: square root of the mean "
              "over s,k of C^2",
    "captum": "its Rescale rule takes the gradient instead of the quotient where |delta_in| < 1e-10 (its eps)",
    "tensors": "{reference}.{target}.{aggregation}: scores by gene, float32; mean.post.neurons: mean over samples of C, "
               "[neurons 0, neuron_stride, ...; genes]",
    "completeness": "by {reference}.{target}: worst |sum_i C - (y(x) - y(x0))|, and the largest |y(x) - y(x0)|",
}


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    manifest = {"made by": "scripts/reference_deeplift.py", "versions": reference.versions(captum=version("captum")),
                "conventions": CONVENTIONS, "samples": SAMPLES, "gain": GAIN, "bias_limit": BIAS_LIMIT, "cases": {}}
    for name, case in CASES.items():
        x, _, _ = reference.example(SAMPLES, case["genes"])
        offset, scale = reference.scaling(x, "minmax")
        x = (x - offset) * scale
        widths = [case["genes"], *case["widths"]]
        weights = [reference.glorot(widths[l + 1], widths[l], 10 + l, GAIN) for l in range(len(case["widths"]))]
        biases = [reference.uniform((n,), 20 + l, BIAS_LIMIT) for l, n in enumerate(case["widths"])]
        tensors, completeness = {}, {}
        for kind in ("zeros", "mean", "median"):
            for target in ("post", "pre"):
                net = deeplift.encoder(weights, biases, [case["activation"]] * len(weights), target)
                scores, neurons, (worst, largest) = deeplift.attribute(net, x, deeplift.reference_input(x, kind))
                tensors |= {f"{kind}.{target}.{k}": v.astype(np.float32) for k, v in scores.items()}
                if (kind, target) == ("mean", "post"):
                    tensors["mean.post.neurons"] = neurons[:: case["neuron_stride"]].astype(np.float32)
                completeness[f"{kind}.{target}"] = {"worst": worst, "largest": largest}
                print(name, kind, target, worst, largest, {k: float(np.abs(v).max()) for k, v in scores.items()})
        save_file(tensors, out / f"{name}.safetensors")
        manifest["cases"][name] = dict(
            case, file=f"{name}.safetensors", completeness=completeness,
            weights={f"layers.{l}.weight": w.ravel()[:4].tolist() for l, w in enumerate(weights)},
            biases={f"layers.{l}.bias": b[:4].tolist() for l, b in enumerate(biases)})
    reference.write_json(out / "manifest.json", manifest)


if __name__ == "__main__":
    main()
