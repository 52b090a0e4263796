#!/usr/bin/env bash
# One shard of a cohort per task of a Slurm array, after `xray2mri cohort-plan INPUT OUTPUT`:
#
#   sbatch --array=0-99 --cpus-per-task=8 --mem=24G --time=8:00:00 slurm.sh INPUT OUTPUT [options of xray2mri cohort]
#
# A task that is requeued or sent again goes on where it stopped. When all are done: xray2mri cohort-summary OUTPUT
set -euo pipefail
exec xray2mri cohort "$@" \
  --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT" \
  --workers "${SLURM_CPUS_PER_TASK:-1}" --allow-partial
