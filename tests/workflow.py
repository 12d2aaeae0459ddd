"""Runs snakemake as a user does, in a checkout."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def copy_what_runs(checkout):
    """A checkout of its own for a test: what snakemake reads, without results."""
    for name in (
        "Snakefile",
        "config.yaml",
        "workflow",
        "src",
        "constraints.txt",
        "envs",
        "profiles",
        "paper",
        "tests/tiny.yaml",
    ):
        source, target = ROOT / name, checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)


def by_hand(checkout, *command, **environment):
    """The finished process of a command in a checkout, whose own src is the one that runs."""
    variables = os.environ | {"PYTHONPATH": str(checkout / "src")} | environment
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    return subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True, check=False)


def snakemake(checkout, *arguments, **environment):
    """The same of `snakemake`."""
    return by_hand(checkout, "snakemake", "--cores", "2", *arguments, **environment)


def planned_jobs(process):
    """Rule -> number of jobs, from the table of jobs that snakemake prints."""
    assert process.returncode == 0, process.stdout + process.stderr
    output = process.stdout + process.stderr
    if "Nothing to be done" in output:
        return {}
    table = output[output.index("Job stats:") :].split("\n\n")[0]
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    return {rule: count for rule, count in jobs.items() if rule not in ("total", "all")}
