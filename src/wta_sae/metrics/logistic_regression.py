"""Logistic regression on a few features, to its minimum.

Shape suffixes: N texts, K features, J features and the constant one.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad, softplus

from wta_sae.metrics.probes import Probe

LARGEST_GRADIENT = 1e-8  # a text, at which the minimum is reached
MOST_STEPS = 100


def logistic_regression(x_NK: Tensor, is_positive_N: Tensor) -> Probe:
    """The probe of least summed cross-entropy (nats) + |w|^2 / 2, in float64; the bias is free.

    Source: SAEBench `train_sklearn_probe`, which is scikit-learn's LogisticRegression as it comes (C = 1). Differs: Newton's
    method to the minimum, where that stops at a tolerance; and scikit-learn takes as long to import as to evaluate an SAE.
    """
    x_NJ = pad(x_NK.double(), (0, 1), value=1.0)
    sign_N = torch.where(is_positive_N, 1.0, -1.0).double()
    penalty_J = torch.ones_like(x_NJ[0])
    penalty_J[-1] = 0

    def objective(w_J: Tensor) -> Tensor:
        return softplus(-sign_N * (x_NJ @ w_J)).sum() + (penalty_J * w_J.square()).sum() / 2

    w_J = torch.zeros_like(penalty_J)
    for _ in range(MOST_STEPS):
        wrong_N = (-sign_N * (x_NJ @ w_J)).sigmoid()
        gradient_J = penalty_J * w_J - x_NJ.T @ (sign_N * wrong_N)
        if gradient_J.abs().max() <= LARGEST_GRADIENT * len(x_NJ):
            break
        curvature_JJ = (x_NJ * (wrong_N * (1 - wrong_N))[:, None]).T @ x_NJ + penalty_J.diag()
        step_J = torch.linalg.solve(curvature_JJ, gradient_J)
        before, expected, length = objective(w_J), gradient_J @ step_J, 1.0
        while objective(w_J - length * step_J) > before - 1e-4 * length * expected and length > 1e-6:
            length /= 2
        w_J = w_J - length * step_J
    return Probe(w_J[:-1], w_J[-1])
