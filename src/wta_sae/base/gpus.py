"""The GPUs of this machine, without torch: how many there are for Snakemake's jobs, and which one a job takes."""

import fcntl
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path


def visible_gpus() -> list[str]:
    """The names of the NVIDIA GPUs that CUDA may use, see `_names`; none where nvidia-smi, the driver's program, is not."""
    try:
        listing = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return _names(sum(line.startswith("GPU ") for line in listing.splitlines()))


@cache
def take_gpu(count: int) -> int:
    """The index, among the `count` GPUs that torch sees, of one that no other job holds; this process then holds it.

    Jobs hold a GPU by a lock on a file of the temporary folder, which the system lets go when the process ends, however it
    ends. Where every GPU is held, because the user lets more jobs run than there are GPUs, jobs share them.
    """
    for index, name in enumerate(_names(count)):
        file = os.open(Path(tempfile.gettempdir(), f"wta_sae-{os.getuid()}-gpu-{name}.lock"), os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return index  # the file stays open, and locked, until the process ends
    return os.getpid() % count


def _names(present: int) -> list[str]:
    """What CUDA_VISIBLE_DEVICES names, or else "0", "1", ... for as many as are present."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(index) for index in range(present)]
    return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
