#!/bin/bash
# Every seed with every strategy, size and split, one task each, on any number of hosts at a time:
#
#   STORE=brca.gex OUT=results sbatch --array=0-$(($(bash examples/slurm/array.sh count) - 1)) examples/slurm/array.sh
#   bash examples/slurm/gather.sh results > results.tsv
#
# A task that was done is not done again, so that the same command does what a failed array left.
#SBATCH --job-name=genelift-array
#SBATCH --cpus-per-task=4
#SBATCH --time=02:00:00
set -euo pipefail

read -ra splits <<<"${SPLITS:-0 1 2 3 4}"
read -ra sizes <<<"${SIZES:-100 200 400}"
read -ra strategies <<<"${STRATEGIES:-diverse css facility-location}"
read -ra seeds <<<"${SEEDS:-0 1 2}"
if [ "${1:-}" = count ]; then
    echo $((${#splits[@]} * ${#sizes[@]} * ${#strategies[@]} * ${#seeds[@]}))
    exit
fi

store=${STORE:?STORE=NAME.gex, the samples}
out=${OUT:?OUT=FOLDER, where every task leaves its own folder}
task=${SLURM_ARRAY_TASK_ID:?is set by sbatch --array}
# The task's number in mixed radix, seeds turning fastest.
seed=${seeds[task % ${#seeds[@]}]}
rest=$((task / ${#seeds[@]}))
strategy=${strategies[rest % ${#strategies[@]}]}
rest=$((rest / ${#strategies[@]}))
size=${sizes[rest % ${#sizes[@]}]}
rest=$((rest / ${#sizes[@]}))
if [ "$rest" -ge "${#splits[@]}" ]; then
    echo "task $task: there are $(bash "$0" count), numbered from 0" >&2
    exit 2
fi
split=${splits[rest]}

here=$out/split$split-$size-$strategy-seed$seed
[ ! -e "$here/comparison/summary.tsv" ] || exit 0
mkdir -p "$here"
options=(--threads "${SLURM_CPUS_PER_TASK:-1}" --quiet)
# Whatever a task that was cut off left is made anew.
genelift split "$store" -o "$here/parts" --fractions 0.8,0.2 --seed "$split" --force --quiet
genelift select --store "$here/parts/train.gex" --strategy "$strategy" -n "$size" --seed "$seed" -o "$here/landmarks.tsv" \
    --force "${options[@]}"
genelift compare --train "$here/parts/train.gex" --test "$here/parts/test.gex" --landmarks "$strategy=$here/landmarks.tsv" \
    --seed "$seed" -o "$here/comparison" --force "${options[@]}"
rm -r "$here/parts"
