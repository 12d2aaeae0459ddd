import pytest
import torch
from torch import tensor

from variant_rules import SELECTIONS, selected
from wta_sae.plan.winners import winners_per_latent
from wta_sae.sae.readouts import above_threshold, top_k, winners_per_sequence

PRE_BF = tensor([[3.0, 1.0, 0.0, 2.0], [0.5, 4.0, 0.0, 1.5]])


def test_top_k_keeps_each_tokens_largest():
    assert top_k(PRE_BF, 2).tolist() == [[3, 0, 0, 2], [0, 4, 0, 1.5]]


def test_top_k_keeps_exactly_k_of_ties():
    assert (top_k(torch.ones(1, 4), 2) > 0).sum() == 2


def test_batch_topk_lets_tokens_share_the_budget():
    assert selected("batch_topk", PRE_BF, 1).tolist() == [[3, 0, 0, 0], [0, 4, 0, 0]]
    assert selected("batch_topk", tensor([[3.0, 2.0], [1.0, 0.5]]), 1).tolist() == [[3, 2], [0, 0]]


def test_winners_take_all_keeps_each_latents_largest():
    assert selected("wta", PRE_BF, 1).tolist() == [[3, 0, 0, 2], [0, 4, 0, 0]]


def test_winners_take_all_keeps_all_ties_at_the_cut_but_no_zeros():
    tied_BF = tensor([[2.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    assert selected("wta", tied_BF, 1).tolist() == [[2, 0], [2, 0], [0, 0]]


def test_threshold_is_strict_and_may_differ_between_latents():
    assert above_threshold(PRE_BF, tensor(1.5)).tolist() == [[3, 0, 0, 2], [0, 4, 0, 0]]
    assert above_threshold(PRE_BF, tensor([0.0, 1.0, 0.0, 2.0])).tolist() == [[3, 0, 0, 0], [0.5, 4, 0, 0]]


def test_a_threshold_that_is_not_set_keeps_all_and_an_infinite_one_nothing():
    assert torch.equal(above_threshold(PRE_BF, tensor(torch.nan)), PRE_BF)
    assert not above_threshold(PRE_BF, tensor(torch.inf)).any()


def test_winners_per_sequence_count_sequences_and_not_tokens():
    pre_SLF = tensor([[[1.0, 5.0], [2.0, 4.0], [0.5, 6.0]], [[7.0, 0.0], [8.0, 1.0], [9.0, 2.0]]])
    assert winners_per_sequence(pre_SLF, 0.05).tolist() == [[[0, 0], [2, 0], [0, 6]], [[0, 0], [0, 0], [9, 2]]]
    # Two sequences at rate 1: two winners along each sequence's three tokens.
    assert winners_per_sequence(pre_SLF, 1.0).tolist() == [[[1, 5], [2, 0], [0, 6]], [[0, 0], [8, 1], [9, 2]]]


def test_more_winners_than_tokens_is_all_of_them():
    pre_SLF = torch.ones(5, 2, 3)
    assert winners_per_sequence(pre_SLF, 0.9).all()


def test_released_l0_is_latents_over_length_at_every_rate():
    pre_SLF = torch.rand(4, 16, 32, generator=torch.Generator().manual_seed(0))
    for rate in (1e-6, 1e-2, 0.2):
        assert (winners_per_sequence(pre_SLF, rate) > 0).sum(-1).float().mean() == 32 / 16


@pytest.mark.parametrize(
    "rate, winners", [(1e-6, 1), (1e-4, 1), (5e-4, 4), (1e-3, 8), (5e-3, 40), (0.0078125, 64), (1e-2, 81), (5e-2, 409)]
)
def test_winners_per_latent_at_the_papers_batch_size(rate, winners):
    assert winners_per_latent(rate, 8192) == winners


@pytest.mark.parametrize("variant", SELECTIONS)
def test_every_variant_keeps_values_and_never_selects_zeros(variant):
    pre_BF = torch.randn(12, 8, generator=torch.Generator().manual_seed(0)).relu()
    pre_BF[4] = 0
    acts_BF = selected(variant, pre_BF, 3)
    assert ((acts_BF == 0) | (acts_BF == pre_BF)).all()
    assert (acts_BF > 0).any()
    assert not acts_BF[4].any()


@pytest.mark.parametrize("variant", SELECTIONS)
def test_permuting_the_latents_changes_nothing(variant):
    generator = torch.Generator().manual_seed(0)
    pre_BF = torch.rand(12, 8, generator=generator)
    order_F = torch.randperm(8, generator=generator)
    assert torch.equal(selected(variant, pre_BF[:, order_F], 3), selected(variant, pre_BF, 3)[:, order_F])
