"""Made-up counts of single cells, as a table of cells × genes: five types that differ in a tenth of the genes, depth that varies
tenfold, counts that vary more than Poisson's. Writes counts.tsv and types.tsv. Python's standard library."""

import math
import random

CELLS, GENES, TYPES = 600, 500, 5


def poisson(random_source, mean):
    """By inversion; means here are small."""
    product, count, limit = 1.0, -1, math.exp(-mean)
    while True:
        product *= random_source.random()
        count += 1
        if product <= limit:
            return count


source = random.Random(1)
base = [source.lognormvariate(-0.5, 1.0) for _ in range(GENES)]
modules = [source.randrange(8) for _ in range(GENES)]  # genes of a module go up and down together
types = [[source.choice([0.2, 5.0]) if source.random() < 0.1 else 1.0 for _ in range(GENES)] for _ in range(TYPES)]
with open("counts.tsv", "w") as counts, open("types.tsv", "w") as labels:
    counts.write("cell\t" + "\t".join(f"made_up_{gene + 1}" for gene in range(GENES)) + "\n")
    labels.write("sample_id\ttype\n")
    for cell in range(CELLS):
        kind, depth = source.randrange(TYPES), source.lognormvariate(1.0, 0.6)
        activity = [source.lognormvariate(0.0, 0.5) for _ in range(8)]
        row = []
        for gene in range(GENES):
            mean = min(base[gene] * types[kind][gene] * activity[modules[gene]] * depth, 100.0)
            row.append(str(poisson(source, mean * source.gammavariate(2.0, 0.5))))
        counts.write(f"cell_{cell + 1}\t" + "\t".join(row) + "\n")
        labels.write(f"cell_{cell + 1}\ttype {kind + 1}\n")
