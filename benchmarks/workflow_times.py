"""Time and memory of each rule of a finished run, from the last lines of its jobs' logs, as a Markdown table.

    python benchmarks/workflow_times.py results/demo

Snakemake's benchmark files hold samples, half a minute apart; the last line of a log is what the system counted.
"""

import argparse
from pathlib import Path

import pandas as pd

from measuring import header, row
from wta_sae.base.spent import read_spent


def rule_times(run: Path) -> pd.DataFrame:
    """One row a rule: jobs, processor seconds and seconds of all jobs together, seconds of the longest, peak memory in MB."""
    found = []
    for file in sorted((run / "logs").rglob("*.log")):
        if spent := read_spent(file.read_text(errors="replace")):
            found.append({"rule": file.relative_to(run / "logs").parts[0].removesuffix(".log"), **spent._asdict()})
    if not found:
        raise SystemExit(f"{run}: no job's log says what it took; run the workflow first")
    jobs = pd.DataFrame(found).groupby("rule")
    times = jobs.agg(
        jobs=("seconds", "size"),
        processor=("processor_seconds", "sum"),
        seconds=("seconds", "sum"),
        longest=("seconds", "max"),
        megabytes=("megabytes", "max"),
    )
    return times.sort_values("processor", ascending=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="results folder of a run")
    times = rule_times(parser.parse_args().run)
    header("rule", "jobs", "CPU seconds, all jobs", "seconds, all jobs", "seconds, longest job", "peak memory, MB")
    for rule, one in times.iterrows():
        cells = (f"{one[name]:,.0f}" for name in ("processor", "seconds", "longest", "megabytes"))
        row(f"`{rule}`", f"{one.jobs:.0f}", *cells)
    row("all", f"{times.jobs.sum():.0f}", f"{times.processor.sum():,.0f}", f"{times.seconds.sum():,.0f}", "", "")


if __name__ == "__main__":
    main()
