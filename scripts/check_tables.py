"""Whether names of any kind in genelift's tables come back to the bit in pandas and in R.

    python scripts/check_tables.py GENELIFT

Imports a small h5ad-like matrix whose genes and samples have odd names (a tab, a quote, line breaks, a leading #, blanks at the
ends, ESC, µ, NA, 007, …), lets genelift write tables from it (store, export, scores, landmarks, evaluation, embedding) and
compares every name that pandas and R read with the one that went in. pandas reads with

    pandas.read_csv(path, sep="\\t", dtype=str, keep_default_na=False)

and R with

    read.delim(path, colClasses = "character", na.strings = character(), check.names = FALSE)

R makes a line feed of a carriage return wherever it reads text, inside quotes too; that one character is compared as such. Without
`Rscript` on the path R's part is left out, and that is said.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy
import pandas

NAMES = [
    "tab\tinside", 'quote"inside', '"quoted"', '"open', "line\nbreak", "carriage\rreturn", "both\r\nends", "#comment",
    " leading", "trailing ", "\u00a0no break", "esc\x1b[31mred", "bell\x07", "c1\u009b2J", "µ", "基因", "NA", "null", "007",
    "1e5", "2-Sep", "a,b;c", "'single", "back\\slash", "TRUE", "Inf", "0x1F", "ends\\", "-", "=1+1",
]

R = r"""
args <- commandArgs(trailingOnly = TRUE)
for (path in args) {
  table <- read.delim(path, colClasses = "character", na.strings = character(), check.names = FALSE, encoding = "UTF-8")
  for (column in c(list(names(table)), as.list(table)))
    cat(paste(vapply(column, function(x) paste(as.character(charToRaw(x)), collapse = ""), ""), collapse = " "), "\n", sep = "")
  cat("end\n")
}
"""


def run(program, *arguments, cwd):
    subprocess.run([program, *arguments], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def csv_field(name):
    return '"' + name.replace('"', '""') + '"'


def make(program, cwd):
    """Tables of every kind, by the command line alone."""
    numpy.save(os.path.join(cwd, "x.npy"), numpy.random.default_rng(1).random((len(NAMES), len(NAMES)), dtype="f4"))
    for side, key in [("genes", "gene_id"), ("samples", "sample_id")]:
        lines = ["\t".join([key, "score", "symbol"])]
        lines += ["\t".join(csv_field(field) for field in [name, name[::-1], name]) for name in NAMES]
        with open(os.path.join(cwd, f"{side}.txt"), "w", encoding="utf-8", newline="") as file:
            file.write("\n".join(lines) + "\n")
    run(program, "import", "x.npy", "-o", "x.gex", "--genes", "genes.txt", "--samples", "samples.txt", cwd=cwd)
    network = ["--hidden", "4,2", "--epochs", "1", "--device", "cpu", "--validation", "0"]
    run(program, "train", "x.gex", "-o", "m.safetensors", *network, cwd=cwd)
    run(program, "attribute", "m.safetensors", "x.gex", "-o", "scores.tsv", "--device", "cpu", cwd=cwd)
    run(program, "select", "scores.tsv", "-n", str(len(NAMES)), "-o", "landmarks.tsv", cwd=cwd)
    run(program, "embed", "m.safetensors", "x.gex", "-o", "embedding.tsv", "--device", "cpu", cwd=cwd)
    run(program, "evaluate", "m.safetensors", "x.gex", "-o", "evaluation", "--device", "cpu", cwd=cwd)
    run(program, "export", "x.gex", "-o", "export.tsv", cwd=cwd)
    return ["x.gex/genes.tsv", "x.gex/samples.tsv", "scores.tsv", "landmarks.tsv", "embedding.tsv", "evaluation/genes.tsv",
            "evaluation/samples.tsv", "export.tsv"]


def by_pandas(path):
    table = pandas.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8")
    return list(table.columns), [table.iloc[:, c].tolist() for c in range(table.shape[1])]


def by_r(paths, cwd):
    script = os.path.join(cwd, "read.R")
    with open(script, "w") as file:
        file.write(R)
    text = subprocess.run(["Rscript", script, *paths], cwd=cwd, check=True, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout
    for block in text.split("end\n")[:-1]:
        columns = [[bytes.fromhex(field).decode() for field in line.split(" ")] for line in block.rstrip("\n").split("\n")]
        yield columns[0], columns[1:]


def check(reader, path, header, columns, seen):
    """The names of a table, whichever column they are in, against those that went in."""
    expected = sorted(seen(name) for name in NAMES)
    key = next(c for c, name in enumerate(header) if name in ("gene_id", "sample_id"))
    assert sorted(columns[key]) == expected, (reader, path, set(columns[key]) ^ set(expected))
    if "symbol" in header:
        assert columns[header.index("symbol")] == columns[key], (reader, path)
    if "score.1" in header:
        assert columns[header.index("score.1")] == [name[::-1] for name in columns[key]] or reader == "R", (reader, path)
    if path == "export.tsv":
        assert header[1:] == [seen(name) for name in NAMES], (reader, path)


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as cwd:
        paths = make(program, cwd)
        description = json.load(open(os.path.join(cwd, "landmarks.tsv.json"), encoding="utf-8"))
        assert description["rows"] == len(NAMES), description
        for path in paths:
            check("pandas", path, *by_pandas(os.path.join(cwd, path)), seen=str)
        print(f"pandas {pandas.__version__}: {len(NAMES)} names in {len(paths)} tables, equal to the bit")
        if shutil.which("Rscript") is None:
            return print("R: not there, not checked")
        for path, (header, columns) in zip(paths, by_r(paths, cwd), strict=True):
            check("R", path, header, columns, seen=lambda name: name.replace("\r\n", "\n").replace("\r", "\n"))
        print(f"R: {len(NAMES)} names in {len(paths)} tables, equal to the bit (a carriage return is a line feed there)")


if __name__ == "__main__":
    main()
