"""The fast forms of the rules against the plain ones, and of those that the paper compares also where activations tie."""

import pytest
import torch
from torch import tensor

from variant_rules import SELECTIONS, START, a_rule, selected
from workflow import PAPERS
from wta_sae.codes.active_pairs import pairs_of
from wta_sae.codes.dense_selection import group_size
from wta_sae.sae import quickselect
from wta_sae.training.trainer import _pre_activation_buffer
from wta_sae.variants.registry import VARIANTS

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 3), (13, 29), (64, 40), (6, 256), (7, 1031)]


def budgets(variant, shape):
    most = shape[0] if VARIANTS[variant].budget == "rates" else shape[1]
    return sorted({1, min(2, most), most // 3 or 1, most - 1 or 1, most})


def first_of_ties(variant, pre_BF, k):
    """The definition, with the choice among ties that it leaves open made for the first."""
    pre_BF = pre_BF.relu()
    if variant == "wta":
        return selected("wta", pre_BF, k)
    rows, kept = (pre_BF, k) if variant == "topk" else (pre_BF.reshape(1, -1), k * len(pre_BF))
    chosen = rows.argsort(dim=1, descending=True, stable=True)[:, :kept]
    return torch.zeros_like(rows).scatter(1, chosen, rows.gather(1, chosen)).view_as(pre_BF)


def pre_activations(kind, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    values_BF = torch.randn(shape, generator=generator)
    match kind:
        case "ties":
            return values_BF.round()
        case "few values":
            return (values_BF > 1).float()
        case "silent rows and columns":
            values_BF[::2], values_BF[:, ::3] = -values_BF[::2].abs(), 0.0
        case "constant":
            return torch.full(shape, 2.0)
        case "all zero":
            return torch.zeros(shape)
    return values_BF


def same_pairs(one, other):
    return one.shape == other.shape and all(torch.equal(part, same) for part, same in zip(one[:3], other[:3], strict=True))


DISTINCT = ("random", "silent rows and columns", "all zero")
KINDS = (*DISTINCT, "ties", "few values", "constant")


@pytest.mark.parametrize("kind", DISTINCT)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variant", SELECTIONS)
def test_the_fast_forms_equal_the_plain_rule(variant, shape, kind):
    pre_BF = pre_activations(kind, shape, seed=sum(shape))
    for k in budgets(variant, shape):
        rule, expected_BF = a_rule(variant, k, shape), selected(variant, pre_BF.relu(), k)
        assert torch.equal(rule.select_dense(pre_BF, START).acts_BF, expected_BF)
        assert same_pairs(rule.select_pairs(pre_BF, START), pairs_of(expected_BF))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variant", PAPERS)
def test_equals_the_dense_definition(variant, shape, kind, monkeypatch):
    pre_BF = pre_activations(kind, shape, seed=sum(shape))
    for k in budgets(variant, shape):
        expected_BF = first_of_ties(variant, pre_BF, k)
        expected = pairs_of(expected_BF)
        rule, dense_BF = a_rule(variant, k, shape), selected(variant, pre_BF.relu(), k)
        assert torch.equal(expected.values_P.sort().values, dense_BF[dense_BF > 0].sort().values)
        assert torch.equal(rule.select_dense(pre_BF, START).acts_BF, expected_BF)
        for block_elements in (2**18, 16):  # all rows at once, and a few at a time
            monkeypatch.setattr(quickselect, "BLOCK_ELEMENTS", block_elements)
            pairs = rule.select_pairs(pre_BF, START)
            assert same_pairs(pairs, expected), (k, block_elements)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("variant", SELECTIONS)
def test_the_buffers_layout_and_the_dtype_change_nothing(variant, dtype):
    pre_BF = pre_activations("random", (40, 64), 0).to(dtype)
    rule = a_rule(variant, 5, (40, 64))
    buffer_BF = _pre_activation_buffer(40, 64, rule.latents_first, torch.device("cpu")).to(dtype).copy_(pre_BF)
    before_BF = buffer_BF.clone()
    pairs = rule.select_pairs(buffer_BF, START)
    assert same_pairs(pairs, rule.select_pairs(pre_BF, START))
    assert torch.equal(rule.select_dense(buffer_BF, START).acts_BF, rule.select_dense(pre_BF, START).acts_BF)
    assert torch.equal(buffer_BF, before_BF)
    assert pairs.values_P.dtype == dtype
    assert pairs.tokens_P.dtype == pairs.latents_P.dtype == torch.int64
    buffer_BF.zero_()  # the pairs are copies
    assert (pairs.values_P > 0).all()


def test_ties_by_hand():
    pre_BF = tensor([[1.0, 3.0, 1.0, 1.0], [2.0, 0.0, -1.0, 2.0]])
    pairs = a_rule("topk", 2).select_pairs(pre_BF, START)
    assert (pairs.tokens_P.tolist(), pairs.latents_P.tolist()) == ([0, 0, 1, 1], [0, 1, 0, 3])
    pairs = a_rule("batch_topk", 2).select_pairs(pre_BF, START)
    assert (pairs.tokens_P.tolist(), pairs.latents_P.tolist()) == ([0, 0, 1, 1], [0, 1, 0, 3])
    pairs = a_rule("wta", 1).select_pairs(tensor([[2.0, 0.0], [2.0, -1.0], [1.0, -1.0]]), START)
    assert (pairs.tokens_P.tolist(), pairs.latents_P.tolist()) == ([0, 1], [0, 0])


@pytest.mark.parametrize("variant", PAPERS)
def test_the_smallest_positive_number_is_positive(variant):
    smallest = torch.finfo(torch.float32).smallest_normal * torch.finfo(torch.float32).eps
    pre_BF = tensor([[smallest, -0.0], [0.0, 1.0]])
    assert a_rule(variant, 2).select_pairs(pre_BF, START).values_P.tolist() == [smallest, 1]
    assert a_rule(variant, 2).select_dense(pre_BF, START).acts_BF.tolist() == [[smallest, 0], [0, 1]]


@pytest.mark.parametrize(
    "columns, k, size", [(8192, 64, 16), (8192, 1, 64), (8192**2, 64 * 8192, 16), (200, 4, 8), (201, 4, 1), (8, 8, 1)]
)
def test_groups_divide_the_columns_and_are_no_fewer_than_k(columns, k, size):
    assert group_size(columns, k) == size
    assert columns % size == 0
    assert columns // size >= k
