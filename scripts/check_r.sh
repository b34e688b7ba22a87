#!/usr/bin/env bash
# Makes a small run and reads all of it in R (examples/r/). Needs a built genelift and R with data.table and jsonlite:
# apt-get install --no-install-recommends r-base-core r-cran-data.table r-cran-jsonlite
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
genelift=${GENELIFT:-$root/target/release/genelift}
command -v Rscript >/dev/null || { printf 'check_r: no Rscript; apt-get install r-base-core r-cran-data.table r-cran-jsonlite\n' >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$genelift" simulate --samples 200 --genes 300 --studies 8 -o made-up.tsv -q >/dev/null
"$genelift" init made-up.tsv made-up.samples.tsv -o study.toml -q >/dev/null
"$genelift" run study.toml --set output=run --set train.epochs=5 --set 'train.hidden=[40,8,40]' --set select.n=30 --set compare.random-draws=3 -q >/dev/null
"$genelift" embed run/model.safetensors run/data.gex -o embedding.tsv -q >/dev/null
Rscript "$root/examples/r/tour.R" run embedding.tsv

# Half precision, and a store that was not made by `run`: the values are those of the same matrix in single precision.
printf 'sample\tg1\tg2\tg3\ns1\t0\t3\t0\ns2\t0\t0\t0\ns3\t7\t0\t2\n' >counts.tsv
for dtype in f32 f16; do "$genelift" simulate --samples 20 --genes 30 --dtype $dtype -o $dtype.gex -q >/dev/null; done
Rscript -e 'suppressPackageStartupMessages(source(commandArgs(TRUE)))
a <- read_store("f32.gex")$matrix; b <- read_store("f16.gex")$matrix
stopifnot(identical(dimnames(a), dimnames(b)), max(abs(a - b) / pmax(abs(a), 1)) < 2^-11 + 1e-9)
cat("half precision: within", signif(max(abs(a - b)), 2), "of single\n")' "$root/examples/r/genelift.R"
# A sparse store has the values of the dense one.
"$genelift" import counts.tsv -o dense.gex -q >/dev/null
"$genelift" import counts.tsv -o sparse.gex --layout sparse --dtype f16 -q >/dev/null
Rscript -e 'suppressPackageStartupMessages(source(commandArgs(TRUE)))
stopifnot(identical(read_store("dense.gex")$matrix, read_store("sparse.gex")$matrix))' "$root/examples/r/genelift.R"
Rscript "$root/examples/r/reticulate.R"
