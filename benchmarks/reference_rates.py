"""How fast a machine works through the jobs of each rule, from finished runs of two sizes: rows of the plan's reference rates.

    python benchmarks/reference_rates.py cpu results/tiny results/demo > reference.csv

They go into src/wta_sae/forecast/reference_rates.csv. Of each rule, the start is what would be left of its jobs' seconds if
their arithmetic had no size.
"""

import argparse
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from feeding_speed import LATENTS, TOKENS, WIDTH
from wta_sae.forecast.probe import processor_speed
from wta_sae.forecast.rates import FEEDING, PROBE, FinishedJob, Rate, finished_of, fitted
from wta_sae.forecast.workload import DENSE_PRODUCTS
from wta_sae.machine.files import read_json
from wta_sae.variants.registry import VARIANTS

LEAST_START = 0.5  # seconds of Python's own


def line_through(samples: list[FinishedJob]) -> Rate:
    """The rate that fits the seconds with the least squares of relative errors; no start below LEAST_START.

    Where no size says how they grow, half of a job's time is taken to grow.
    """
    x, y = (np.array([getattr(sample, name) for sample in samples]) for name in ("operations", "seconds"))
    weights = 1 / y**2
    (from_x, from_y), spread = (np.average(one, weights=weights) for one in (x, y)), np.cov(x, aweights=weights, bias=True)
    slope = np.cov(x, y, aweights=weights, bias=True)[0, 1] / spread if spread else 0.0
    start = from_y - slope * from_x
    if slope <= 0:
        return fitted(samples)
    if start < LEAST_START:
        start, slope = LEAST_START, (weights * x * (y - LEAST_START)).sum() / (weights * x**2).sum()
    return Rate(start, 1 / slope)


def speed_of_steps(printed: str) -> float:
    """The mean over the variants, whose steps are of one size."""
    milliseconds = {name: float(ms) for name, ms in re.findall(r"^\| (\w+) \| ([\d.]+) \|", printed, re.MULTILINE)}
    seconds = [milliseconds[name] / 1000 for name in VARIANTS]
    return 2 * DENSE_PRODUCTS * TOKENS * WIDTH * LATENTS / (sum(seconds) / len(seconds))


def jobs_by_rule(runs: list[Path]) -> dict[str, list[FinishedJob]]:
    found: dict[str, list[FinishedJob]] = defaultdict(list)
    for run in runs:
        for job in finished_of(run, read_json(run / "config.json")):
            found[job.rule].append(job)
    return dict(found)


def largest(jobs: list[FinishedJob]) -> float:
    return max((job.operations for job in jobs), default=-1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("device", choices=["cpu", "gpu"])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument(
        "--otherwise", type=Path, nargs="*", default=[], help="runs for the rules of which the others ran no job as large"
    )
    parser.add_argument("--steps", type=Path, help="what gpu_speed.py printed: its steps stand for training's, which are many")
    parser.add_argument("--feeding", type=Path, help="what feeding_speed.py printed")
    arguments = parser.parse_args()
    samples = jobs_by_rule(arguments.runs)
    for rule, jobs in jobs_by_rule(arguments.otherwise).items():
        if largest(jobs) > largest(samples.get(rule, [])):
            samples[rule] = samples.get(rule, []) + jobs
    print("device,rule,start,speed")
    if arguments.device == "cpu":
        print(f"cpu,{PROBE},0,{processor_speed():.3g}")
    if arguments.feeding:
        (from_disk,) = re.findall(r"^\| batches on .*\| ([\d.]+) \| [\d.]+ \|$", arguments.feeding.read_text(), re.MULTILINE)
        print(f"{arguments.device},{FEEDING},0,{float(from_disk) * 1e9:.3g}")
    for rule, found in sorted(samples.items()):
        if max(sample.seconds for sample in found) < LEAST_START:
            continue
        rate = line_through(found)
        if rule == "train_sae" and arguments.steps:
            rate = rate._replace(speed=speed_of_steps(arguments.steps.read_text()))
        print(f"{arguments.device},{rule},{rate.start:.3g},{rate.speed:.3g}")


if __name__ == "__main__":
    main()
