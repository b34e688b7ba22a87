#!/usr/bin/env bash
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --output=%x-%A_%a.log
#
# A study of strategies × sizes × splits as Slurm arrays:
#
#   ./study.sh submit          every stage as an array that waits for the one before
#   ./study.sh submit --local  the same one after another on this machine, without Slurm
#   ./study.sh gather          the table of what is there, and what is missing
#   sbatch --array=3,7 study.sh select     some tasks again
#
# What is there already is kept (an output is there whole or not at all), so a stage that lost some tasks is submitted again as it was.
set -euo pipefail

# Slurm runs a copy of this file from a folder of its own; it tells where it was submitted.
cd "${SLURM_SUBMIT_DIR:-.}"
conf=${STUDY:-study.conf}
[ -r "$conf" ] || { printf 'study.sh: no %s here; copy it, or name one in STUDY\n' "$conf" >&2; exit 2; }
# shellcheck source=study.conf
. "$conf"
stage=${1:-}
task=${SLURM_ARRAY_TASK_ID:-${2:-}}
cpus=(--threads "${SLURM_CPUS_PER_TASK:-$(nproc)}")
grouped=()
[ -z "$group" ] || grouped=(--group-by "$group")
most=$(printf '%s\n' "${sizes//,/$'\n'}" | sort -n | tail -1)

# A list is a strategy and a seed.
lists=()
for each in "${strategies[@]}"; do for seed in "${seeds[@]}"; do lists+=("$each-s$seed"); done; done
list_name() { if [ "${#seeds[@]}" -eq 1 ]; then echo "${1%-s*}"; else echo "$1"; fi; }

# How many tasks a stage has; they are counted from 0.
tasks() {
    case $1 in
        split | compare) echo "${#splits[@]}" ;;
        select) echo $((${#splits[@]} * ${#lists[@]})) ;;
    esac
}

needs_task() {
    [ -n "$task" ] && [ "$task" -lt "$(tasks "$stage")" ] ||
        { printf 'study.sh: %s has the tasks 0 to %d; sbatch --array=… study.sh %s, or study.sh %s TASK\n' "$stage" $(($(tasks "$stage") - 1)) "$stage" "$stage" >&2; exit 2; }
}

case $stage in
split)
    needs_task
    seed=${splits[$task]}
    mkdir -p "$out"
    [ -e "$out/split-$seed/test.gex" ] || "$genelift" split "$store" -o "$out/split-$seed" --fractions "$fractions" "${grouped[@]}" --seed "$seed" --force -q
    ;;
select)
    needs_task
    here=$out/split-${splits[$((task / ${#lists[@]}))]} which=${lists[$((task % ${#lists[@]}))]}
    list=$here/$(list_name "$which").tsv
    [ -e "$list" ] || "$genelift" select --strategy "${which%-s*}" --store "$here/train.gex" -n "$most" -o "$list" --seed "${which##*-s}" "${cpus[@]}" -q
    ;;
compare)
    needs_task
    seed=${splits[$task]} here=$out/split-${splits[$task]}
    sets=()
    for which in "${lists[@]}"; do name=$(list_name "$which"); sets+=("$name=$here/$name.tsv"); done
    # one fold held out once: what its groups say of it is in its own tables, the spread over the splits is gathered
    [ -e "$here/comparison" ] || "$genelift" compare --train "$here/train.gex" --test "$here/test.gex" --landmarks "${sets[@]}" --size "$sizes" \
        "${grouped[@]}" --hold-out split --seed "$seed" "${options[@]}" -o "$here/comparison" "${cpus[@]}" -q
    ;;
gather)
    exec python3 "$(dirname "$(readlink -f "$0")")/gather.py" "$out" --splits "$(IFS=,; echo "${splits[*]}")" --sets "$(IFS=,; for which in "${lists[@]}"; do names+=("$(list_name "$which")"); done; echo "${names[*]}")"
    ;;
submit)
    after=()
    for each in split select compare; do
        last=$(($(tasks $each) - 1))
        if [ "${2:-}" = --local ]; then
            for ((i = 0; i <= last; i++)); do "$0" $each $i; done
        else
            job=$(sbatch --parsable --job-name="genelift-$each" --array="0-$last" "${after[@]}" "$0" $each)
            after=(--dependency="afterok:${job%%;*}")
            printf '%s: %d tasks, job %s\n' $each $((last + 1)) "$job"
        fi
    done
    printf 'then: %s gather\n' "$0"
    ;;
*)
    sed -n '7,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
