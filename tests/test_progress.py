"""A job's progress beside its log."""

import os
import subprocess
import sys

PROGRAM = """
import wta_sae.base.progress as progress
progress.SECONDS_BETWEEN_LINES = progress.SECONDS_BETWEEN_TERMINAL_LINES = {seconds}
progress.name_job("results/demo/sae/x")
import time
for _ in progress.progress(range(5), "training", 5, "step"):
    time.sleep(0.05)
"""


def run(seconds, terminal):
    program = [sys.executable, "-c", PROGRAM.format(seconds=seconds)]
    read, write = os.pipe()
    try:
        os.set_inheritable(write, True)
        environment = os.environ | ({"WTA_SAE_TERMINAL": str(write)} if terminal else {})
        process = subprocess.run(program, env=environment, capture_output=True, text=True, check=True, pass_fds=[write])
    finally:
        os.close(write)
    with os.fdopen(read) as pipe:
        return process.stderr.splitlines(), pipe.read().splitlines()


def test_lines_reach_the_terminal_as_well_as_the_log_and_name_the_job():
    log, terminal = run(seconds=0.01, terminal=True)
    assert log[-1].startswith("training: 5.00/5.00 [")
    assert terminal[-1].startswith("results/demo/sae/x: training: ")
    assert all(line.removeprefix("results/demo/sae/x: ") in log for line in terminal)


def test_a_short_job_says_nothing_there():
    log, terminal = run(seconds=10, terminal=True)
    assert log and terminal == []


def test_a_command_by_hand_has_its_log_alone():
    log, terminal = run(seconds=0.01, terminal=False)
    assert log and terminal == []


def test_a_terminal_that_is_gone_is_no_error():
    program = [sys.executable, "-c", PROGRAM.format(seconds=0.01)]
    process = subprocess.run(program, env=os.environ | {"WTA_SAE_TERMINAL": "77"}, capture_output=True, text=True, check=False)
    assert process.returncode == 0
