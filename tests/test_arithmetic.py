"""The trainer's small functions, by worked examples."""

import pytest
import torch
from torch import tensor

from wta_sae.training.arithmetic import geometric_median, learning_rate_scale, moving_average, remove_parallel_component


def test_moving_average():
    unset = tensor(torch.nan)
    assert moving_average(unset, tensor(3.0), 0.9) == 3
    assert moving_average(tensor(3.0), tensor(5.0), 0.9) == pytest.approx(3.2)
    assert moving_average(tensor(3.0), tensor(torch.inf), 0.9) == 3
    assert moving_average(unset, tensor(torch.inf), 0.9).isnan()


def test_geometric_median_resists_an_outlier():
    points_BD = tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1000.0, 1000.0]])
    assert (geometric_median(points_BD) < 1.5).all()
    assert geometric_median(tensor([[2.0, 3.0], [2.0, 3.0]])).tolist() == [2, 3]


def test_remove_parallel_component():
    gradient_FD = tensor([[3.0, 4.0]])
    remove_parallel_component(gradient_FD, tensor([[1.0, 0.0]]))
    assert gradient_FD.tolist() == [[0, 4]]


def test_learning_rate_schedule():
    scales = [learning_rate_scale(step, 10, 4, 2) for step in range(10)]
    assert scales == [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 0.5]
    assert learning_rate_scale(9, 10, 0, 0) == 1
