"""The helpers of the benchmarks count what they say; no test times anything."""

import os
import random

import torch

from endurance import differing, flip_a_bit
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


def test_a_flipped_bit_is_one_bit_and_the_files_time_stays(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(100))
    os.utime(file, (1, 1))
    for seed in range(20):
        before = file.read_bytes()
        flip_a_bit(file, random.Random(seed))
        changed = [
            (place, old ^ new) for place, (old, new) in enumerate(zip(before, file.read_bytes(), strict=True)) if old != new
        ]
        ((place, bit),) = changed
        assert place >= 50 and bit.bit_count() == 1 and file.stat().st_mtime == 1


def test_runs_are_equal_where_every_file_is():
    assert differing({"a": "1"}, {"a": "1"}) == "yes"
    assert differing({"a": "1", "b": "2"}, {"a": "1", "c": "3"}) == "no: b, c and so on, 2 files"
