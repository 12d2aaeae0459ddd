"""A causal language model with its tokenizer: tokens -> residual stream after one block, residual stream -> logits.

Shape suffixes: B sequences, L positions, D model width, V vocabulary.

The residual stream "after block L" is the output of the model's L-th transformer block, counted from 0
(TransformerLens' `blocks.L.hook_resid_post`).
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from wta_sae.base.errors import UserError, first_line
from wta_sae.language_model.hook import Hook, hook_name
from wta_sae.language_model.model_files import check_weight_files, check_whole
from wta_sae.language_model.residual_stream import ResidualStream
from wta_sae.machine.fetched import model_origin
from wta_sae.plan.model_limits import check_positions
from wta_sae.text.tokenizer import load_tokenizer, special_ids

OF_THE_FILE = ("_name_or_path", "architectures", "dtype", "transformers_version", "use_cache")  # what a config says of itself


@dataclass(frozen=True)
class LanguageModel:
    """A transformers causal language model and the residual stream that the SAEs read.

    special_ids: pad, bos and eos token ids; a token is *valid* where it is none of them. source: its name on the hub where it
    was fetched from there, else its directory.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    stream: ResidualStream
    bos_id: int
    pad_id: int
    special_ids: tuple[int, ...]
    source: str

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def width(self) -> int:
        return self.stream.width

    @property
    def vocabulary(self) -> int:
        return self.stream.vocabulary

    @property
    def dtype(self) -> str:
        """What the model computes in, as `float32`; what it gives is float32 in any case."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def hook_name(self) -> str:
        return hook_name(self.stream.layer)

    def hook(self) -> Hook:
        """Where the residual stream is read, the model's digest included."""
        return Hook(self.source, self.sha256(), self.stream.layer, self.width)

    def sha256(self) -> str:
        """Digest of configuration and weights, as they are loaded: two models with the same one have the same activations."""
        config = {key: value for key, value in self.model.config.to_diff_dict().items() if key not in OF_THE_FILE}
        digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def check_context(self, length: int) -> None:
        """Raises UserError where contexts of `length` tokens are longer than the model's."""
        longest = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if longest is not None:
            check_positions(length, longest, self.source)
        try:  # not every config says it: RoBERTa's positions begin at 2, MPT's have another name
            ordinary = next(token for token in range(self.vocabulary) if token not in self.special_ids)
            self.logits(torch.full((1, length), ordinary))
        except (IndexError, RuntimeError, ValueError) as error:
            raise UserError(
                f"text.context_length: {self.source} fails on {length} tokens ({first_line(error)}); use shorter contexts"
            ) from error

    def valid(self, tokens_BL: Tensor) -> Tensor:
        """Where a token is no special one, (B, L) bool."""
        return ~torch.isin(tokens_BL, torch.tensor(self.special_ids, device=tokens_BL.device))

    def residual(self, tokens_BL: Tensor) -> Tensor:
        """The residual stream after the block, (B, L) -> (B, L, D) float32; the blocks above do not run.

        Raises UserError where it is not finite.
        """
        residual_BLD = self.stream.after(tokens_BL.to(self.device).long()).float()
        if not (finite_BL := residual_BLD.isfinite().all(-1)).all():
            sequence, position = (~finite_BL).nonzero()[0].tolist()
            raise UserError(
                f"{self.source}: its residual stream at {self.hook_name} is not finite at position {position} of sequence "
                f"{sequence} of a batch; use a model whose activations float32 can hold"
            )
        return residual_BLD

    @torch.no_grad()
    def logits(self, tokens_BL: Tensor) -> Tensor:
        """Next-token logits, (B, L) -> (B, L, V) float32."""
        return self.model(input_ids=tokens_BL.to(self.device).long(), use_cache=False).logits.float()

    def logits_from(self, residual_BLD: Tensor) -> Tensor:
        """Next-token logits of the model's rest, (B, L, D) -> (B, L, V) float32; the blocks up to it do not run."""
        return self.stream.logits_from(residual_BLD).float()


def load_language_model(directory: Path, layer: int, device: torch.device, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """Loads a local transformers directory; never the network, never remote code, never pickle.

    Raises UserError for a missing directory or tokenizer, for weights that are not a whole model in safetensors files of the
    directory or not finite, for a tokenizer with more ids than the model has embeddings, and as ResidualStream does.
    """
    directory = Path(directory)
    if not (directory / "config.json").is_file():
        raise UserError(f"{directory}: no transformers model directory (config.json is missing)")
    tokenizer = load_tokenizer(directory)
    check_weight_files(directory)
    transformers_logging.set_verbosity_error()  # what it would warn of, check_whole refuses
    transformers_logging.disable_progress_bar()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            directory,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # reported, with their names, instead of raised without
            output_loading_info=True,
        )
    except Exception as error:  # each family has its own way to fail on a config that it cannot build
        raise UserError(f"{directory}: not a loadable causal language model ({first_line(error)})") from error
    model, report = loaded
    check_whole(directory, report, model)
    model.eval().requires_grad_(False).to(device)
    return as_language_model(model, tokenizer, layer, model_origin(directory).get("name", str(directory)))


def as_language_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, layer: int, source: str) -> LanguageModel:
    """Wraps a loaded model, with the special tokens that SAEBench (through TransformerLens) would use for it.

    Raises UserError as `load_language_model` does for a tokenizer and a layer.
    """
    stream = ResidualStream(model, layer)
    if (last := max(tokenizer.get_vocab().values())) >= stream.vocabulary:
        raise UserError(
            f"{source}: its tokenizer has ids up to {last}, its embedding {stream.vocabulary} rows; use the tokenizer that the "
            "model was trained with, or model.resize_token_embeddings, and save both"
        )
    return LanguageModel(model, tokenizer, stream, *special_ids(tokenizer), source)


def check_tokens(lm: LanguageModel, tokens_CL: Tensor) -> None:
    """Raises UserError where there is nothing to measure on, or tokens beyond the model's vocabulary."""
    if tokens_CL.ndim != 2 or tokens_CL.numel() == 0:
        raise UserError(f"tokens: shape {tuple(tokens_CL.shape)} holds no context; use (contexts, positions), both > 0")
    if tokens_CL.min() < 0 or tokens_CL.max() >= lm.vocabulary:
        raise UserError(f"tokens: ids beyond the language model's vocabulary of {lm.vocabulary}; use the model's tokenizer")
    if not lm.valid(tokens_CL).any():
        raise UserError("tokens: only special tokens (pad, bos, eos); use text with ordinary ones")
