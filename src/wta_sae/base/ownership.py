"""Who writes an output: one command at a time, wherever it runs.

A job whose Snakemake was killed lives on, and its successor would write the same files; so would two commands by hand.
Therefore a command owns its outputs, by files `.NAME.lock` beside them that say who it is and since when. It holds them
locked: the system lets go when the process ends, however it ends. On one machine a second command waits for the first. Between
two, a lock may not be seen, nor a process looked for: the second then stops, unless Slurm knows that the first has ended.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from wta_sae.base.errors import PassingError
from wta_sae.base.writing import writing

_held: set[int] = set()  # the open lock files of this process


@dataclass(frozen=True)
class Owner:
    """boot: of the kernel, so that two containers of one machine know that they are. slurm_job, slurm_restarts: "" without."""

    host: str
    boot: str
    process: int
    since: str
    slurm_job: str
    slurm_restarts: str

    def __str__(self) -> str:
        job = f", Slurm job {self.slurm_job}" if self.slurm_job else ""
        return f"process {self.process} on {self.host}{job}, since {self.since}"


@contextmanager
def owning(outputs: Iterable[Path]) -> Iterator[None]:
    """Owns all of them inside the block, and waits for that where another command of this machine does.

    Raises PassingError where one of another machine does, or where a lock file cannot be made.
    """
    with ExitStack() as stack:
        # In one order, so that no two commands wait for each other.
        for path in sorted({Path(path).parent.resolve() / Path(path).name for path in outputs}):
            stack.enter_context(_owning(path))
        yield


def lock_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


@contextmanager
def _owning(path: Path) -> Iterator[None]:
    lock = lock_path(path)
    with writing(lock):
        file = _lock(lock, path)
    _held.add(file)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()  # while it is held; who waits for it finds that it has gone, and makes it anew
        _held.discard(file)
        os.close(file)


def _lock(lock: Path, path: Path) -> int:
    """The open lock file, held and signed."""
    us = _this_process()
    told = False
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _require_no_owner_elsewhere(file, lock, path, us)
            if not _try_to_hold(file):
                if not told:
                    owner = _owner(file) or "another process"
                    print(f"{path}: written by {owner}; waiting for it", file=sys.stderr, flush=True)
                    told = True
                fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(file, lock):
                _require_no_owner_elsewhere(file, lock, path, us)
                os.ftruncate(file, 0)
                os.pwrite(file, (json.dumps(asdict(us), indent=2) + "\n").encode(), 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _try_to_hold(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system that has no locks: there, only what the file says of another machine protects
        return True
    return True


def _is_at(file: int, lock: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file), lock.stat())
    except FileNotFoundError:
        return False


def _require_no_owner_elsewhere(file: int, lock: Path, path: Path, us: Owner) -> None:
    owner = _owner(file)
    if owner is None or us.host == owner.host or us.boot == owner.boot or _has_ended(owner, us):
        return
    cancel = f"wait for it, or cancel it (scancel {owner.slurm_job})" if owner.slurm_job else "wait for it"
    raise PassingError(f"{path}: written by {owner}; {cancel}; if it has ended, delete {lock} and run again")


def _owner(file: int) -> Owner | None:
    """Who signed a lock file; None where nobody did, or did not get to the end."""
    try:
        return Owner(**json.loads(os.pread(file, 10_000, 0)))
    except (ValueError, TypeError):
        return None


def _has_ended(owner: Owner, us: Owner) -> bool:
    """Whether Slurm says so of an owner on another machine; False where it does not know."""
    if not owner.slurm_job:
        return False
    if owner.slurm_job == us.slurm_job:
        return owner.slurm_restarts != us.slurm_restarts  # Slurm has put the job on another node
    command = ["squeue", "--noheader", "--format=%T", "--jobs", owner.slurm_job]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    if answer.returncode:
        return "Invalid job id" in answer.stderr  # ended so long ago that it is forgotten
    return not answer.stdout.strip()


def _this_process() -> Owner:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux: the name alone tells
        boot = socket.gethostname()
    return Owner(
        host=socket.gethostname(),
        boot=boot,
        process=os.getpid(),
        since=datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        slurm_job=_slurm_job(),
        slurm_restarts=os.environ.get("SLURM_RESTART_COUNT", ""),
    )


def _slurm_job() -> str:
    """The job's number as scancel takes it: of one of an array, the array's and its own in it."""
    array, own = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{own}" if array and own else os.environ.get("SLURM_JOB_ID", "")


def _let_go() -> None:
    """In a forked worker process: a lock is free only when all who have its file open have ended."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)
