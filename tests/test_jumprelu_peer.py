"""JumpReLU against dictionary_learning's trainer, in its own environment."""

import subprocess

import pytest
import torch
from safetensors.torch import load_file, save_file

from test_training import BATCH, WIDTH, batches, trainer
from variant_rules import START
from workflow import ROOT
from wta_sae.codes.variant_rule import Encoded
from wta_sae.training import trainer as training

pytestmark = pytest.mark.slow

BANDWIDTH, FIRST_THRESHOLD, RATE, K, STEPS = 0.002, 0.003, 1e-4, 4, 20
SCALE = 0.002  # so that gradients stay below the norm at which both sides clip them: ours has one for the encoder's input too
X_SBD = torch.stack(batches(STEPS)).double() * SCALE


def our_trainer():
    own = {"bandwidth": BANDWIDTH, "start": FIRST_THRESHOLD, "weight": 0.0}
    return trainer("jumprelu", k=K, own=own, learning_rate=RATE, decay_steps=0)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """Our trainer as it starts, and what theirs made of the same start and batches."""
    torch.set_default_dtype(torch.float64)
    try:
        ours, folder = our_trainer(), tmp_path_factory.mktemp("jumprelu")
        start = {
            "W_enc": ours.W_enc_FD.T,
            "b_enc": ours.b_enc_F,
            "W_dec": ours.W_dec_FD,
            "b_dec": ours.b_dec_D,
            "threshold": ours.rule.parameters["threshold"].detach(),
            "batches": X_SBD,
            **{
                name: torch.tensor(value)
                for name, value in (("bandwidth", BANDWIDTH), ("learning_rate", RATE), ("k", float(K)))
            },
            "warmup_steps": torch.tensor(ours.options.warmup_steps),
        }
        save_file({name: tensor.contiguous().clone() for name, tensor in start.items()}, folder / "start.safetensors")
        command = [ROOT / "benchmarks/peers", "python", ROOT / "tests/jumprelu_peer.py", folder]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stderr
        yield ours, load_file(folder / "theirs.safetensors")
    finally:
        torch.set_default_dtype(torch.float32)


def test_reconstruction_and_thresholds_train_as_theirs(exchange, monkeypatch):
    ours, theirs = exchange
    monkeypatch.setattr(training, "geometric_median", lambda x_BD: torch.zeros(WIDTH))
    losses = []
    for x_BD in X_SBD:
        losses.append(ours.step(x_BD).loss)
        ours.b_dec_D.zero_()
    # They add 1e-6 to a decoder row's norm before they take the gradient's part along it.
    torch.testing.assert_close(torch.stack(losses), theirs["losses"], rtol=1e-6, atol=0)
    thresholds_F = ours.rule.parameters["threshold"].detach()
    torch.testing.assert_close(thresholds_F, theirs["threshold"], rtol=1e-6, atol=0)
    assert (thresholds_F - FIRST_THRESHOLD).abs().max() > RATE  # they moved


def test_their_pseudo_gradient_of_l0_misses_what_is_below_the_threshold(exchange):
    """It is taken after the jump, where what did not pass is 0 (their issue 55)."""
    fresh, theirs = our_trainer(), exchange[1]
    fresh.rule.options = type(fresh.rule.options)(weight=1.0, bandwidth=BANDWIDTH, start=FIRST_THRESHOLD, warmup_share=0.0)
    pre_BF = X_SBD[0] @ fresh.W_enc_FD.T

    def gradient(pre_BF):
        encoded = Encoded(X_SBD[0], pre_BF, fresh.W_dec_FD)
        return fresh.rule.fit(encoded, START).own[0]

    above = pre_BF > FIRST_THRESHOLD
    near = (pre_BF - FIRST_THRESHOLD).abs() < BANDWIDTH / 2
    assert (near & ~above).any()
    excess = above.sum() / BATCH / K - 1
    missed_F = -2 * excess / (K * BATCH * BANDWIDTH) * (near & ~above).sum(0)
    torch.testing.assert_close(gradient(pre_BF) - missed_F, theirs["gradient"], rtol=1e-9, atol=1e-12)
