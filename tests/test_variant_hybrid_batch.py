"""BatchTopK with a floor for each latent."""

import torch
from torch import tensor

from variant_rules import a_rule, moment, selected

PRE_BF = tensor([[9.0, 8.0, 0.0], [7.0, 6.0, 1.0], [5.0, 4.0, 2.0]])


def selected_at(step, k=1, **own):
    return a_rule("hybrid_batch", k, PRE_BF.shape, **own).select(PRE_BF, moment(step))


def test_floors_come_first_and_the_largest_others_share_what_is_left():
    """Two latents of three may have a floor in a budget of 3, of which floors take 0.7: they take turns, one of two latents."""
    assert selected_at(0).tolist() == [[9, 8, 0], [0, 0, 0], [0, 0, 2]]  # owed: the first and the third
    assert selected_at(1).tolist() == [[9, 8, 0], [7, 0, 0], [0, 0, 0]]  # owed: the second
    assert selected_at(0, k=2).tolist() == [[9, 8, 0], [7, 6, 0], [5, 0, 2]]  # a budget of 6 has room for all three


def test_there_are_no_floors_at_the_end():
    assert selected_at(89)[2, 2] == 0  # of 100 steps, an odd one
    assert selected_at(88)[2, 2] == 2
    assert selected_at(90).tolist() == selected("batch_topk", PRE_BF, 1).tolist()


def test_the_budget_is_the_batchs_own():
    pre_BF = torch.rand(40, 64, generator=torch.Generator().manual_seed(0))
    for floor in (1, 3):
        for step in range(5):
            rule = a_rule("hybrid_batch", 4, (40, 64), floor=floor)
            acts_BF = rule.select(pre_BF, moment(step))
            assert acts_BF.count_nonzero() == 4 * 40
            assert ((acts_BF > 0).sum(0)[rule.owed(step)] >= floor).all()


def test_every_latent_is_owed_in_turn():
    rule = a_rule("hybrid_batch", 1, (10, 64), floor=2)
    turns = [rule.owed(step).nonzero().flatten().tolist() for step in range(19)]  # 128 wanted, 7 given at once
    assert sorted(latent for owed in turns for latent in owed) == list(range(64))
    assert max(map(len, turns)) * 2 <= 0.7 * 10 + 2
