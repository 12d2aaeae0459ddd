"""A tiny random model of every family of causal language models in transformers, as far as its config can be made small."""

import dataclasses
import tempfile
import textwrap
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from tqdm import tqdm
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from wta_sae.base.errors import UserError
from wta_sae.language_model.model import load_language_model

DOCUMENT = Path(__file__).parents[1] / "docs" / "language_models.md"
TEMPLATE = """# Language models

A model is used for what it does, not for its name: its transformer blocks are the list of modules that run once each, in
order, and each take and give the residual stream, alone or first in a tuple. When a model is loaded, a few tokens are sent
through it to find them, to see that it is causal, and that nothing but the residual stream reaches the blocks above the chosen
one; where that is not so, the job stops with one line that says what is missing. Weights are read from safetensors files, code
never from a model's folder.

With transformers {version}, tiny random models of {tried} of its {all} families of causal language models were tried
(`python tests/language_model_families.py`; a slow test holds this page to it). Residual stream and continuation are the plain
forward pass's in {supported}; of the others, a different config of the same family may be supported.

## Supported

{supported_names}

An encoder (BERT and its kin) is supported where its config says `is_decoder: true`; otherwise it is refused: it is not causal.

## Refused

{refused_lines}

## Not tried

No config small enough for a test was found:

{not_tried_names}
"""
ALL = list(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
VOCABULARY, BLOCKS, POSITIONS = 60, 4, 64
LARGEST = 20_000_000  # parameters: what stays larger has sizes that SIZES does not know

SIZES = (
    dict.fromkeys(("vocab_size",), VOCABULARY)
    | dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "word_embed_proj_dim", "embedding_size"), 32)
    | dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), BLOCKS)
    | dict.fromkeys(("decoder_layers", "encoder_layers", "num_decoder_layers", "num_encoder_layers"), BLOCKS)
    | dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4)
    | dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4)
    | dict.fromkeys(("num_decoder_attention_heads", "num_encoder_attention_heads"), 4)
    | dict.fromkeys(("intermediate_size", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "moe_intermediate_size"), 64)
    | dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4)
    | dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), POSITIONS)
    | {"num_key_value_heads": 2, "head_dim": 8, "num_experts_per_tok": 2, "rotary_dim": 8}
    | {"mamba_d_ssm": 64, "mamba_d_state": 8, "mamba_chunk_size": 16, "chunk_size": 16, "mamba_d_head": 16, "mamba_n_heads": 4}
    | {"linear_head_dim": 8, "linear_num_heads": 4}
    | {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 0, "is_decoder": True}
)
FURTHER = (  # tried in turn where SIZES alone do not make a model that runs
    {},
    {"num_key_value_heads": 4, "head_dim": None},
    {"num_key_value_heads": 4, "head_dim": 8, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 8},
    {"num_key_value_heads": 4, "head_dim": 4, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 8},
    {"num_key_value_heads": 4, "head_dim": 4, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4}
    | {"v_head_dim": 8, "n_group": 1, "topk_group": 1, "n_shared_experts": 1, "index_head_dim": 8, "index_n_heads": 4},
    {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1},
    {"num_kv_shared_layers": 0, "vocab_size_per_layer_input": VOCABULARY, "hidden_size_per_layer_input": 8},
    {"num_experts_per_tok": 1},
    {"attention_types": [[["global", "local"], BLOCKS // 2]]},
    {"head_dim": 16, "num_heads": 4, "n_groups": 1, "state_size": 8},
    {"head_dim": None, "layer_types": None},
)


def tiny_model(family: str) -> PreTrainedModel | None:
    """A model that runs on tokens alone; None where none of the sizes makes one."""
    for further in FURTHER:
        try:
            config = _tiny_config(family, further)
            with torch.device("meta"):
                if AutoModelForCausalLM.from_config(config).num_parameters() > LARGEST:
                    continue
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
            for parameter in model.parameters():
                if parameter.ndim > 1:  # larger than at their start, so that every part of the model shows in the logits
                    torch.nn.init.normal_(parameter, std=0.2)
            with torch.no_grad():
                model(input_ids=torch.arange(2, 18).reshape(2, 8), use_cache=False)
        except Exception:  # each family has its own way to refuse sizes
            continue
        return model
    return None


def _tiny_config(family: str, further: dict) -> PretrainedConfig:
    kind = type(CONFIG_MAPPING[family]().get_text_config(decoder=True))
    known = {field.name for field in dataclasses.fields(kind)} | set(kind.attribute_map)
    return kind(**{name: value for name, value in (SIZES | further).items() if name in known and value is not None})


def save_with_tokenizer(model: PreTrainedModel, directory: Path) -> None:
    """A model of VOCABULARY tokens, with a tokenizer of single words."""
    model.save_pretrained(directory)
    words = {"<|endoftext|>": 0, "<|padding|>": 1} | {f"w{i}": i for i in range(2, VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<|endoftext|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    fast.save_pretrained(directory)


def outcome(family: str, directory: Path) -> str:
    """Saves a tiny model there, loads it as the workflow does: "supported", why not, or "not tried" where none could be built.

    Raises AssertionError where a supported model's residual stream is not transformers' own, or its continuation not the
    plain forward pass.
    """
    model = tiny_model(family)
    if model is None:
        return "not tried"
    save_with_tokenizer(model, directory)
    tokens_CL = torch.randint(2, VOCABULARY, (3, 16), generator=torch.Generator().manual_seed(1))
    try:
        lm = load_language_model(directory, BLOCKS // 2 - 1, torch.device("cpu"))
    except UserError as error:
        return str(error).split(" is not supported: ")[1]
    lm.check_context(tokens_CL.shape[1])
    given = []
    hook = lm.stream.blocks[lm.stream.layer + 1].register_forward_pre_hook(
        lambda _block, inputs, named: given.append(inputs[0] if inputs else named["hidden_states"]), with_kwargs=True
    )
    with torch.no_grad():
        logits_CLV = lm.model(input_ids=tokens_CL, use_cache=False).logits
    hook.remove()
    residual_CLD = lm.residual(tokens_CL)
    torch.testing.assert_close(residual_CLD, given[0], rtol=0, atol=0)  # what the next block reads
    torch.testing.assert_close(lm.logits(tokens_CL), logits_CLV, rtol=0, atol=0)
    torch.testing.assert_close(lm.logits_from(residual_CLD), logits_CLV, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(lm.logits_from(residual_CLD.flip(0)), logits_CLV, atol=1e-2)
    return "supported"


def main() -> None:
    """Writes the lists of docs/language_models.md."""
    torch.set_num_threads(1)
    outcomes = {}
    for family in tqdm(ALL):
        with tempfile.TemporaryDirectory() as directory:
            outcomes[family] = outcome(family, Path(directory))
    DOCUMENT.write_text(document(outcomes), encoding="utf-8")


def document(outcomes: dict[str, str]) -> str:
    def names(of: str) -> str:
        found = ", ".join(f"`{family}`" for family, its_outcome in outcomes.items() if its_outcome == of)
        return textwrap.fill(found, 128, break_on_hyphens=False)

    refused = [f"- `{family}`: {why}" for family, why in outcomes.items() if why not in ("supported", "not tried")]
    return TEMPLATE.format(
        version=transformers.__version__,
        supported=sum(found == "supported" for found in outcomes.values()),
        tried=sum(found != "not tried" for found in outcomes.values()),
        all=len(outcomes),
        supported_names=names("supported"),
        refused_lines="\n".join(refused),
        not_tried_names=names("not tried"),
    )


if __name__ == "__main__":
    main()
