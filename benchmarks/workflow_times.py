"""Time and memory of each rule of a finished run, from Snakemake's benchmark files, as a Markdown table.

python benchmarks/workflow_times.py results/demo
"""

import argparse
from pathlib import Path

import pandas as pd


def rule_times(run: Path) -> pd.DataFrame:
    """One row a rule: jobs, CPU seconds and seconds of all jobs together, seconds of the longest, peak memory of any in MB."""
    frames = []
    for file in sorted((run / "benchmarks").rglob("*.tsv")):
        rule = file.relative_to(run / "benchmarks").parts[0].removesuffix(".tsv")
        frames.append(pd.read_csv(file, sep="\t", na_values="-").assign(rule=rule))
    if not frames:
        raise SystemExit(f"{run}: no benchmark files; run the workflow first")
    jobs = pd.concat(frames).groupby("rule")
    times = jobs.agg(
        jobs=("s", "size"), cpu=("cpu_time", "sum"), seconds=("s", "sum"), longest=("s", "max"), megabytes=("max_rss", "max")
    )
    return times.sort_values("cpu", ascending=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="results folder of a run")
    times = rule_times(parser.parse_args().run)
    print(
        "| rule | jobs | CPU seconds, all jobs | seconds, all jobs | seconds, longest job | peak memory, MB |\n"
        + "|---" * 6
        + "|"
    )
    for rule, row in times.iterrows():
        memory = "" if pd.isna(row.megabytes) else f"{row.megabytes:,.0f}"
        print(f"| `{rule}` | {row.jobs:.0f} | {row.cpu:,.0f} | {row.seconds:,.0f} | {row.longest:,.0f} | {memory} |")


if __name__ == "__main__":
    main()
