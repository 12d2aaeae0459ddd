"""What each stage's jobs take by the code of two checkouts, in turns: the CPU seconds of Table 1 before and after a change.

    python benchmarks/before_after.py ../before . --stages train-sae "evaluate tokens" "evaluate texts"

Both checkouts hold a finished run of the default config, which their jobs read; what they write goes elsewhere. Of a stage's
jobs the first of each kind (an SAE's variant, classes or quadrants, a split) is run, by one checkout and then by the other, and
counts for all of its kind. CPU seconds are the system's, of the job and its children.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from measuring import header, name_processor, row
from wta_sae.variants.registry import VARIANTS

OUTPUTS = ("--out", "--latents-out")


def commands(checkout: Path, target: str) -> dict[tuple[str, str], list[list[str]]]:
    """(stage, kind or nothing) -> the command of each of its jobs; as the checkout's own workflow plans them."""
    plan = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--forceall", "--cores", "2", target]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    shown = subprocess.run(plan, cwd=checkout, env=environment, capture_output=True, text=True, check=True).stdout
    found = defaultdict(list)
    for line in re.findall(r"python -m wta_sae (.*) > \S+ 2>&1", shown):
        words = shlex.split(line)
        stage = " ".join(words[: next(place for place, word in enumerate(words) if word.startswith("--"))])
        found[stage, _kind(dict(pairwise(words)))].append(words)
    return found


def _kind(values: dict[str, str]) -> str:
    """values: flag -> what follows it."""
    sae = Path(values.get("--sae") or values["--out"]).name
    if variants := [name for name in VARIANTS if sae.startswith(f"{name}-")]:
        return variants[0]
    folder = Path(values["--out"]).parent.name
    return values.get("--split") or (folder if folder in ("classes", "quadrants") else "")


def processor_seconds(checkout: Path, words: list[str]) -> float:
    """Of the job, whose outputs go to a folder that is then removed. Ends with an error where it fails."""
    with tempfile.TemporaryDirectory(dir=checkout / "results") as folder:
        command = [sys.executable, "-m", "wta_sae", *words]
        for place, word in enumerate(command[:-1]):
            if word in OUTPUTS:
                command[place + 1] = str(Path(folder) / f"{place}{Path(command[place + 1]).suffix}")
        environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "GOMP_SPINCOUNT": "1000"}
        with (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen(command, cwd=checkout, env=environment, stdout=log, stderr=log)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                log.seek(0)
                raise SystemExit(f"{shlex.join(words)}\n{log.read()[-2000:]}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="checkout with a finished run")
    parser.add_argument("after", type=Path, help="another")
    parser.add_argument("--target", default="results/table1.tex", help="whose jobs are timed")
    parser.add_argument("--stages", nargs="+", help="only these; pretraining alone takes minutes")
    arguments = parser.parse_args()
    checkouts = [arguments.before.resolve(), arguments.after.resolve()]
    before, after = (commands(checkout, arguments.target) for checkout in checkouts)
    name_processor()
    header("stage", "of", "jobs", "CPU s a job, before", "after", "times less", "all jobs, before", "after")
    totals = [0.0, 0.0]
    for stage, kind in (one for one in after if arguments.stages is None or one[0] in arguments.stages):
        jobs = [before.get((stage, kind), []), after[stage, kind]]
        each = [
            processor_seconds(checkout, of_one[0]) if of_one else 0.0 for checkout, of_one in zip(checkouts, jobs, strict=True)
        ]
        together = [seconds * len(of_one) for seconds, of_one in zip(each, jobs, strict=True)]
        totals = [total + one for total, one in zip(totals, together, strict=True)]
        shown = (f"{each[0]:.1f}", f"{each[1]:.1f}", f"{each[0] / each[1]:.2f}", *(f"{one:.0f}" for one in together))
        row(f"`{stage}`", kind, len(jobs[1]), *shown)
    row("all", "", "", "", "", f"{totals[0] / totals[1]:.2f}", *(f"{total:.0f}" for total in totals))


if __name__ == "__main__":
    main()
