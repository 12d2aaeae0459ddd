"""The helpers of the benchmarks count what they say; no test times anything."""

import torch

from evaluation_speed import largest_difference
from measuring import Time, best_of_turns, in_fresh_process, peak_growth


def test_the_best_turn_counts_and_turns_alternate():
    order, times = [], {"a": [Time(3, 1), Time(2, 5)], "b": [Time(4, 4), Time(6, 2)]}

    def turn(name):
        order.append(name)
        return times[name].pop(0)

    best = best_of_turns({name: lambda name=name: turn(name) for name in ("a", "b")}, rounds=2)
    assert order == ["a", "b", "a", "b"]
    assert best == {"a": Time(2, 1), "b": Time(4, 2)}


def test_memory_that_is_given_back_counts_at_its_peak():
    megabytes = in_fresh_process(_growth_by_64_megabytes)
    assert 60 < megabytes < 80


def _growth_by_64_megabytes():
    torch.ones(1)
    return peak_growth(lambda: torch.ones(16_000_000).sum())


def test_the_largest_difference_is_relative_and_skips_counts():
    ours = {"l0": 8.0, "mse": 1.01, "explained_variance_saebench": 0.5, "explained_variance": 0.9}
    theirs = {"l0": 8.0, "mse": 1.0, "explained_variance": 0.5, "total_tokens_eval_reconstruction": 7}
    difference, metric = largest_difference(ours, theirs)
    assert metric == "mse"
    assert abs(difference - 0.01) < 1e-12
