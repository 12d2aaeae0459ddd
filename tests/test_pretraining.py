from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from wta_sae.language_model import pretraining
from wta_sae.language_model.pretraining import (
    LanguageModelOptions,
    initial_size,
    new_language_model,
    next_token_loss,
    pretraining_rate_scale,
    train_language_model,
)

VOCABULARY, LENGTH = 50, 16


class Tokenizer(SimpleNamespace):
    def __len__(self):
        return VOCABULARY


def options(width=32, steps=30):
    return LanguageModelOptions(2, width, 2, steps, batch_contexts=4, learning_rate=0.01, warmup_steps=3)


def untrained(**changes):
    return new_language_model(options(**changes), Tokenizer(bos_token_id=0, eos_token_id=0), LENGTH, seed=0)


def contexts(count):
    return torch.randint(VOCABULARY, (count, LENGTH), generator=torch.Generator().manual_seed(0))


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("at_once", [7, 1024])  # of 60 positions
def test_the_loss_and_its_gradient_are_those_of_all_logits(monkeypatch, at_once):
    pieces = replace(pretraining.SOME_POSITIONS_AT_ONCE, batch_chunk_size=at_once)
    monkeypatch.setattr(pretraining, "SOME_POSITIONS_AT_ONCE", pieces)
    model, tokens_BL = untrained(), contexts(4)
    logits_BLV = model(input_ids=tokens_BL[:, :-1], use_cache=False).logits
    plain = cross_entropy(logits_BLV.flatten(0, 1), tokens_BL[:, 1:].flatten())
    expected = gradients(model, plain)
    loss = next_token_loss(model, tokens_BL)
    torch.testing.assert_close(loss, plain)
    for name, gradient in gradients(model, loss).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_the_rate_rises_to_the_peak_and_falls_to_nothing_after_the_last_step():
    scales = [pretraining_rate_scale(step, 10, 4) for step in range(1, 11)]
    assert scales == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7])
    assert pretraining_rate_scale(11, 10, 4) == 0
    assert pretraining_rate_scale(5, 5, 5) == 1


@pytest.mark.parametrize("width", [32, 128])
def test_weights_begin_at_a_size_that_fits_the_width(width):
    weights = untrained(width=width).base_model.layers[0].mlp.dense_h_to_4h.weight.detach()
    assert weights.std().item() == pytest.approx((0.4 / width) ** 0.5, rel=0.05)
    assert initial_size(1000) == pytest.approx(0.02)


def test_training_learns_what_repeats():
    tokens_CL = (torch.arange(LENGTH) + torch.arange(16)[:, None]) % VOCABULARY  # each token is the one before it and 1
    curve = train_language_model(untrained(), tokens_CL, options(), seed=0, log_every=1)
    assert [row["step"] for row in curve] == list(range(1, 31))
    assert curve[-1]["loss"] < 1 < curve[0]["loss"]
