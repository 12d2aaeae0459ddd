"""JumpReLU: the loss and its pseudo-gradients by hand, and against dictionary_learning's trainer."""

import pytest
import torch
from torch import tensor

from variant_rules import a_rule, moment
from wta_sae.codes.variant_rule import Encoded

LATE = moment(99)


def loss_and_gradients(pre_BF, threshold, k, **own):
    """The loss of giving back nothing by what decodes to itself, the codes, and the gradients."""
    rule = a_rule("jumprelu", k, pre_BF.shape, **own)
    rule.parameters["threshold"].data.copy_(tensor(threshold))
    pre_BF = pre_BF.clone().requires_grad_()
    value, acts_BF = rule.loss(Encoded(torch.zeros_like(pre_BF), pre_BF, torch.eye(pre_BF.shape[1])), LATE)
    return value.item(), acts_BF, *torch.autograd.grad(value, [pre_BF, rule.parameters["threshold"]])


def test_what_is_above_its_threshold_passes_unchanged():
    pre_BF = tensor([[0.5, 0.2, -1.0], [0.4, 0.3, 0.1]])
    value, acts_BF, pre_gradient_BF, threshold_gradient_F = loss_and_gradients(pre_BF, [0.45, 0.21, 0.05], 1)
    torch.testing.assert_close(acts_BF, tensor([[0.5, 0, 0], [0, 0.3, 0.1]]))
    assert value == pytest.approx((0.25 + 0.09 + 0.01) / 2 + (1.5 / 1 - 1) ** 2)
    torch.testing.assert_close(pre_gradient_BF, acts_BF.detach())  # 2 (0 - y) / 2, and nothing by the penalty
    assert not threshold_gradient_F.any()  # none within half a bandwidth


def test_thresholds_move_by_what_is_near_them_on_either_side():
    pre_BF = tensor([[0.42], [0.38], [0.9]])  # the first two within half of 0.1 of 0.4, the first above it
    value, acts_BF, _, threshold_gradient_F = loss_and_gradients(pre_BF, [0.4], 1, bandwidth=0.1)
    assert acts_BF.flatten().tolist() == pytest.approx([0.42, 0, 0.9])
    assert value == pytest.approx((0.42**2 + 0.9**2) / 3 + (2 / 3 - 1) ** 2)
    of_error = -(0.4 / 0.1) * (2 * 0.42 / 3 + 0)  # the second passes nothing, whose derivative is 0
    of_l0 = 2 * (2 / 3 - 1) * -(1 / 0.1) * 2 / 3
    assert threshold_gradient_F.item() == pytest.approx(of_error + of_l0, rel=1e-5)


def test_the_penalty_warms_up():
    rule = a_rule("jumprelu", 1, (1, 2), warmup_share=0.5)  # of 100 steps
    encoded = Encoded(torch.zeros(1, 2), tensor([[1.0, 1.0]]), torch.zeros(2, 2))
    values = [rule.loss(encoded, moment(step)).value.item() for step in (0, 25, 50, 99)]
    assert values == pytest.approx([0, 0.5, 1, 1])


def test_the_thresholds_that_are_saved_are_those_trained():
    rule = a_rule("jumprelu", 1, (4, 3), start=0.25)
    saved = rule.thresholds(tensor(1.0), tensor([1.0, 2.0, 3.0]))
    assert {name: value.tolist() for name, value in saved.items()} == {"per_latent": [0.25] * 3}
