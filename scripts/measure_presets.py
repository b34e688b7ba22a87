"""Measures what the default presets rest on (docs/presets.md), in PyTorch, on one thread.

    python scripts/measure_presets.py train DATA [--hold-out COLUMN_TSV] [--configs NAME,...] [--epochs 100]
    python scripts/measure_presets.py select DATA [--hold-out COLUMN_TSV] --landmarks LIST [-n 100] [--samples 150]

DATA is a CSV (samples x genes, names SYMBOL_ENTREZ) or a GCTX file. --hold-out names a TSV (sample_id, dataset):
whole data sets are then held out, about a fifth of the samples; otherwise a random fifth is.
"""

import argparse
import csv
import gzip
import time
from pathlib import Path

import numpy as np
import torch

import reference

HIDDEN = (500, 100, 500)
# name: scale, output activation, batch, learning rate, dropout
CONFIGS = {
    "minmax-sigmoid-32": ("minmax", "sigmoid", 32, 1e-3, 0.1),
    "minmax-sigmoid-64": ("minmax", "sigmoid", 64, 1e-3, 0.1),
    "minmax-sigmoid-128": ("minmax", "sigmoid", 128, 1e-3, 0.1),
    "zscore-linear-32": ("zscore", "linear", 32, 1e-3, 0.1),
    "zscore-linear-64": ("zscore", "linear", 64, 1e-3, 0.1),
    "zscore-linear-128": ("zscore", "linear", 128, 1e-3, 0.1),
    "minmax-linear-32": ("minmax", "linear", 32, 1e-3, 0.1),
    "minmax-sigmoid-32-nodrop": ("minmax", "sigmoid", 32, 1e-3, 0.0),
    "zscore-linear-32-nodrop": ("zscore", "linear", 32, 1e-3, 0.0),
    "minmax-sigmoid-32-fast": ("minmax", "sigmoid", 32, 3e-3, 0.1),
    "zscore-linear-32-fast": ("zscore", "linear", 32, 3e-3, 0.1),
    "zscore-linear-32-slow": ("zscore", "linear", 32, 3e-4, 0.1),
}


def read(path):
    """Matrix (float32), sample ids, gene ids."""
    if path.suffix == ".gctx":
        import h5py

        with h5py.File(path) as file:
            text = [[v.decode() for v in file[f"0/META/{axis}/id"][:]] for axis in ("COL", "ROW")]
            return file["0/DATA/0/matrix"][:].astype(np.float32), *text
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        header = next(rows := csv.reader(file))
        rows = list(rows)
    return np.array([row[1:] for row in rows], dtype=np.float32), [row[0] for row in rows], header[1:]


