"""What one job may ask for in a partition of Slurm: the memory of its largest node, for as long as it lets a job run."""

import math
import subprocess
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class PartitionLimits:
    """mem_mb: megabytes, runtime: minutes, as Snakemake's resources of these names; infinite where there is no limit."""

    mem_mb: float = math.inf
    runtime: float = math.inf


@cache
def partition_limits(partition: str | None) -> PartitionLimits:
    """Of a partition, or of the best of several with commas between; None: of the default one.

    No limits where Slurm does not say: it is not there, or does not answer.
    """
    of = ["--partition", partition] if partition else []
    command = ["sinfo", "--noheader", "--exact", "--format=%P %m %l", *of]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return PartitionLimits()
    rows = [line.split() for line in answer.splitlines()]
    own = [(memory, time) for name, memory, time in rows if partition or name.endswith("*")]
    if not own:
        return PartitionLimits()
    return PartitionLimits(max(int(memory.rstrip("+")) for memory, _ in own), max(minutes(time) for _, time in own))


def minutes(time: str) -> float:
    """Of a time limit as Slurm writes it: [days-][hours:]minutes:seconds, or infinite. Seconds are dropped."""
    if ":" not in time:
        return math.inf
    days, _, clock = time.rpartition("-")
    hours, whole, _ = (int(part) for part in f"0:{clock}".split(":")[-3:])
    return int(days or 0) * 1440 + hours * 60 + whole
