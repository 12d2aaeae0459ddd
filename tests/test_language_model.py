import math
import shutil

import pytest
import torch

from wta_sae.base.errors import UserError
from wta_sae.language_model.model import load_language_model
from wta_sae.language_model.pretraining import check_curve, held_out_loss

CPU = torch.device("cpu")


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_both_halves_equal_the_full_forward_pass(model_directory, tokens_CL, layer):
    lm = load_language_model(model_directory, layer, CPU)
    residual = lm.residual(tokens_CL)
    full = lm.model(tokens_CL, use_cache=False, output_hidden_states=True)
    if layer < 2:  # transformers normalises the last block's hidden state
        torch.testing.assert_close(residual, full.hidden_states[layer + 1], rtol=0, atol=0)
    torch.testing.assert_close(lm.logits_from(residual), full.logits, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(lm.logits(tokens_CL), full.logits, rtol=0, atol=0)


def test_blocks_above_the_layer_do_not_run_and_blocks_below_do_not_run_again(model_directory, tokens_CL):
    lm = load_language_model(model_directory, 1, CPU)
    ran = []
    for index, block in enumerate(lm.stream.blocks):
        block.mlp.register_forward_hook(lambda *_args, index=index: ran.append(index))
    residual = lm.residual(tokens_CL)
    assert ran == [0, 1]
    ran.clear()
    lm.logits_from(residual)
    assert ran == [2]
    ran.clear()
    lm.logits(tokens_CL)
    assert ran == [0, 1, 2]  # the model is whole again


def test_a_model_in_bfloat16_is_another_model_and_gives_nearly_the_same(model_directory, tokens_CL):
    half, full = (load_language_model(model_directory, 1, CPU, dtype) for dtype in (torch.bfloat16, torch.float32))
    assert (half.dtype, full.dtype) == ("bfloat16", "float32")
    assert half.sha256() != full.sha256()
    for one, other in ((half.residual(tokens_CL), full.residual(tokens_CL)), (half.logits(tokens_CL), full.logits(tokens_CL))):
        assert one.dtype == other.dtype == torch.float32
        assert not torch.equal(one, other)
        assert (one - other).norm() < 0.02 * other.norm()
    torch.testing.assert_close(half.logits_from(half.residual(tokens_CL)), half.logits(tokens_CL), rtol=0, atol=0)


def test_continuation_reads_the_residual_and_nothing_else(lm, tokens_CL):
    residual = lm.residual(tokens_CL)
    assert not torch.allclose(lm.logits_from(residual * 0.5), lm.logits_from(residual), atol=1e-3)


def test_valid_tokens_are_those_that_are_not_special(lm):
    assert lm.special_ids == (0, 1)  # Pythia's padding token counts although its tokenizer does not name it
    assert lm.valid(torch.tensor([[0, 5, 1, 7]])).tolist() == [[False, True, False, True]]


def test_bad_models_are_refused_in_one_line(neox_directory, tmp_path):
    with pytest.raises(UserError, match=r"language_model.layer: 3 is beyond the model's 3 blocks; use 0 to 2"):
        load_language_model(neox_directory, 3, CPU)
    with pytest.raises(UserError, match=r"no transformers model directory \(config.json is missing\)"):
        load_language_model(tmp_path, 0, CPU)
    without_tokenizer = tmp_path / "model"
    shutil.copytree(neox_directory, without_tokenizer)
    (without_tokenizer / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"no tokenizer \(tokenizer.json is missing\)"):
        load_language_model(without_tokenizer, 0, CPU)
    damaged = tmp_path / "damaged"
    shutil.copytree(neox_directory, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match=r"not a loadable causal language model") as caught:
        load_language_model(damaged, 0, CPU)
    assert "\n" not in str(caught.value)


def test_a_context_longer_than_the_model_is_refused(lm):
    lm.check_context(32)
    with pytest.raises(UserError, match=r"text.context_length: 33 is beyond the 32 positions of .*; use 32 or less"):
        lm.check_context(33)


def test_a_language_model_that_diverges_stops():
    def curve(*losses):
        return [{"step": 10.0 * (i + 1), "loss": loss} for i, loss in enumerate(losses)]

    guessing = math.log(60)
    check_curve(curve(5 * guessing, 3 * guessing, 1.9 * guessing), warmup_steps=0, vocabulary=60)
    check_curve(curve(3 * guessing, 3 * guessing, 3 * guessing), warmup_steps=15, vocabulary=60)
    with pytest.raises(UserError, match=r"diverged at step 30 \(loss 12.3\); lower language_model.train.learning_rate"):
        check_curve(curve(3 * guessing, 3 * guessing, 3 * guessing), warmup_steps=5, vocabulary=60)
    with pytest.raises(UserError, match=r"diverged at step 10 \(loss nan\)"):
        check_curve(curve(math.nan), warmup_steps=50, vocabulary=60)


def test_a_held_out_loss_that_is_not_finite_is_refused(lm, tokens_CL):
    lm.model.get_output_embeddings().weight.data[3] = torch.inf
    with pytest.raises(UserError, match="held-out loss is not finite"):
        held_out_loss(lm.model, tokens_CL, 4)
