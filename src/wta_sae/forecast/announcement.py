"""What a run will take, in the lines that it begins with."""

from collections.abc import Iterator

from wta_sae.forecast.forecast import Forecast
from wta_sae.forecast.words import duration, in_words, number_of
from wta_sae.forecast.workload import WorkflowJob


def announcement(forecast: Forecast) -> Iterator[str]:
    phases = list(forecast.phases())
    yield f"{forecast.config['run']}: {number_of(forecast.jobs)}, {forecast.machine}"
    for phase in phases:
        yield _line(phase.name, phase.jobs, phase.seconds, f"by {', '.join(phase.sources)}")
    yield _line("all", forecast.jobs, sum(phase.seconds for phase in phases), "if nothing else runs")
    yield from _work(forecast)
    if forecast.workload is None:
        yield "  disk, memory and part of the time are not known before the language model has been fetched"
        return
    if stores := forecast.stores():
        largest = ", ".join(f"{in_words(one.bytes)} {one.what}" for one in stores[:3])
        needed = in_words(sum(store.bytes for store in stores))
        yield f"  disk: {needed} ({largest}); {in_words(forecast.machine.free_disk)} free"
    yield from _memory(forecast, "memory", False, forecast.machine.memory)
    yield from _memory(forecast, "GPU memory", True, forecast.machine.gpu_memory)


def _work(forecast: Forecast) -> Iterator[str]:
    workload, rules = forecast.workload, {job.rule for job in forecast.jobs}
    activations, training = forecast.config["activations"], forecast.config["training"]
    if "cache_activations" in rules:
        yield f"  cached: {activations['tokens']:,} tokens in {activations['dtype']}"
    if "train_sae" in rules and workload:
        saes = sum(len(workload.saes_of(job.name)) for job in forecast.jobs if job.rule == "train_sae")
        yield f"  trained: {saes} SAEs, {workload.steps:,} steps each of {training['batch_tokens']:,} tokens"
        if forecast.machine.gpus:
            size, wait = workload.bytes_of_a_step, 1000 * forecast.seconds_to_read_a_batch(workload)
            together = forecast.saes_that_keep_a_gpu_busy(workload)
            yield (
                f"  fed: {in_words(size)} a step, in {wait:.0f} ms from a disk; training.saes_together: {together} keeps a "
                f"GPU busy, here it is {training['saes_together']}"
            )
    if fetched := list(_fetched(forecast, rules)):
        yield f"  fetched from the hub, in the time that your network takes: {', '.join(fetched)}"


def _fetched(forecast: Forecast, rules: set[str]) -> Iterator[str]:
    config = forecast.config
    if "fetch_language_model" in rules:
        model = config["language_model"]["hub"]
        yield f"{model['name']} at {model['revision']}"
    if "fetch_text" in rules:
        text = config["text"]["hub"]
        yield f"{text['name']} at {text['revision']}, {text['characters']:,} characters"
    for job in forecast.jobs:
        if job.rule == "fetch_labelled_texts":
            dataset = config["labelled_texts"]["hub"]["datasets"][job.name]
            yield f"{dataset['name']} at {dataset['revision']}"


def _memory(forecast: Forecast, kind: str, of_gpu: bool, there: float) -> Iterator[str]:
    """Of the job that holds the most."""
    needed, rule = max(
        ((sum(part.bytes for part in forecast.memory(job, of_gpu)), job.rule) for job in forecast.jobs), default=(0, "")
    )
    if needed:
        yield f"  {kind}: {in_words(needed)} at the most, by {rule}" + (f"; {in_words(there)} here" if there else "")


def _line(name: str, jobs: list[WorkflowJob], seconds: float, remark: str) -> str:
    return f"  {name:<23}{number_of(jobs):>9}  {duration(seconds):>12}  {remark}"
