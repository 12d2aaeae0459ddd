"""Both forms of a batch's codes: what each gives, by hand and against autograd."""

import pytest
import torch
from torch import tensor

from wta_sae.codes.active_pairs import pairs_of
from wta_sae.codes.dense_codes import DenseCodes

ACTS_BF = tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 3.0, 0.0]])


@pytest.fixture(params=[pairs_of, DenseCodes], ids=["active pairs", "dense"])
def codes_of(request):
    """Either form of the codes, from dense activations."""
    return request.param


def test_codes_by_hand(codes_of):
    codes = codes_of(ACTS_BF)
    assert codes.decode(tensor([[1.0, 0.0], [0.0, 10.0], [5.0, 5.0]])).tolist() == [[0, 20], [0, 0], [1, 30]]
    assert codes.smallest_of_latents().tolist() == [1, 2, torch.inf]
    assert codes.smallest_of_tokens().tolist() == [2, torch.inf, 1]
    assert codes.active() == 3


def test_nothing_active(codes_of):
    codes = codes_of(torch.zeros(3, 4))
    assert not codes.decode(torch.ones(4, 2)).any()
    gradient = codes.gradients(torch.ones(3, 2), torch.ones(3, 2), torch.ones(4, 2))
    assert not any(part.any() for part in gradient)
    assert codes.active() == 0


def test_gradients_equal_those_of_autograd(codes_of):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    centred_BD, target_BD = draw(20, 6), draw(20, 6)
    W_enc_FD, b_enc_F, W_dec_FD = (draw(*shape).requires_grad_() for shape in ((15, 6), (15,), (15, 6)))
    acts_BF = torch.relu(centred_BD @ W_enc_FD.T + b_enc_F)
    acts_BF = acts_BF * (acts_BF > 0.8)
    error_BD = target_BD - acts_BF @ W_dec_FD
    error_BD.square().sum().backward()
    ours = codes_of(acts_BF.detach()).gradients(-2 * error_BD.detach(), centred_BD, W_dec_FD.detach())
    for name, parameter in (("W_enc_FD", W_enc_FD), ("b_enc_F", b_enc_F), ("W_dec_FD", W_dec_FD)):
        torch.testing.assert_close(getattr(ours, name), parameter.grad, rtol=1e-12, atol=1e-12)
