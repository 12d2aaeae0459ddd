"""Runs snakemake as a user does, in a checkout."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAPERS = ("topk", "batch_topk", "wta")
HEAD = r"^ *(?:rule ?(?P<name>\w*)|use rule (?P<base>\w+) as (?P<child>\w+) with):\n"
RULES, BASES = {}, {}  # name -> text, name -> the rule that it inherits from
for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
    for found in re.finditer(HEAD + r"(?P<body>.*?)(?=^ *(?:use )?rule\b|\Z)", file.read_text(), re.MULTILINE | re.DOTALL):
        RULES[name := found["child"] or found["name"] or "of the loop in train.smk"] = found["body"]
        BASES[name] = found["base"]


def new_checkout(directory):
    """The files of the repository, as they are now, in a directory to be made."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
    return directory


TINY = ("--configfile", "tests/tiny.yaml")
SNAKEMAKE = ("snakemake", "--cores", "2")


def variables_of(checkout, **environment):
    """The environment in which a checkout's own src is the one that runs."""
    variables = os.environ | {"PYTHONPATH": str(checkout / "src")} | environment
    return variables | {"PATH": f"{Path(sys.executable).parent}:{variables['PATH']}"}


def by_hand(checkout, *command, **environment):
    """The finished process of a command in a checkout."""
    variables = variables_of(checkout, **environment)
    return subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True, check=False)


def snakemake(checkout, *arguments, **environment):
    """The same of `snakemake`."""
    return by_hand(checkout, *SNAKEMAKE, *arguments, **environment)


def start_snakemake(checkout, *arguments):
    """A running `snakemake`, which shares a process group with its jobs and with nobody else."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*SNAKEMAKE, *arguments], cwd=checkout, env=variables_of(checkout), start_new_session=True, **quiet)


def planned_jobs(process):
    """Rule -> number of jobs, from the table of jobs that snakemake prints."""
    assert process.returncode == 0, process.stdout + process.stderr
    output = process.stdout + process.stderr
    if "Nothing to be done" in output:
        return {}
    table = output[output.index("Job stats:") :].split("\n\n")[0]
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    return {rule: count for rule, count in jobs.items() if rule not in ("total", "all")}


def planned_saes(process, rule):
    """The SAEs that snakemake plans a job of the rule for."""
    return re.findall(rf"^rule {rule}:\n(?:    .*\n)*?    wildcards: sae=(\S+)$", process.stdout, re.MULTILINE)


def papers_saes(process, rule):
    """Those among them of the paper's variants."""
    return [sae for sae in planned_saes(process, rule) if sae.split("-k")[0] in PAPERS]


def resources_of_jobs(process):
    """(rule, its line of resources) of each job that snakemake prints."""
    pattern = r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    resources: (.*)$"
    return re.findall(pattern, process.stdout + process.stderr, re.MULTILINE)
