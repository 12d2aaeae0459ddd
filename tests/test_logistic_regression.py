import pytest
import torch
from sklearn.linear_model import LogisticRegression

from wta_sae.metrics.logistic_regression import logistic_regression


def task(features, scale, separable, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x_NK = (torch.randn(300, features, generator=generator) * scale).relu()
    noise_N = 0 if separable else torch.randn(300, generator=generator)
    return x_NK, x_NK[:, 0] / scale + noise_N > 0.5


@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("separable", [False, True])
def test_it_is_scikit_learns_at_its_minimum(features, scale, separable):
    x_NK, is_positive_N = task(features, scale, separable)
    probe = logistic_regression(x_NK, is_positive_N)
    peer = LogisticRegression(max_iter=10**5, tol=1e-10).fit(x_NK.double().numpy(), is_positive_N.numpy())
    size = abs(peer.coef_).max() * scale + abs(peer.intercept_).max()
    torch.testing.assert_close(probe.weight_D * scale, torch.from_numpy(peer.coef_[0]) * scale, rtol=0, atol=1e-4 * size)
    assert probe.bias.item() == pytest.approx(peer.intercept_[0], abs=1e-4 * size)


def test_the_gradient_vanishes_there():
    x_NK, is_positive_N = task(3, 1.0, separable=False)
    probe = logistic_regression(x_NK, is_positive_N)
    w_K, bias = probe.weight_D.clone().requires_grad_(), probe.bias.clone().requires_grad_()
    logits_N = x_NK.double() @ w_K + bias
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits_N, is_positive_N.double(), reduction="sum")
    (entropy + w_K.square().sum() / 2).backward()
    assert max(w_K.grad.abs().max(), bias.grad.abs()) < 1e-5


def test_a_feature_that_is_always_zero_has_no_weight():
    x_NK, is_positive_N = task(2, 1.0, separable=False)
    x_NK[:, 1] = 0
    assert logistic_regression(x_NK, is_positive_N).weight_D[1] == 0
