#!/usr/bin/env bash
# Submits a run to a Slurm cluster and waits for it; on a login node, in tmux or screen:
#   ./run examples/cluster.sh examples/own_model.yaml
# First look at the lines marked <- in slurm/config.yaml (partitions, accounts, how the cluster is asked for GPUs); docs/cluster.md
# has the rest. More arguments go to Snakemake: `--dry-run` shows the jobs and submits none.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
snakemake --profile slurm --configfile "$@"
