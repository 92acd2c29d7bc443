#!/bin/bash
# sbatch slurm.sh: 32 tasks caption one dataset. One that was preempted, or whose node failed, is queued again by Slurm and
# goes on. Where time ran out or something failed: `sbatch slurm.sh` again; what is done is not done again.
#SBATCH --job-name=captions
#SBATCH --array=0-31
#SBATCH --cpus-per-task=8
#SBATCH --gres=gpu:1
#SBATCH --mem=16G
#SBATCH --time=08:00:00
#SBATCH --requeue
set -euo pipefail

# Once, on a node with network: wd14-captioner download SmilingWolf/wd-eva02-large-tagger-v3
export HF_HUB_OFFLINE=1
srun wd14-captioner scale /shared/pictures /shared/captions \
    --shard-index "$SLURM_ARRAY_TASK_ID" --shard-count "$SLURM_ARRAY_TASK_COUNT" \
    --generation-model SmilingWolf/wd-eva02-large-tagger-v3