def split(samples, hold_out, seed):
    """True where a sample trains; the rest, about a fifth, is held out."""
    random = np.random.default_rng(seed)
    train = np.ones(len(samples), dtype=bool)
    if hold_out is None:
        train[random.permutation(len(samples))[: len(samples) // 5]] = False
        return train
    with open(hold_out, newline="") as file:
        group = {row["sample_id"]: row["dataset"] for row in csv.DictReader(file, delimiter="\t")}
    groups = np.array([group[s] for s in samples])
    for name in random.permutation(sorted(set(groups))):
        # A data set that would take more than a quarter of the samples stays in training.
        if (~train).sum() + (groups == name).sum() <= len(samples) // 4 and (~train).sum() < len(samples) // 5:
            train[groups == name] = False
    return train


class Autoencoder:
    """G-500-100-500-G with sigmoid hidden layers, trained on MAE with Adam; the network sees scaled values."""

    def __init__(self, train, config, seed, l2=1e-6):
        self.kind, self.output, self.batch, rate, self.dropout = CONFIGS[config]
        torch.manual_seed(seed)
        self.offset, self.scale = reference.scaling(train, self.kind)
        self.x = torch.from_numpy(self.scaled(train))
        widths = [train.shape[1], *HIDDEN, train.shape[1]]
        self.layers = [torch.nn.Linear(a, b) for a, b in zip(widths, widths[1:])]
        for layer in self.layers:
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        # The penalty's gradient, 2 * l2 * w, is what weight_decay = 2 * l2 adds.
        self.optimizer = torch.optim.Adam(
            [{"params": [layer.weight for layer in self.layers], "weight_decay": 2 * l2},
             {"params": [layer.bias for layer in self.layers]}], lr=rate, eps=1e-7, fused=True)

    def scaled(self, values):
        return (values - self.offset) * self.scale

    def forward(self, x, training=False):
        for layer in self.layers[:-1]:
            x = torch.nn.functional.dropout(torch.sigmoid(layer(x)), self.dropout, training)
        x = self.layers[-1](x)
        return torch.sigmoid(x) if self.output == "sigmoid" else x

    def epoch(self):
        """One pass over the shuffled samples; returns the mean loss."""
        total = 0.0
        for rows in torch.randperm(len(self.x)).split(self.batch):
            batch = self.x[rows]
            loss = (self.forward(batch, training=True) - batch).abs().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        return total / len(self.x)

    @torch.no_grad()
    def mae(self, values):
        """Mean absolute error in the units of the data."""
        found = self.forward(torch.from_numpy(self.scaled(values))).numpy()
        unit = np.divide(1, self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)
        return np.abs(found * unit + self.offset - values).mean(dtype=np.float64)

    @torch.no_grad()
    def scores(self, x, kind, target):
        """DeepLIFT (Rescale) of all bottleneck neurons over scaled samples x: {aggregation: score by gene}."""
        x0 = {"zeros": lambda: torch.zeros(x.shape[1]), "mean": lambda: x.mean(0), "median": lambda: x.quantile(0.5, 0)}[kind]()

        def chain(layer, a, b):
            za, zb = layer(a), layer(b)
            ya, yb = torch.sigmoid(za), torch.sigmoid(zb)
            delta = za - zb
            secant = torch.where(delta.abs() < 1e-4, ya * (1 - ya), (ya - yb) / delta)
            return ya, yb, secant

        h, h0, m1 = chain(self.layers[0], x, x0[None])
        _, _, m2 = chain(self.layers[1], h, h0)
        absolute = torch.zeros(x.shape[1])
        square, signed = torch.zeros_like(absolute), torch.zeros(m2.shape[1], x.shape[1])
        for s in range(len(x)):
            rows = self.layers[1].weight * m1[s]
            if target == "post":
                rows = rows * m2[s][:, None]
            c = (rows @ self.layers[0].weight) * (x[s] - x0)
            absolute += c.abs().mean(0)
            square += c.square().mean(0)
            signed += c
        signed /= len(x)
        return {"mean-abs": absolute, "abs-mean": signed.abs().mean(0), "mean": signed.mean(0).abs(), "rms": square}


def train(options, values, held_in):
    inside, outside = values[held_in], values[~held_in]
    baseline = np.abs(outside - np.median(inside, axis=0)).mean(dtype=np.float64)
    print(f"# {inside.shape} train, {outside.shape} held out, MAE of the training median {baseline:.4f}, seed {options.seed}")
    for config in options.configs.split(","):
        net, start = Autoencoder(inside, config, options.seed), time.time()
        for epoch in range(1, options.epochs + 1):
            loss = net.epoch()
            if epoch % 25 == 0 or epoch == options.epochs:
                mae = net.mae(outside)
                print(f"{options.data.name}\t{config}\t{options.seed}\t{epoch}\t{loss:.5f}\t{mae:.4f}\t{mae / baseline:.4f}\t"
                      f"{time.time() - start:.1f}", flush=True)


def ridge_mse(inside, outside, chosen, targets):
    """Held-out MSE by targets (z-scored), penalty the best on the held-out samples, as for every set alike."""
    a, b = inside[:, chosen].astype(np.float64), outside[:, chosen].astype(np.float64)
    gram, cross = a.T @ a, a.T @ inside[:, targets]
    return min(np.square(b @ np.linalg.solve(gram + p * np.eye(len(chosen)), cross) - outside[:, targets]).mean()
               for p in (30, 100, 300, 1000, 3000))


def select(options, values, held_in, genes):
    inside, outside = values[held_in], values[~held_in]
    mean, sd = inside.mean(axis=0), inside.std(axis=0)
    sd[sd == 0] = 1
    z_in, z_out = (inside - mean) / sd, (outside - mean) / sd
    listed = set(options.landmarks.read_text().split())
    panel = [j for j, gene in enumerate(genes) if gene in listed or gene.rsplit("_", 1)[-1] in listed]
    random = np.random.default_rng(options.seed)
    sets = {f"random {i}": random.choice(len(genes), options.n, replace=False) for i in range(3)}
    sets["L1000 random subset"] = random.choice(panel, min(options.n, len(panel)), replace=False)
    sets["highest variance"] = np.argsort(-inside.var(axis=0), kind="stable")[: options.n]
    for config in options.configs.split(","):
        net = Autoencoder(inside, config, options.seed)
        for _ in range(options.epochs):
            net.epoch()
        baseline = np.abs(outside - np.median(inside, axis=0)).mean(dtype=np.float64)
        print(f"# {config}: held-out MAE {net.mae(outside) / baseline:.4f} of the training median's", flush=True)
        sample = net.x[torch.from_numpy(random.permutation(len(net.x))[: options.samples])]
        for kind in ("zeros", "mean", "median"):
            for target in ("post", "pre"):
                for aggregate, score in net.scores(sample, kind, target).items():
                    top = torch.argsort(score, descending=True, stable=True)[: options.n].numpy()
                    sets[f"{config}\t{kind}\t{target}\t{aggregate}"] = top
    # Every set is judged on the same genes, those that no set holds.
    targets = np.setdiff1d(np.arange(len(genes)), np.concatenate(list(sets.values())))
    print(f"# N {options.n}, {len(targets)} common targets, seed {options.seed}")
    for name, chosen in sets.items():
        print(f"{options.data.name}\t{options.n}\t{options.seed}\t{name}\t{ridge_mse(z_in, z_out, chosen, targets):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=("train", "select"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--hold-out", type=Path)
    parser.add_argument("--configs", default="minmax-sigmoid-32,zscore-linear-32")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--landmarks", type=Path, help="ids of a known panel, one a line: Entrez ids or the data's own")
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--samples", type=int, help="DeepLIFT over this many training samples (default all)")
    options = parser.parse_args()
    values, samples, genes = read(options.data)
    held_in = split(samples, options.hold_out, options.seed)
    if options.job == "train":
        train(options, values, held_in)
    else:
        select(options, values, held_in, genes)


if __name__ == "__main__":
    main()
