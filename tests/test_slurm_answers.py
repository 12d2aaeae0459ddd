"""What is made of what Slurm and its executor say: a partition's limits, jobs that are preempted for good, jobs of arrays."""

import asyncio
import base64
import json
import math
import os
import zlib

import pytest

from wta_sae.base.slurm_arrays import own_command
from wta_sae.base.slurm_limits import PartitionLimits, minutes, partition_limits
from wta_sae.base.slurm_preemption import fail_preempted_jobs, failing_preempted

CLUSTER = """\
short 16000 1:00:00
cpu* 16000 8:00:00
cpu* 64000+ 8:00:00
gpu 500000 infinite
"""


@pytest.fixture
def sinfo(tmp_path, monkeypatch):
    """What Slurm answers, as a shell script."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    partition_limits.cache_clear()

    def answers(script):
        (tmp_path / "sinfo").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{script}\n')
        (tmp_path / "sinfo").chmod(0o755)
        return tmp_path / "asked"

    yield answers
    partition_limits.cache_clear()


def test_the_default_partition_has_the_limits_of_its_largest_node(sinfo):
    asked = sinfo(f"cat <<END\n{CLUSTER}END")
    assert partition_limits(None) == PartitionLimits(64000, 480)
    assert partition_limits(None) == PartitionLimits(64000, 480)
    assert asked.read_text() == "--noheader --exact --format=%P %m %l\n"  # once


def test_a_partition_that_is_named_has_its_own(sinfo):
    asked = sinfo("echo gpu 500000 2-00:30:00; echo gpu 250000 2-00:30:00")
    assert partition_limits("gpu,more") == PartitionLimits(500000, 2 * 1440 + 30)
    assert asked.read_text().endswith("--partition gpu,more\n")


@pytest.mark.parametrize("script", ["exit 1", "true", "echo gpu 500000 infinite"])
def test_where_slurm_does_not_say_there_are_no_limits(sinfo, script):
    sinfo(script)
    assert partition_limits(None) == PartitionLimits(math.inf, math.inf)


@pytest.mark.parametrize(
    ("time", "expected"),
    [("infinite", math.inf), ("n/a", math.inf), ("30:00", 30), ("1:00:00", 60), ("1-02:03:59", 1440 + 123), ("0:45", 0)],
)
def test_times_are_read_as_slurm_writes_them(time, expected):
    assert minutes(time) == expected


def test_a_job_that_stays_preempted_has_failed():
    answers = iter(
        [
            {"1": "RUNNING", "2": "PREEMPTED", "3": "PREEMPTED"},
            None,  # Slurm could not be asked
            {"1": "PREEMPTED", "2": "PREEMPTED", "3": "PENDING"},  # the last has its turn again
            {"1": "PREEMPTED", "2": "COMPLETED", "3": "PREEMPTED"},
        ]
    )

    async def query(command, logger):
        states = next(answers)
        return states, None if states is None else 0.1

    ask = failing_preempted(query)
    seen = [asyncio.run(ask("squeue", None)) for _ in range(4)]
    assert seen[0] == ({"1": "RUNNING", "2": "PREEMPTED", "3": "PREEMPTED"}, 0.1)
    assert seen[1] == (None, None)
    assert seen[2] == ({"1": "PREEMPTED", "2": "CANCELLED", "3": "PENDING"}, 0.1)
    assert seen[3] == ({"1": "CANCELLED", "2": "COMPLETED", "3": "PREEMPTED"}, 0.1)


def test_the_executor_asks_by_the_function_that_is_replaced(monkeypatch):
    import snakemake_executor_plugin_slurm as executor

    monkeypatch.setattr(executor, "query_job_status", before := executor.query_job_status)
    fail_preempted_jobs()
    assert executor.query_job_status is not before
    assert "query_job_status" in executor.Executor.check_active_jobs.__code__.co_names


@pytest.mark.parametrize("with_value", [lambda option, value: [f"{option}={value}"], lambda option, value: [option, value]])
@pytest.mark.parametrize(
    ("number", "expected"), [("1", None), ("2", "snakemake 'of the second'"), ("3", "snakemake third"), (None, None)]
)
def test_a_job_of_an_array_has_its_own_command(with_value, number, expected):
    commands = {"2": "snakemake 'of the second'", "3": "snakemake third"}  # the first one's is what runs
    compressed = {index: zlib.compress(command.encode(), level=9).hex() for index, command in commands.items()}
    value = base64.b64encode(json.dumps(compressed).encode()).decode()
    arguments = ["--target-jobs", "first", *with_value("--slurm-jobstep-array-execs", value), "--cores", "all"]
    assert own_command(arguments, {"SLURM_ARRAY_TASK_ID": number} if number else {}) == expected
    assert own_command(["--target-jobs", "first"], {"SLURM_ARRAY_TASK_ID": "2"}) is None
