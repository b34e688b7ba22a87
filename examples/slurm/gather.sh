#!/bin/bash
# One table of what examples/slurm/array.sh left in a folder, to standard output: split, size, strategy and seed of the task, then the
# columns of its comparison (docs/reference/files.md), of the set and of the mean of its random draws. Says how many tasks are not done.
set -euo pipefail

out=${1:?usage: gather.sh FOLDER}
first=1 missing=0
for here in "$out"/split*-seed*/; do
    table=$here/comparison/summary.tsv
    if [ ! -e "$table" ]; then
        missing=$((missing + 1))
        continue
    fi
    name=$(basename "$here")
    split=${name#split} && split=${split%%-*}
    rest=${name#*-}
    size=${rest%%-*}
    strategy=${rest#*-} && strategy=${strategy%-seed*}
    seed=${name##*-seed}
    awk -v OFS='\t' -v first="$first" -v task="$split	$size	$strategy	$seed" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == "kind") kind = i }
        NR == 1 && first { print "split", "size", "strategy", "seed", $0 }
        NR > 1 && ($kind == "set" || $kind == "draws mean") { print task, $0 }' FS='\t' "$table"
    first=0
done
[ "$missing" -eq 0 ] || echo "$missing tasks began and are not done" >&2
if [ "$first" -eq 1 ]; then
    echo "$out: no task is done" >&2
    exit 1
fi
