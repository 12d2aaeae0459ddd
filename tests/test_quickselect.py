import numpy as np
import pytest
import torch

from wta_sae.sae.quickselect import group_maxima, mark_largest, positions_of_largest, positions_of_largest_in_all
from wta_sae.sae.readouts import top_k

ROWS = 40


def values(columns, kind):
    """(R, M) float32: distinct values, half of them zero as after a ReLU, or few values and so many ties."""
    values_RM = torch.randn(ROWS, columns, generator=torch.Generator().manual_seed(columns))
    return {"distinct": values_RM, "relu": values_RM.relu(), "ties": (values_RM * 2).round()}[kind]


@pytest.mark.parametrize("columns, k", [(7, 1), (7, 7), (64, 4), (1000, 3), (1000, 60), (2048, 16)])
@pytest.mark.parametrize("kind", ["distinct", "relu", "ties"])
def test_the_largest_of_rows_are_those_of_a_stable_sort(columns, k, kind):
    values_RM = values(columns, kind)
    order_RM = values_RM.argsort(dim=1, descending=True, stable=True)
    first_RM = torch.zeros_like(values_RM).scatter(1, order_RM[:, :k], 1).bool() & (values_RM > 0)
    assert torch.equal(torch.from_numpy(positions_of_largest(values_RM.numpy(), k)), first_RM.flatten().nonzero()[:, 0])
    cut_R1 = values_RM.gather(1, order_RM[:, k - 1 : k])
    all_RM = (values_RM >= cut_R1) & (values_RM > 0)
    found_P = positions_of_largest(values_RM.numpy(), k, all_ties=True)
    assert torch.equal(torch.from_numpy(found_P), all_RM.flatten().nonzero()[:, 0])


@pytest.mark.parametrize("count", [1, 39, 40, 41, 1000, 40 * 300])
@pytest.mark.parametrize("kind", ["distinct", "relu", "ties"])
def test_the_largest_of_all_rows_are_those_of_a_stable_sort(count, kind):
    flat = values(300, kind).flatten()
    first = flat.argsort(descending=True, stable=True)[:count].sort().values
    found_P = positions_of_largest_in_all(flat.view(ROWS, 300).numpy(), count)
    assert torch.equal(torch.from_numpy(found_P), first[flat[first] > 0])


@pytest.mark.parametrize("k", [1, 16, 60])
def test_no_group_bounds_away_a_winner(k):
    values_RM = values(1000, "distinct").numpy()
    maxima_RG = group_maxima(values_RM, k)
    assert maxima_RG.shape[1] < 1000 or k == 60
    assert (np.sort(maxima_RG)[:, -k] <= np.sort(values_RM)[:, -k]).all()


def test_no_rows_have_no_largest():
    assert positions_of_largest(np.empty((0, 9), dtype=np.float32), 2).tolist() == []
    assert top_k(torch.empty(2, 0, 9), 2).shape == (2, 0, 9)


def test_rows_without_anything_positive_give_nothing():
    assert positions_of_largest(np.array([[0.0, -1.0], [0.0, 0.0]], dtype=np.float32), 1).tolist() == []


def test_mark_largest_takes_the_first_of_ties_and_all_where_there_are_no_more():
    assert mark_largest(np.array([2.0, 3.0, 2.0, 1.0]), 2).tolist() == [True, True, False, False]
    assert mark_largest(np.array([2.0, 3.0]), 5).tolist() == [True, True]


def test_nan_is_not_lost():
    """So that an SAE whose activations are beyond float32 is refused, and does not pass for a silent one."""
    pre = torch.tensor([[1.0, torch.nan, 3.0, 2.0]])
    assert top_k(pre, 2)[0].isnan().tolist() == [False, True, False, False]
    assert top_k(pre, 2)[0, 2] == 3


def test_autograd_passes_through_what_is_kept():
    pre = torch.tensor([[1.0, 3.0, 2.0]], requires_grad=True)
    top_k(pre, 2).square().sum().backward()
    assert pre.grad.tolist() == [[0, 6, 4]]
