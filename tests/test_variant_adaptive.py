"""Winner-takes-all by demand, and first equally."""

import pytest
import torch
from torch import tensor

from variant_rules import START, a_rule
from wta_sae.codes.variant_rule import Encoded

PRE_BF = tensor([[9.0, 1.0, 0.0], [8.0, 2.0, 0.0], [7.0, 3.0, 0.0], [6.0, 4.0, 0.0]])


def rule_after_one_batch(variant, **own):
    rule = a_rule(variant, 1, PRE_BF.shape, **own)
    rule.follow(Encoded(torch.zeros(4, 2), PRE_BF, torch.zeros(3, 2)), START)
    return rule


def test_demand_is_the_moving_average_of_batch_topks_wins():
    rule = rule_after_one_batch("adaptive", speed=0.5)  # the four largest are all of the first latent
    torch.testing.assert_close(rule.state["demand"], tensor([1 / 6 + 1 / 2, 1 / 6, 1 / 6]))


def test_winners_follow_demand_and_each_latent_has_one():
    rule = rule_after_one_batch("adaptive", speed=1.0)
    assert rule.winners(4, 0).tolist() == [4, 1, 1]
    assert rule.select(PRE_BF, START).tolist() == [[9, 0, 0], [8, 0, 0], [7, 0, 0], [6, 4, 0]]


def test_at_first_all_latents_have_as_many_winners():
    assert a_rule("adaptive", 3, (4, 6)).winners(4, 0).tolist() == [2] * 6


@pytest.mark.parametrize("step, share", [(0, 1 / 3), (20, 1 / 3), (40, 2 / 3), (60, 1), (99, 1)])
def test_a_schedule_leads_from_equal_parts_to_demand(step, share):
    rule = rule_after_one_batch("scheduled", speed=1.0)  # the first latent is in demand, and no other
    assert rule.shares(step)[0] == pytest.approx(share)
    assert rule.shares(step).sum() == pytest.approx(1)


def test_a_schedule_may_be_a_leap():
    rule = rule_after_one_batch("scheduled", speed=1.0, begin=0.5, end=0.5)
    assert [rule.shares(step)[0].item() for step in (49, 50)] == pytest.approx([1 / 3, 1])
