"""What a run will take, and whether this machine has it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wta_sae.base.errors import UserError
from wta_sae.base.writing import partial_path
from wta_sae.forecast.machine_limits import Machine
from wta_sae.forecast.model_sizes import model_sizes
from wta_sae.forecast.rates import FEEDING, HERE, Rates
from wta_sae.forecast.space import Part, Store, disk_stores, memory_parts
from wta_sae.forecast.words import in_words, with_value
from wta_sae.forecast.workload import WorkflowJob, Workload
from wta_sae.plan.run_plan import run_plan

# What runs mostly at the same time; a rule of none of them makes a table, a figure or a page.
PHASES = {
    "text": (
        *("collect_text", "fetch_text", "train_tokenizer", "tokenize", "fetch_labelled_texts", "label_files"),
        *("label_docstrings", "label_classes", "label_quadrants"),
    ),
    "language model": ("train_language_model", "fetch_language_model", "check_language_model"),
    "activations": ("cache_activations", "cache_texts", "train_probes"),
    "synthetic": ("make_synthetic", "train_planted_saes", "evaluate_truth"),
    "training": ("train_sae", "import_sae"),
    "evaluation": (
        *("evaluate_tokens", "evaluate_texts", "calibrate", "evaluate_matched", "evaluate_matched_texts"),
        *("evaluate_stability", "browse"),
    ),
}
PRESENTATION = "tables, figures, pages"
BETWEEN_JOBS = 0.5  # seconds that Snakemake takes for a job


class Phase(NamedTuple):
    """seconds: on the clock; sources: of its rates."""

    name: str
    jobs: list[WorkflowJob]
    seconds: float
    sources: tuple[str, ...]


class Forecast:
    """Of a run's jobs, by its config. run: its folder, which need not be there. Raises UserError as `run_plan`."""

    def __init__(self, config: Mapping[str, Any], jobs: Iterable[WorkflowJob], machine: Machine, run: Path, rates: Rates):
        self.config, self.machine, self.run = config, machine, run
        self.jobs = [job._replace(on_gpu=job.on_gpu and machine.gpus > 0) for job in jobs]
        sizes = model_sizes(config["language_model"], run / "lm")
        self.workload = Workload(config, run_plan(config), sizes) if sizes else None
        self.rates = rates

    def phases(self) -> Iterator[Phase]:
        """In their order. A phase takes as long as its longest job, or as all of them side by side."""
        phase_of = {rule: name for name, rules in PHASES.items() for rule in rules}
        grouped: dict[str, list[WorkflowJob]] = {name: [] for name in (*PHASES, PRESENTATION)}
        for job in self.jobs:
            grouped[phase_of.get(job.rule, PRESENTATION)].append(job)
        for name, jobs in grouped.items():
            if jobs:
                yield self._phase(name, jobs)

    @property
    def seconds(self) -> float:
        """On the clock, one phase after another."""
        return sum(phase.seconds for phase in self.phases())

    def job_seconds(self, job: WorkflowJob) -> float:
        """Of a job alone; 0 operations are reckoned with where the language model's sizes are unknown.

        A GPU that trains waits for what it reads from the disk, where that is slower than its steps.
        """
        rate, source = self.rates.of(job.rule, job.on_gpu)
        seconds = rate.seconds(self.workload.operations(job) if self.workload else 0)
        if job.rule == "train_sae" and job.on_gpu and self.workload and source != HERE:
            seconds = max(seconds, rate.start + self.workload.steps * self.seconds_to_read_a_batch(self.workload))
        return seconds

    def seconds_to_read_a_batch(self, workload: Workload) -> float:
        return workload.bytes_of_a_step / self.rates.reference["gpu"][FEEDING].speed

    def saes_that_keep_a_gpu_busy(self, workload: Workload) -> int:
        """How many train on a batch for as long as the next one takes to come from the disk."""
        rate, _ = self.rates.of("train_sae", on_gpu=True)
        one = next(iter(workload.plan.saes))
        arithmetic = (
            workload.operations(WorkflowJob("train_sae", one)) / len(workload.saes_of(one)) / rate.speed / workload.steps
        )
        return math.ceil(self.seconds_to_read_a_batch(workload) / arithmetic)

    def _phase(self, name: str, jobs: list[WorkflowJob]) -> Phase:
        taken = [self.job_seconds(job) for job in jobs]
        sources = [self.rates.of(job.rule, job.on_gpu)[1] for job in jobs]
        on_gpus = sum(one for one, job in zip(taken, jobs, strict=True) if job.on_gpu)
        on_cores = sum(
            one * min(job.threads, self.machine.cores) for one, job in zip(taken, jobs, strict=True) if not job.on_gpu
        )
        beside_each_other = max(on_gpus / max(self.machine.gpus, 1), on_cores / self.machine.cores)
        seconds = max(*taken, beside_each_other) if len(taken) > 1 else taken[0]
        return Phase(name, jobs, seconds + BETWEEN_JOBS * len(jobs), tuple(dict.fromkeys(sources)))

    def stores(self) -> list[Store]:
        """What the jobs put on the disk; nothing is known where the language model's sizes are not."""
        return disk_stores(self.jobs, self.workload) if self.workload else []

    def memory(self, job: WorkflowJob, of_gpu: bool) -> list[Part]:
        """What a job holds in a GPU's memory, or in the computer's; likewise."""
        parts = memory_parts(job, self.workload) if self.workload else ()
        return [part for part in parts if (part.on_device and job.on_gpu) == of_gpu]

    def check(self) -> None:
        """Raises UserError where the disk is too small for what the jobs write, or the memory for what one of them holds."""
        stores = self.stores()
        needed, free = sum(store.bytes for store in stores), self.machine.free_disk + self._shards_to_be_taken_over()
        if needed > free:
            largest = stores[0]
            raise UserError(
                f"the run needs {in_words(needed)} of disk, of which {in_words(largest.bytes)} are {largest.what}, and "
                f"results/ has {in_words(free)} free; lower {with_value(self.config, largest.key)}, or make results a link to "
                "a larger disk"
            )
        for job in self.jobs:
            self._check_memory(job, self.memory(job, of_gpu=False), "memory", self.machine.memory)
            self._check_memory(job, self.memory(job, of_gpu=True), "GPU memory", self.machine.gpu_memory)

    def _shards_to_be_taken_over(self) -> int:
        """Bytes of the caches that are to be made: an interrupted job's, which the next one keeps, and old ones, which go."""
        caches = [self.run / job.name for job in self.jobs if job.rule == "cache_activations"]
        folders = [folder for cache in caches for folder in (cache, partial_path(cache))]
        return sum(shard.stat().st_size for folder in folders for shard in folder.glob("shard-*"))

    def _check_memory(self, job: WorkflowJob, parts: list[Part], kind: str, memory: float) -> None:
        needed = sum(part.bytes for part in parts)
        if memory and needed > memory:
            by_kind: dict[tuple[str, str], float] = {}
            for part in parts:
                if part.key:
                    by_kind[part.what, part.key] = by_kind.get((part.what, part.key), 0) + part.bytes
            what, key = max(by_kind, key=lambda one: by_kind[one])
            raise UserError(
                f"{job.rule} {job.name} needs {in_words(needed)} of {kind}, {in_words(by_kind[what, key])} of it for {what}, "
                f"and there are {in_words(memory)}; lower {with_value(self.config, key)}"
            )
