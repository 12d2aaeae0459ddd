"""Jobs of a Slurm array, each its own.

Snakemake's Slurm executor (2.8, its jobstep 0.6) starts every job of an array inside the Snakemake of the first one, which then
looks for the first one's output: where that failed, or takes a minute longer, the others count as failed, and what they made is
removed. Here a job's own command takes the place of that Snakemake, before it does anything.
"""

import argparse
import os
import zlib
from collections.abc import Mapping, Sequence

COMMANDS = "--slurm-jobstep-array-execs"  # of all jobs of the array but the first, as the executor hands them on


def take_own_command(arguments: Sequence[str]) -> None:
    """Replaces this process, a Snakemake with these arguments, where it is that of another job of its array."""
    if command := own_command(arguments, os.environ):
        os.execv("/bin/sh", ["sh", "-c", command])


def own_command(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The command of this job; None where that is running already: of an array's first job, and of one of no array."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument(COMMANDS, dest="commands")
    commands, number = parser.parse_known_args(arguments)[0].commands, environment.get("SLURM_ARRAY_TASK_ID")
    if not commands or not number:
        return None
    from snakemake_executor_plugin_slurm_jobstep import parse_array_execs  # here, since it is there on no other path

    compressed = parse_array_execs(commands).get(number)
    return zlib.decompress(bytes.fromhex(compressed)).decode() if compressed else None
