"""What the plan says that a run takes, beside what the run took: phase by phase, and on the clock.

    python benchmarks/forecast_accuracy.py results/demo

The run has ended, all its jobs in one go. It is forecast as for a machine that has finished nothing yet, and, if there are
other runs beside it, as for one that has finished those.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from measuring import header, row
from wta_sae.base.spent import read_spent
from wta_sae.forecast.forecast import Forecast
from wta_sae.forecast.machine_limits import this_machine
from wta_sae.forecast.probe import processor_speed
from wta_sae.forecast.rates import Rates, finished_of
from wta_sae.forecast.workload import WorkflowJob
from wta_sae.machine.files import read_json

TWO_THREADS = ("train_language_model", "cache_activations", "collect_text", "tokenize", "train_tokenizer", "browse")


def finished_jobs(run: Path) -> Iterator[tuple[WorkflowJob, float, float]]:
    """Each job, when it began, and how long it took, in seconds."""
    for log in sorted((run / "logs").rglob("*.log")):
        if spent := read_spent(log.read_text(encoding="utf-8", errors="replace")):
            job = WorkflowJob.of_log(log.as_posix())
            ended = log.stat().st_mtime
            yield job._replace(threads=2 if job.rule in TWO_THREADS else 1), ended - spent.seconds, spent.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--cores", type=int, default=2, help="that the run had (default: 2)")
    arguments = parser.parse_args()
    run, results = arguments.run, arguments.run.parent
    finished = list(finished_jobs(run))
    config, machine = read_json(run / "config.json"), this_machine(results, arguments.cores, 0)
    others = [
        sample
        for other in sorted(results.glob("*/config.json"))
        if other.parent != run
        for sample in finished_of(other.parent, read_json(other))
    ]
    jobs = [job for job, *_ in finished]
    forecasts = {
        name: Forecast(config, jobs, machine, run, Rates(samples, processor_speed))
        for name, samples in {"a probe": [], **({"other runs": others} if others else {})}.items()
    }
    seconds = {job: taken for job, _, taken in finished}
    header("phase", "jobs", "took, job seconds", *(f"said by {name}, of that" for name in forecasts))
    for phases in zip(*(forecast.phases() for forecast in forecasts.values()), strict=True):
        took = sum(seconds[job] for job in phases[0].jobs)
        said = [
            sum(forecast.job_seconds(job) for job in phase.jobs)
            for phase, forecast in zip(phases, forecasts.values(), strict=True)
        ]
        row(phases[0].name, len(phases[0].jobs), f"{took:,.0f}", *(f"{one / took:.2f}" for one in said))
    clock = max(begun + taken for _, begun, taken in finished) - min(begun for _, begun, _ in finished)
    said = [forecast.seconds for forecast in forecasts.values()]
    row("all, on the clock", len(jobs), f"{clock:,.0f}", *(f"{one / clock:.2f}" for one in said))


if __name__ == "__main__":
    main()
