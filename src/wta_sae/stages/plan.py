"""What a run takes, before it starts: jobs, time, disk, memory, what is fetched. Asks Snakemake which jobs there are to do."""

import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from wta_sae.base.errors import UserError
from wta_sae.forecast.announcement import announcement
from wta_sae.forecast.forecast import Forecast
from wta_sae.forecast.machine_limits import this_machine
from wta_sae.forecast.probe import processor_speed
from wta_sae.forecast.rates import Rates, finished_in
from wta_sae.forecast.workload import WorkflowJob

JOB = re.compile(r"^(?:local)?rule (?P<rule>\w+):\n(?P<lines>(?:    .*\n)+)", re.MULTILINE)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="as snakemake has it: merged over config.yaml")
    parser.add_argument("--targets", nargs="*", default=[], help="what to make (default: all)")
    parser.add_argument("--cores", type=int, help="for the jobs (default: this machine's)")
    parser.add_argument("--gpus", type=int, help="for the jobs, wherever they are (default: this machine's)")


def run(arguments: Namespace) -> None:
    config, jobs = planned(arguments.targets, arguments.configfile)
    results = Path("results")
    machine = this_machine(results, arguments.cores, arguments.gpus)
    rates = Rates(finished_in(results, config), processor_speed)
    forecast = Forecast(config, jobs, machine, results / config["run"], rates)
    print("\n".join(announcement(forecast)))
    forecast.check()


def planned(targets: list[str], configfiles: list[Path]) -> tuple[dict[str, Any], list[WorkflowJob]]:
    """The run's config as Snakemake merges it, and the jobs that it would run. Raises UserError with what it refuses."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--nolock"]
    command += [*(["--configfile", *map(str, configfiles)] if configfiles else []), "--", *targets]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    output = process.stdout + process.stderr
    if process.returncode:
        raise UserError(next((line for line in process.stderr.splitlines()[::-1] if line.strip()), "snakemake failed"))
    config: dict[str, Any] = {}
    for file in (Path("config.yaml"), *configfiles):
        update_config(config, yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    return config, list(jobs_in(output))


def jobs_in(output: str) -> Iterator[WorkflowJob]:
    """Those that a dry run of Snakemake prints, but for what has no log: no stage runs there."""
    for found in JOB.finditer(output):
        said = dict(re.findall(r"^    (\w+): (.*)$", found["lines"], re.MULTILINE))
        if "log" in said:
            on_gpu = bool(re.search(r"\bgpu=[1-9]", said.get("resources", "")))
            yield WorkflowJob.of_log(said["log"], int(said.get("threads", 1)), on_gpu)
