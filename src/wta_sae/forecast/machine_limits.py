"""What this machine has: cores, memory, GPUs and their memory, free disk."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wta_sae.base.gpus import visible_gpus

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


class Machine(NamedTuple):
    """cores: that jobs may use; gpus: jobs that have one at a time. Bytes, 0 where unknown. cluster: whose nodes run them."""

    cores: int
    gpus: int
    memory: float
    gpu_memory: float
    free_disk: float
    cluster: bool = False

    def __str__(self) -> str:
        if self.cluster:
            return f"up to {self.cores} at a time on a cluster"
        gpus = f", {self.gpus} GPU{'s' if self.gpus > 1 else ''}" if self.gpus else ""
        return f"on {self.cores} core{'s' if self.cores > 1 else ''}{gpus}"


def this_machine(results: Path, cores: int | None = None, gpus: int | None = None) -> Machine:
    """results: the folder that is written to, or will be. cores, gpus: as the user limits them."""
    gpus = len(visible_gpus()) if gpus is None else gpus
    return Machine(cores or os.cpu_count() or 1, gpus, _memory(), _gpu_memory() if gpus else 0, _free_disk(results))


def a_cluster(results: Path, jobs: int) -> Machine:
    """Whose nodes run so many jobs at a time, each on a core and, where it asks for one, a GPU; their memory is unknown."""
    return Machine(jobs, jobs, 0, 0, _free_disk(results), cluster=True)


def _free_disk(results: Path) -> float:
    there = next(path for path in (results.absolute(), *results.absolute().parents) if path.exists())
    return float(shutil.disk_usage(there).free)


def _memory() -> float:
    memory = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # no container, or "max": no limit
        memory = min(memory, float(CGROUP_LIMIT.read_text()))
    return memory


def _gpu_memory() -> float:
    """Of the smallest GPU."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        return min(float(line) for line in listing.split()) * 2**20
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
