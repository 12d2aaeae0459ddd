"""What the benchmarks share: timing, turns, and a process in the peers' environment that takes part.

Contestants take turns and the best turn of each counts, so that what else the machine does hits all alike. CPU time with one
thread hardly depends on it at all; wall times do.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]


class Time(NamedTuple):
    """Seconds: of the CPU, all threads of the process together, and of the wall."""

    cpu: float
    wall: float


def timed(work: Callable[[], object], repeats: int = 1) -> Time:
    """The time that one repetition takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        work()
    return Time((time.process_time() - cpu) / repeats, (time.perf_counter() - wall) / repeats)


def best_of_turns(turns: Mapping[str, Callable[[], Time]], rounds: int) -> dict[str, Time]:
    """The least CPU time and the least wall time of each contestant."""
    taken: dict[str, list[Time]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, take_turn in turns.items():
            taken[name].append(take_turn())
    return {name: Time(*map(min, zip(*times, strict=True))) for name, times in taken.items()}


def peak_growth(work: Callable[[], object]) -> float:
    """MB of memory that the process holds at the most while it works, over what it held before. Linux only."""
    before = _own_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    work()
    return _own_memory("VmHWM") - before


def _own_memory(kind: str) -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(kind)) / 1000


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns, called where nothing has used memory yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


class Peer:
    """A process in the peers' environment, which holds other versions of our packages; it answers one call at a time."""

    def __init__(self, script: str) -> None:
        self.script = script
        command = [str(ROOT / "benchmarks/peers"), "python", str(ROOT / "benchmarks" / script)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, function: str, *arguments: Any) -> Any:
        """What the script's function of that name returns; all that goes to and fro is JSON."""
        print(json.dumps([function, *arguments]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline() if self.process.stdout else ""
        if not answer:
            raise SystemExit(f"{self.script} ended in {function}; see above")
        return json.loads(answer)


def answer_calls(*functions: Callable[..., Any]) -> None:
    """A peer's main loop: calls these functions as it is told, until its caller ends."""
    named = {function.__name__: function for function in functions}
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(named[name](*arguments)), file=answers, flush=True)


def name_processor() -> None:
    """Prints what the tables that follow were measured on: ratios depend on it."""
    facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines())
    named = {key.strip(): value.strip() for key, value in facts.items()}
    vectors = torch.backends.cpu.get_cpu_capability()
    model = f"{named['model name']} (family {named['cpu family']}, model {named['model']}; {vectors})"
    print(f"{model}, {os.cpu_count()} cores, torch {torch.__version__}, numpy {np.__version__}\n", flush=True)


def row(*cells: object) -> None:
    """Prints a row of a Markdown table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def header(*cells: str) -> None:
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)
