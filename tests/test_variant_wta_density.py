"""Winner-takes-all with a penalty on dense tokens."""

import pytest
import torch
from torch import tensor

from variant_rules import START, a_rule
from wta_sae.codes.variant_rule import Encoded


def test_the_penalty_is_the_mean_square_of_a_tokens_smooth_count():
    acts_BF = tensor([[50.0, 50.0], [0.0, 0.0]])  # as large as counts as a whole one
    rule = a_rule("wta_density", 1, (2, 2))
    assert rule.penalty(acts_BF) == pytest.approx(2)  # (2^2 + 0^2) / 2
    assert a_rule("wta_density", 2, (2, 2)).penalty(acts_BF) == pytest.approx(0.5)


def test_its_derivative_is_as_it_stands_in_the_rule():
    acts_BF = torch.rand(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    (gradient_BF,) = torch.autograd.grad(a_rule("wta_density", 3, (5, 7)).penalty(acts_BF), acts_BF)
    counted_BF = torch.tanh(4 * acts_BF)
    expected_BF = 2 * 4 * counted_BF.sum(1, keepdim=True) * (1 - counted_BF**2) / (3**2 * 5)
    torch.testing.assert_close(gradient_BF, expected_BF)


def test_the_loss_is_that_of_winner_takes_all_and_the_penalty():
    """Two tokens, two latents, a winner each: both latents win on the first token."""
    pre_BF = tensor([[3.0, 2.0], [1.0, 1.0]])
    encoded = Encoded(tensor([[3.0, 2.0], [1.0, 1.0]]), pre_BF, torch.eye(2))
    rule = a_rule("wta_density", 1, (2, 2), weight=10.0)
    value, acts_BF = rule.loss(encoded, START)
    assert acts_BF.tolist() == [[3, 2], [0, 0]]
    assert value.item() == pytest.approx(1 + 10 * rule.penalty(acts_BF).item())


@pytest.mark.parametrize("k, shape, winners", [(16, (2048, 2048), 16), (4, (64, 200), 1), (1, (10, 200), 1)])
def test_winners_of_a_latent(k, shape, winners):
    assert a_rule("wta_density", k, shape).winners() == winners
