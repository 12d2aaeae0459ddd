"""How fast this machine's processor is, in a moment."""

import time

import numpy as np

SIDE, LEAST_SECONDS = 1024, 0.3


def processor_speed() -> float:
    """Operations a second of matrix products in float32, the best of a few: what a job's threads share."""
    ours = np.ones((SIDE, SIDE), dtype=np.float32)
    best, until = float("inf"), time.perf_counter() + LEAST_SECONDS
    while time.perf_counter() < until:
        begin = time.perf_counter()
        ours @ ours
        best = min(best, time.perf_counter() - begin)
    return 2 * SIDE**3 / best
