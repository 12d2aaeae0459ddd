"""Trains the default run's language model: a small GPT-NeoX, the architecture of Pythia.

Shape suffixes: C contexts, B contexts of a batch, L positions, D model width, V vocabulary.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import LinearCrossEntropyOptions
from torch.nn.functional import linear_cross_entropy
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerBase

from wta_sae.base.errors import UserError
from wta_sae.base.progress import progress
from wta_sae.plan.model_limits import check_heads

ADAM_BETAS = (0.9, 0.99)
WEIGHT_DECAY = 0.01
GRADIENT_NORM_LIMIT = 1.0
SOME_POSITIONS_AT_ONCE = LinearCrossEntropyOptions(chunking_method=None, batch_chunk_size=1024)
LOGGED_STEPS = 3  # in a row, at which an absurd loss ends the training


@dataclass(frozen=True)
class LanguageModelOptions:
    """The `language_model.train` section of config.yaml, but for the vocabulary, which is the tokenizer's."""

    blocks: int = field(metadata={"help": "transformer blocks"})
    width: int = field(metadata={"help": "of the residual stream"})
    heads: int = field(metadata={"help": "attention heads a block"})
    steps: int = field(metadata={"help": "optimisation steps"})
    batch_contexts: int = field(metadata={"help": "contexts a step"})
    learning_rate: float = field(metadata={"help": "peak, after the warm-up; falls linearly to 0"})
    warmup_steps: int = field(metadata={"help": "steps of linear warm-up from 0"})


def new_language_model(
    options: LanguageModelOptions, tokenizer: PreTrainedTokenizerBase, context_length: int, seed: int
) -> GPTNeoXForCausalLM:
    """An untrained GPT-NeoX. Raises UserError where the heads do not divide the width."""
    check_heads(options.width, options.heads)
    torch.manual_seed(seed)
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=len(tokenizer),
            hidden_size=options.width,
            num_hidden_layers=options.blocks,
            num_attention_heads=options.heads,
            intermediate_size=4 * options.width,
            max_position_embeddings=context_length,
            initializer_range=initial_size(options.width),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def initial_size(width: int) -> float:
    """The standard deviation of a new model's weights: GPT-NeoX's `small_init`, after Nguyen and Salakhutdinov 2019.

    transformers' default, 0.02, is that of a model a thousand wide; from it a narrow one learns more slowly.
    """
    return math.sqrt(2 / (5 * width))


def train_language_model(
    model: GPTNeoXForCausalLM, tokens_CL: Tensor, options: LanguageModelOptions, seed: int, log_every: int
) -> list[dict[str, float]]:
    """Trains in place on contexts drawn in a seeded random order, with AdamW; returns the curve of step and loss (nats).

    Raises UserError where there are fewer contexts than one batch, or the loss is no longer finite.
    """
    if len(tokens_CL) < options.batch_contexts:
        raise UserError(
            f"language_model.train.batch_contexts: {options.batch_contexts}, but the training text gives only "
            f"{len(tokens_CL)} contexts; lower it or add text"
        )
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, betas=ADAM_BETAS, weight_decay=WEIGHT_DECAY, fused=True
    )
    generator = torch.Generator().manual_seed(seed)
    order: list[Tensor] = []
    curve = []
    model.train()
    for step in progress(range(1, options.steps + 1), "training the language model", options.steps, "step"):
        if not order:
            shuffled = torch.randperm(len(tokens_CL), generator=generator)
            order = [indices for indices in shuffled.split(options.batch_contexts) if len(indices) == options.batch_contexts]
        optimiser.param_groups[0]["lr"] = options.learning_rate * pretraining_rate_scale(
            step, options.steps, options.warmup_steps
        )
        tokens_BL = tokens_CL[order.pop()].long().to(model.device)
        loss = next_token_loss(model, tokens_BL)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM_LIMIT)
        optimiser.step()
        optimiser.zero_grad()
        if step % log_every == 0 or step == options.steps:
            curve.append({"step": step, "loss": loss.item()})
            check_curve(curve, options.warmup_steps, model.config.vocab_size)
    model.eval()
    return curve


def check_curve(curve: list[dict[str, float]], warmup_steps: int, vocabulary: int) -> None:
    """Raises UserError where the loss is not finite, or, at LOGGED_STEPS logged steps in a row after the warm-up, absurd.

    Absurd is more than twice that of guessing, which is log(vocabulary).
    """
    absurd = [row for row in curve[-LOGGED_STEPS:] if row["step"] > warmup_steps and row["loss"] > 2 * math.log(vocabulary)]
    last = curve[-1]
    if not math.isfinite(last["loss"]) or len(absurd) == LOGGED_STEPS:
        raise UserError(
            f"the language model diverged at step {last['step']:g} (loss {last['loss']:.3g}); lower "
            "language_model.train.learning_rate"
        )


def next_token_loss(model: GPTNeoXForCausalLM, tokens_BL: Tensor) -> Tensor:
    """Mean cross-entropy of the next token, in nats, over all positions but the last."""
    hidden_BLD = model.base_model(input_ids=tokens_BL[:, :-1], use_cache=False).last_hidden_state
    unembedding_VD = model.get_output_embeddings().weight
    targets = tokens_BL[:, 1:].flatten()
    # The logits of all positions at once are written to memory and read back several times, which is a fifth of a step.
    return linear_cross_entropy(hidden_BLD.flatten(0, 1), unembedding_VD, targets, options=SOME_POSITIONS_AT_ONCE)


@torch.no_grad()
def held_out_loss(model: GPTNeoXForCausalLM, tokens_CL: Tensor, batch_contexts: int) -> float:
    """Mean next-token cross-entropy over contexts (C, L), in nats a token. Raises UserError where it is not finite."""
    total = sum(
        next_token_loss(model, batch_BL.long().to(model.device)).item() * len(batch_BL)
        for batch_BL in tokens_CL.split(batch_contexts)
    )
    if not math.isfinite(total):
        raise UserError("the language model's held-out loss is not finite; lower language_model.train.learning_rate")
    return total / len(tokens_CL)


def pretraining_rate_scale(step: int, total_steps: int, warmup_steps: int) -> float:
    """Linear warm-up to 1, then linearly down, to reach 0 after the last step; step counts from 1."""
    if step < warmup_steps:
        return step / warmup_steps
    return (total_steps + 1 - step) / (total_steps + 1 - warmup_steps)


def save_language_model(directory: Path, model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    """Writes a transformers directory: safetensors weights, config and tokenizer."""
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
