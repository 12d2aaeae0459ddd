"""How fast a machine works through each rule's jobs: by what runs here took, or by what they took elsewhere."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from wta_sae.base.errors import UserError
from wta_sae.base.spent import read_spent
from wta_sae.forecast.model_sizes import model_sizes
from wta_sae.forecast.workload import WorkflowJob, Workload
from wta_sae.plan.run_plan import run_plan

REFERENCE_FILE = "reference_rates.csv"  # written by benchmarks/reference_rates.py
PROBE = "probe"  # its row of a machine's own speed
FEEDING = "feeding"  # and of the bytes a second that come from a disk to a trainer
UNKNOWN_START = 4.0  # seconds of a rule that was never measured
HERE, PROBED, ELSEWHERE = "runs on this machine", "a probe of this machine", "docs/performance.md"
STARTING = 0.5  # of a job's time, where no other size tells


class Rate(NamedTuple):
    """start: seconds before anything is computed; speed: operations a second."""

    start: float
    speed: float

    def seconds(self, operations: float) -> float:
        return self.start + operations / self.speed

    def times(self, factor: float) -> "Rate":
        """Of a machine that takes so many times as long."""
        return Rate(self.start * factor, self.speed / factor)


class FinishedJob(NamedTuple):
    """What one finished job had to compute, and took."""

    rule: str
    operations: float
    seconds: float
    on_gpu: bool = False


class Rates:
    """A rate for each rule, on a processor or a GPU, and where it is from.

    finished: jobs of this machine. probe: its speed, None where jobs run elsewhere. A GPU is not probed: that would take the
    seconds that loading torch takes.
    """

    def __init__(self, finished: Iterable[FinishedJob], probe: Callable[[], float] | None):
        self.reference = {device: reference_rates(device) for device in ("cpu", "gpu")}
        self.finished: dict[tuple[str, bool], list[FinishedJob]] = {}
        for job in finished:
            self.finished.setdefault((job.rule, job.on_gpu), []).append(job)
        self._probe = probe
        self._faster: float | None = None

    def of(self, rule: str, on_gpu: bool) -> tuple[Rate, str]:
        known = self.reference["gpu" if on_gpu else "cpu"].get(rule)
        if jobs := self.finished.get((rule, on_gpu)):
            return measured(jobs, known), HERE
        known = known or Rate(UNKNOWN_START, math.inf)
        if self._probe is None or on_gpu:
            return known, ELSEWHERE
        if self._faster is None:
            self._faster = self._probe() / self.reference["cpu"][PROBE].speed
        return known.times(1 / self._faster), PROBED


def measured(jobs: list[FinishedJob], known: Rate | None) -> Rate:
    """The rate that says of finished jobs together what they took: the known one of another machine, made longer or shorter.

    How time grows with the size is the known rate's to say, for jobs of one size do not tell it. Without one, `fitted`.
    """
    if known is None:
        return fitted(jobs)
    return known.times(sum(job.seconds for job in jobs) / sum(known.seconds(job.operations) for job in jobs))


def fitted(jobs: list[FinishedJob]) -> Rate:
    """The rate at which jobs took what they took, where they start in STARTING of the fastest one's time."""
    operations = sum(job.operations for job in jobs)
    if not operations:
        return Rate(sum(job.seconds for job in jobs) / len(jobs), math.inf)
    start = STARTING * min(job.seconds for job in jobs)
    return Rate(start, operations / sum(job.seconds - start for job in jobs))


def finished_in(results: Path, current: Mapping[str, Any]) -> list[FinishedJob]:
    """Of all runs in a folder.

    current: the config of the run that is planned, which may not have recorded it yet. Runs that recorded none, or one of
    another version, are left out.
    """
    found: list[FinishedJob] = []
    for run in sorted(path.parent for path in results.glob("*/logs")):
        config = current if run.name == current["run"] else _recorded(run)
        with suppress(UserError, KeyError, TypeError):
            found += finished_of(run, config or {})
    return found


def finished_of(run: Path, config: Mapping[str, Any]) -> Iterator[FinishedJob]:
    """Of the jobs of a run that have said in the last lines of their logs what they took."""
    sizes = model_sizes(config["language_model"], run / "lm")
    workload = Workload(config, run_plan(config), sizes) if sizes else None
    for log in sorted((run / "logs").rglob("*.log")):
        if workload and (spent := read_spent(log.read_text(encoding="utf-8", errors="replace"))):
            job = WorkflowJob.of_log(log.as_posix())
            with suppress(KeyError, StopIteration):  # of an SAE or a set that the run no longer has
                yield FinishedJob(job.rule, workload.operations(job), spent.seconds, spent.on_gpu)


def _recorded(run: Path) -> dict[str, Any] | None:
    try:
        return json.loads((run / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def reference_rates(device: str) -> dict[str, Rate]:
    """What was measured where docs/performance.md says. device: cpu or gpu."""
    lines = files("wta_sae.forecast").joinpath(REFERENCE_FILE).read_text(encoding="utf-8").splitlines()
    rows = [row for row in csv.DictReader(lines) if row["device"] == device]
    return {row["rule"]: Rate(float(row["start"]), float(row["speed"])) for row in rows}
