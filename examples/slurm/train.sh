#!/bin/bash
# One training over several GPUs (or hosts), which goes on after its time limit:
#
#   sbatch examples/slurm/train.sh compendium.gex model.safetensors --epochs 100 --batch 1024
#
# genelift must have been built with MPI (docs/ranks.md), the store must be where all hosts see it. One rank a GPU; without GPUs leave
# --gpus-per-task out and give each rank the processors of a socket.
#SBATCH --job-name=genelift-train
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -u

store=${1:?usage: sbatch train.sh STORE MODEL [option of genelift train]...}
model=${2:?usage: sbatch train.sh STORE MODEL [option of genelift train]...}
shift 2
# pmix where Slurm and the MPI library both know it; pmi2 otherwise (srun --mpi=list). LAUNCH=mpirun serves too.
launch=${LAUNCH:-srun --mpi=pmix}

$launch genelift train "$store" -o "$model" --history "$model.history.tsv" "$@"
code=$?
# 143: the limit was near, and a checkpoint was left; the same job goes on from it.
if [ "$code" -eq 143 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
