#!/usr/bin/env bash
# Runs examples/slurm on a small made-up study: all of it on this machine, then as Slurm would, by a `sbatch` that runs each task of an array in an
# environment like Slurm's (a copy of the script in another folder, SLURM_SUBMIT_DIR, SLURM_ARRAY_TASK_ID). The tables must be equal.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
genelift=${GENELIFT:-$root/target/release/genelift}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$genelift" simulate --samples 120 --genes 80 --studies 10 -o made-up.gex -q >/dev/null
cat >study.conf <<CONF
store=made-up.gex
out=local
group=study
fractions=0.7,0.3
splits=(1 2)
strategies=(diverse variance)
seeds=(0)
sizes=5,10
options=(--method linear --random-draws 2)
genelift=$genelift
CONF
study=$root/examples/slurm/study.sh
fail() { printf 'check_slurm: %s\n' "$1" >&2; exit 1; }

"$study" gather >table 2>missing && fail 'nothing is there, and gather does not say so'
[ "$(grep -c 'there is no list yet' missing)" -eq 2 ] || fail 'what is missing is not named'
"$study" select 4 2>said && fail 'a task that there is not was run'
grep -q 'tasks 0 to 3' said || fail "what tasks there are is not said: $(cat said)"
"$study" submit --local >/dev/null
"$study" gather >local.tsv
[ "$(wc -l <local.tsv)" -eq 7 ] || fail "two sizes of three sets make seven lines: $(cat local.tsv)"
before=$(find local -type f -printf '%T@ %p\n' | sort)
"$study" submit --local >/dev/null
[ "$before" = "$(find local -type f -printf '%T@ %p\n' | sort)" ] || fail 'what was there is made anew'

mkdir bin spool
cat >bin/sbatch <<'SBATCH'
#!/usr/bin/env bash
set -euo pipefail
for word in "$@"; do
    case $word in
        --array=*) last=${word#--array=0-} ;;
        --dependency=afterok:*) [ -e "$SPOOL/${word#--dependency=afterok:}" ] ;;
        --*) ;;
        *) [ -n "${script:-}" ] && stage=$word || script=$word ;;
    esac
done
job=$((100 + $(ls "$SPOOL" | wc -l)))
cp "$script" "$SPOOL/slurm_script"
for ((i = 0; i <= last; i++)); do
    (cd / && SLURM_SUBMIT_DIR=$SUBMIT SLURM_ARRAY_TASK_ID=$i SLURM_CPUS_PER_TASK=1 bash "$SPOOL/slurm_script" "$stage" >/dev/null)
done
rm "$SPOOL/slurm_script"
touch "$SPOOL/$job"
echo "$job"
SBATCH
chmod +x bin/sbatch
sed -i 's/^out=.*/out=slurm/' study.conf
SPOOL=$PWD/spool SUBMIT=$PWD PATH=$PWD/bin:$PATH "$study" submit >said
[ "$(grep -c ' tasks, job ' said)" -eq 3 ] || fail "three arrays were to be submitted: $(cat said)"
"$study" gather >slurm.tsv
cmp local.tsv slurm.tsv || fail 'arrays left another table'
sed -i 's/^out=.*/out=seeds/; s/^seeds=.*/seeds=(4 5)/; s/^splits=.*/splits=(1)/; s/^strategies=.*/strategies=(concrete)/' study.conf
"$study" submit --local >/dev/null
"$study" gather >seeds.tsv
[ "$(cut -f2 seeds.tsv | grep -c '^concrete-s[45]$')" -eq 4 ] || fail "two seeds and two sizes: $(cat seeds.tsv)"
cat slurm.tsv
