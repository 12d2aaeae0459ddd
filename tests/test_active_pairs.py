import torch
from torch import tensor

from wta_sae.active_pairs import active_pairs, decode, gradients, smallest

ACTS_BF = tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 3.0, 0.0]])


def test_pairs_by_hand():
    pairs = active_pairs(ACTS_BF)
    assert pairs.tokens_P.tolist() == [0, 2, 2]
    assert pairs.latents_P.tolist() == [1, 0, 1]
    assert pairs.values_P.tolist() == [2, 1, 3]
    assert decode(pairs, tensor([[1.0, 0.0], [0.0, 10.0], [5.0, 5.0]]), 3).tolist() == [[0, 20], [0, 0], [1, 30]]
    assert smallest(pairs.values_P, pairs.latents_P, 3).tolist() == [1, 2, torch.inf]
    assert smallest(pairs.values_P, pairs.tokens_P, 3).tolist() == [2, torch.inf, 1]


def test_nothing_active():
    pairs = active_pairs(torch.zeros(3, 4))
    assert not decode(pairs, torch.ones(4, 2), 3).any()
    gradient = gradients(pairs, torch.ones(3, 2), torch.ones(3, 2), torch.ones(4, 2))
    assert not any(part.any() for part in gradient)


def test_gradients_equal_those_of_autograd():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    centred_BD, target_BD = draw(20, 6), draw(20, 6)
    W_enc_FD, b_enc_F, W_dec_FD = (draw(*shape).requires_grad_() for shape in ((15, 6), (15,), (15, 6)))
    acts_BF = torch.relu(centred_BD @ W_enc_FD.T + b_enc_F)
    acts_BF = acts_BF * (acts_BF > 0.8)
    error_BD = target_BD - acts_BF @ W_dec_FD
    error_BD.square().sum().backward()
    ours = gradients(active_pairs(acts_BF.detach()), -2 * error_BD.detach(), centred_BD, W_dec_FD.detach())
    for name, parameter in (("W_enc_FD", W_enc_FD), ("b_enc_F", b_enc_F), ("W_dec_FD", W_dec_FD)):
        torch.testing.assert_close(getattr(ours, name), parameter.grad, rtol=1e-12, atol=1e-12)
