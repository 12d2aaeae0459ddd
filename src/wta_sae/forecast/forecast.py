"""What a run will take, in words, and whether this machine has it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wta_sae.base.errors import UserError
from wta_sae.base.writing import partial_path
from wta_sae.forecast.machine_limits import Machine
from wta_sae.forecast.model_sizes import model_sizes
from wta_sae.forecast.rates import FEEDING, HERE, Rates
from wta_sae.forecast.space import Part, disk_stores, in_words, memory_parts, with_value
from wta_sae.forecast.workload import WorkflowJob, Workload
from wta_sae.plan.run_plan import run_plan
from wta_sae.plan.schedule import steps_of

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
            seconds = max(seconds, rate.start + self._steps() * self._seconds_to_read_a_batch(self.workload))
        return seconds

    def _steps(self) -> int:
        activations, training = self.config["activations"], self.config["training"]
        return steps_of(activations["tokens"], training["epochs"], training["batch_tokens"])

    def _seconds_to_read_a_batch(self, workload: Workload) -> float:
        return workload.bytes_of_a_step / self.rates.reference["gpu"][FEEDING].speed

    def saes_that_keep_a_gpu_busy(self, workload: Workload) -> int:
        """How many train on a batch for as long as the next one takes to come from the disk."""
        rate, _ = self.rates.of("train_sae", on_gpu=True)
        one = next(iter(workload.plan.saes))
        arithmetic = (
            workload.operations(WorkflowJob("train_sae", one)) / len(workload.saes_of(one)) / rate.speed / self._steps()
        )
        return math.ceil(self._seconds_to_read_a_batch(workload) / arithmetic)

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

    def check(self) -> None:
        """Raises UserError where the disk is too small for what the jobs write, or the memory for what one of them holds."""
        if self.workload is None:
            return
        stores = disk_stores(self.jobs, self.workload)
        needed, free = sum(store.bytes for store in stores), self.machine.free_disk + self._shards_to_be_taken_over()
        if needed > free:
            largest = stores[0]
            raise UserError(
                f"the run needs {in_words(needed)} of disk, of which {in_words(largest.bytes)} are {largest.what}, and "
                f"results/ has {in_words(free)} free; lower {with_value(self.config, largest.key)}, or make results a link to "
                "a larger disk"
            )
        for job in self.jobs:
            parts = list(memory_parts(job, self.workload))
            for kind, memory in (("memory", self.machine.memory), ("GPU memory", self.machine.gpu_memory)):
                on_device = [one for one in parts if (one.on_device and job.on_gpu) == (kind == "GPU memory")]
                self._check_memory(job, on_device, kind, memory)

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

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        machine, config = self.machine, self.config
        yield f"{config['run']}: {number_of(self.jobs)}, {machine}"
        for phase in self.phases():
            yield _line(phase.name, phase.jobs, phase.seconds, f"by {', '.join(phase.sources)}")
        yield _line("all", self.jobs, self.seconds, "if nothing else runs")
        yield from self._work()
        if self.workload is None:
            yield "  disk, memory and part of the time are not known before the language model has been fetched"
            return
        if stores := disk_stores(self.jobs, self.workload):
            largest = ", ".join(f"{in_words(one.bytes)} {one.what}" for one in stores[:3])
            needed = in_words(sum(store.bytes for store in stores))
            yield f"  disk: {needed} ({largest}); {in_words(machine.free_disk)} free"
        yield from self._memory()

    def _work(self) -> Iterator[str]:
        rules = {job.rule for job in self.jobs}
        activations, training = self.config["activations"], self.config["training"]
        if "cache_activations" in rules:
            yield f"  cached: {activations['tokens']:,} tokens in {activations['dtype']}"
        if "train_sae" in rules and self.workload:
            saes = sum(len(self.workload.saes_of(job.name)) for job in self.jobs if job.rule == "train_sae")
            yield f"  trained: {saes} SAEs, {self._steps():,} steps each of {training['batch_tokens']:,} tokens"
            if self.machine.gpus:
                size, wait = self.workload.bytes_of_a_step, 1000 * self._seconds_to_read_a_batch(self.workload)
                together = self.saes_that_keep_a_gpu_busy(self.workload)
                yield (
                    f"  fed: {in_words(size)} a step, in {wait:.0f} ms from a disk; training.saes_together: {together} keeps a "
                    f"GPU busy, here it is {training['saes_together']}"
                )
        fetched = [*self._fetched(rules)]
        if fetched:
            yield f"  fetched from the hub, in the time that your network takes: {', '.join(fetched)}"

    def _fetched(self, rules: set[str]) -> Iterator[str]:
        if "fetch_language_model" in rules:
            model = self.config["language_model"]["hub"]
            yield f"{model['name']} at {model['revision']}"
        if "fetch_text" in rules:
            text = self.config["text"]["hub"]
            yield f"{text['name']} at {text['revision']}, {text['characters']:,} characters"
        for job in self.jobs:
            if job.rule == "fetch_labelled_texts":
                dataset = self.config["labelled_texts"]["hub"]["datasets"][job.name]
                yield f"{dataset['name']} at {dataset['revision']}"

    def _memory(self) -> Iterator[str]:
        for kind, of_gpu, memory in (
            ("memory", False, self.machine.memory),
            ("GPU memory", True, self.machine.gpu_memory),
        ):
            needed = {
                job: sum(part.bytes for part in memory_parts(job, self.workload) if (part.on_device and job.on_gpu) == of_gpu)
                for job in self.jobs
                if self.workload
            }
            if needed and (most := max(needed, key=lambda job: needed[job])) and needed[most]:
                has = f"; {in_words(memory)} here" if memory else ""
                yield f"  {kind}: {in_words(needed[most])} at the most, by {most.rule}{has}"


def _line(name: str, jobs: list[WorkflowJob], seconds: float, remark: str) -> str:
    return f"  {name:<23}{number_of(jobs):>9}  {duration(seconds):>12}  {remark}"


def number_of(jobs: list[WorkflowJob]) -> str:
    return f"{len(jobs):,} job{'' if len(jobs) == 1 else 's'}"


def duration(seconds: float) -> str:
    """75 -> "1 min 15 s"; 7500 -> "2 h 5 min"."""
    seconds = math.ceil(seconds)
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
