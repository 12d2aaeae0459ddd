"""Which families of language models are supported, against the plain forward pass of a tiny model of each."""

import re

import pytest
import torch
from transformers import AutoModelForCausalLM, BertConfig, FalconConfig, GPTNeoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from language_model_families import ALL, DOCUMENT, SIZES, document, outcome, save_with_tokenizer
from test_model_files import change_weights
from wta_sae.base.errors import UserError
from wta_sae.language_model.model import load_language_model

CPU = torch.device("cpu")
TUPLES = ("gpt_neo", "gptj", "falcon", "openai-gpt")  # whose blocks give tuples or lists
OTHERS = ("opt", "bloom", "mixtral", "mamba")  # blocks one level deeper, no positions, experts, no attention


@pytest.mark.parametrize("family", TUPLES + OTHERS)
def test_a_family_agrees_with_its_plain_forward_pass(family, tmp_path):
    assert outcome(family, tmp_path) == "supported"


@pytest.mark.parametrize(
    ("family", "why"),
    [
        ("xlm", "it has no single list of blocks that each take and give one residual stream"),
        ("gemma4_text", "what follows block 1 depends on more than that block's output"),
    ],
)
def test_other_families_are_refused_in_one_line(family, why, tmp_path):
    assert outcome(family, tmp_path) == why


def test_a_model_that_is_not_causal_is_refused(tmp_path):
    known = BertConfig().to_dict()
    config = BertConfig(**{name: size for name, size in SIZES.items() if name in known} | {"is_decoder": False})
    save_with_tokenizer(AutoModelForCausalLM.from_config(config), tmp_path)
    with pytest.raises(UserError, match=r"BertLMHeadModel is not supported: it is not causal: .* depend on later tokens"):
        load_language_model(tmp_path, 1, CPU)


def test_masks_that_an_older_transformers_saved_are_no_weights(tmp_path):
    config = GPTNeoConfig(hidden_size=16, num_heads=2, num_layers=2, attention_types=[[["global"], 2]], vocab_size=60)
    save_with_tokenizer(AutoModelForCausalLM.from_config(config), tmp_path)
    before = load_language_model(tmp_path, 0, CPU).sha256()
    attention = "transformer.h.0.attn.attention"
    masks = {f"{attention}.bias": torch.ones(1, 1, 2048, 2048).tril().bool(), f"{attention}.masked_bias": torch.tensor(-1e9)}
    change_weights(tmp_path, lambda weights: weights.update(masks))
    assert load_language_model(tmp_path, 0, CPU).sha256() == before
    change_weights(tmp_path, lambda weights: weights.update({f"{attention}.q_proj.bias": torch.ones(16)}))
    with pytest.raises(UserError, match=r"weights that the model of config.json does not have: .*q_proj.bias; fetch"):
        load_language_model(tmp_path, 0, CPU)


def test_a_tokenizer_with_more_ids_than_the_embedding_is_refused(tmp_path):
    config = FalconConfig(hidden_size=16, num_attention_heads=2, num_hidden_layers=2, vocab_size=50)
    save_with_tokenizer(AutoModelForCausalLM.from_config(config), tmp_path)
    with pytest.raises(UserError, match=r"its tokenizer has ids up to 59, its embedding 50 rows; use the tokenizer that"):
        load_language_model(tmp_path, 0, CPU)


def test_a_context_that_the_config_does_not_forbid_and_the_model_cannot_take_is_refused(tmp_path):
    kind = CONFIG_MAPPING["roberta"]  # whose positions begin at 2
    known = kind().to_dict()
    config = kind(**{name: size for name, size in SIZES.items() if name in known})
    save_with_tokenizer(AutoModelForCausalLM.from_config(config), tmp_path)
    lm = load_language_model(tmp_path, 1, CPU)
    lm.check_context(62)
    with pytest.raises(UserError, match=r"text.context_length: .* fails on 63 tokens \(index 64 is out of bounds"):
        lm.check_context(63)


@pytest.mark.slow
@pytest.mark.parametrize("family", ALL)
def test_the_document_says_what_is_supported(family, tmp_path):
    supported, refused, not_tried = re.split(r"\n## .*\n", DOCUMENT.read_text(encoding="utf-8"))[1:]
    found = outcome(family, tmp_path)
    if found == "supported":
        assert f"`{family}`" in supported
    elif found == "not tried":
        assert f"`{family}`" in not_tried
    else:
        assert f"- `{family}`: {found}\n" in refused


def test_the_document_counts_what_it_lists():
    text = DOCUMENT.read_text(encoding="utf-8")
    supported, refused, not_tried = re.split(r"\n## .*\n", text)[1:]
    outcomes = dict.fromkeys(ALL, "")
    outcomes |= dict.fromkeys(re.findall(r"`([\w-]+)`[,\n]", supported), "supported")
    outcomes |= dict(re.findall(r"- `(.*)`: (.*)", refused))
    outcomes |= dict.fromkeys(re.findall(r"`([\w-]+)`", not_tried), "not tried")
    assert text == document(outcomes)
