"""Compares the scores that genelift wrote with captum's DeepLift in float64 on the same model and samples.

    pip install -r scripts/requirements.txt
    genelift attribute model.safetensors data.gex -o scores.tsv --reference zeros --target post --aggregate mean-abs
    python scripts/check_deeplift.py model.safetensors data.gex scores.tsv --reference zeros --target post \\
        --aggregate mean-abs

Exit status 1 when a gene's score is further than 1e-4 of the largest score from captum's.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open

import deeplift

TOLERANCE = 1e-4


def read_model(path):
    """Encoder weights, biases and activations up to the narrowest hidden layer; offset and scale; gene ids or None."""
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    activations = json.loads(metadata["activations"])
    widths = [tensors[f"layers.{i}.weight"].shape[0] for i in range(len(activations))]
    depth = int(np.argmin(widths[:-1])) + 1
    genes = json.loads(metadata["genes"]) if "genes" in metadata else None
    return ([tensors[f"layers.{i}.weight"] for i in range(depth)], [tensors[f"layers.{i}.bias"] for i in range(depth)],
            activations[:depth], tensors["input.offset"].ravel(), tensors["input.scale"].ravel(), genes)


def read_column(path, column):
    with open(path, newline="") as file:
        return [row[column] for row in csv.DictReader(file, delimiter="\t")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("store", type=Path)
    parser.add_argument("scores")
    parser.add_argument("--reference", required=True, choices=("zeros", "mean", "median"))
    parser.add_argument("--target", required=True, choices=("post", "pre"))
    parser.add_argument("--aggregate", required=True, choices=deeplift.AGGREGATIONS)
    options = parser.parse_args()

    weights, biases, activations, offset, scale, model_genes = read_model(options.model)
    genes = read_column(options.store / "genes.tsv", "gene_id")
    if isinstance(model_genes, list) and model_genes != genes:
        sys.exit(f"{options.model} and {options.store} hold different genes or another order; give the model's own store")
    matrix = np.load(options.store / "matrix.npy", mmap_mode="r").astype(np.float32)
    x = (matrix - offset) * scale

    net = deeplift.encoder(weights, biases, activations, options.target)
    scores, _, (worst, largest) = deeplift.attribute(net, x, deeplift.reference_input(x, options.reference))
    expected = dict(zip(genes, scores[options.aggregate]))
    found = dict(zip(read_column(options.scores, "gene_id"), map(float, read_column(options.scores, "score"))))
    if set(found) != set(genes):
        sys.exit(f"{options.scores}: expected the {len(genes)} genes of the store, found {len(found)}")

    limit = max(abs(v) for v in expected.values())
    # NaN compares false with everything, so it is turned into an infinite difference.
    difference = {g: np.nan_to_num(abs(found[g] - expected[g]) / limit, nan=np.inf) for g in genes}
    print(f"captum's completeness: worst {worst:.3e}, largest output difference {largest:.3e}")
    print("gene\tgenelift\tcaptum\tdifference/largest")
    for gene in sorted(genes, key=lambda g: -difference[g])[:5]:
        print(f"{gene}\t{found[gene]:.9g}\t{expected[gene]:.9g}\t{difference[gene]:.3e}")
    good = max(difference.values()) <= TOLERANCE
    print(f"{len(genes)} genes, {len(x)} samples: worst difference {max(difference.values()):.3e} of the largest score, "
          f"{'within' if good else 'ABOVE'} {TOLERANCE:g}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
