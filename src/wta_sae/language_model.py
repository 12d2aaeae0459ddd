"""A causal language model, cut after one block: tokens -> residual stream, residual stream -> logits.

Shape suffixes: B sequences, L positions, D model width, V vocabulary.

The residual stream "after block L" is the output of the model's L-th transformer block, counted from 0
(TransformerLens' `blocks.L.hook_resid_post`).
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from wta_sae.errors import UserError, first_line
from wta_sae.hub import model_origin
from wta_sae.model_files import check_weight_files, check_whole
from wta_sae.text.tokens import bos_id

OF_THE_FILE = ("_name_or_path", "architectures", "dtype", "transformers_version", "use_cache")  # what a config says of itself
PAD_TOKEN_OF_PYTHIA = "<|padding|>"  # in Pythia's vocabulary, though its tokenizer names no padding token


class _Reached(Exception):  # noqa: N818 (no error: how a forward pass ends early)
    def __init__(self, residual_BLD: Tensor):
        self.residual_BLD = residual_BLD


class _PassThrough(nn.Module):
    """Stands in for a block that the continuation leaves out."""

    def forward(self, hidden_states: Tensor, *_args, **_kwargs) -> Tensor:
        return hidden_states


class _Inject(nn.Module):
    """Stands in for the block whose output is given: whatever comes in, the residual goes out."""

    def __init__(self, residual_BLD: Tensor):
        super().__init__()
        self.residual_BLD = residual_BLD

    def forward(self, *_args, **_kwargs) -> Tensor:
        return self.residual_BLD


@dataclass(frozen=True)
class LanguageModel:
    """A transformers causal language model and the block whose output the SAEs read.

    special_ids: pad, bos and eos token ids; a token is *valid* where it is none of them. source: its name on the hub where it
    was fetched from there, else its directory.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    layer: int
    bos_id: int
    pad_id: int
    special_ids: tuple[int, ...]
    source: str

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def width(self) -> int:
        return self.model.config.hidden_size

    @property
    def hook_name(self) -> str:
        return f"blocks.{self.layer}.hook_resid_post"

    def sha256(self) -> str:
        """Digest of configuration and weights, as they are loaded: two models with the same one have the same activations."""
        config = {key: value for key, value in self.model.config.to_diff_dict().items() if key not in OF_THE_FILE}
        digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()

    def check_context(self, length: int) -> None:
        """Raises UserError where contexts of `length` tokens are longer than the model's."""
        longest = getattr(self.model.config, "max_position_embeddings", None)
        if longest is not None and length > longest:
            raise UserError(
                f"text.context_length: {length} is beyond the {longest} positions of {self.source}; use {longest} or less"
            )

    def valid(self, tokens_BL: Tensor) -> Tensor:
        """Where a token is no special one, (B, L) bool."""
        return ~torch.isin(tokens_BL, torch.tensor(self.special_ids, device=tokens_BL.device))

    @torch.no_grad()
    def residual(self, tokens_BL: Tensor) -> Tensor:
        """The residual stream after block `layer`, (B, L) -> (B, L, D) float32; the blocks above do not run.

        Raises UserError where it is not finite.
        """

        def leave(_block: nn.Module, _inputs: tuple, output: Tensor) -> None:
            raise _Reached(output)

        hook = _blocks(self.model)[self.layer].register_forward_hook(leave)
        try:
            self.model(input_ids=tokens_BL.to(self.device).long(), use_cache=False)
            raise RuntimeError(f"the forward pass never came to block {self.layer}")
        except _Reached as reached:
            residual_BLD = reached.residual_BLD.float()
        finally:
            hook.remove()
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

    @torch.no_grad()
    def logits_from(self, residual_BLD: Tensor) -> Tensor:
        """Next-token logits of the model's rest, (B, L, D) -> (B, L, V) float32; the blocks up to `layer` do not run."""
        residual_BLD = residual_BLD.to(self.model.dtype)
        with _starting_after(self.model, self.layer, residual_BLD):
            # The embeddings only lend their shape: what enters block layer + 1 is the residual alone.
            return self.model(inputs_embeds=residual_BLD, use_cache=False).logits.float()


def _blocks(model: PreTrainedModel) -> nn.ModuleList:
    """The transformer blocks: the one module list of the depth that the config names (`layers`, GPT-2's `h`)."""
    depth = model.config.num_hidden_layers
    lists = [m for m in model.base_model.children() if isinstance(m, nn.ModuleList) and len(m) == depth]
    if len(lists) != 1:
        raise UserError(f"language_model: {type(model).__name__} is not supported; its transformer blocks were not found")
    return lists[0]


@contextmanager
def _starting_after(model: PreTrainedModel, layer: int, residual_BLD: Tensor) -> Iterator[None]:
    blocks = _blocks(model)
    originals = list(blocks[: layer + 1])
    stand_ins = [_PassThrough() for _ in range(layer)] + [_Inject(residual_BLD)]
    # Llama-like models read per-block attributes, so the list keeps its length.
    try:
        for index, stand_in in enumerate(stand_ins):
            blocks[index] = stand_in
        yield
    finally:
        for index, original in enumerate(originals):
            blocks[index] = original


def load_language_model(directory: Path, layer: int, device: torch.device, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """Loads a local transformers directory; never the network, never remote code, never pickle.

    Raises UserError for a missing directory or tokenizer, for weights that are not a whole model in safetensors files of the
    directory or not finite, and for a layer beyond the model.
    """
    directory = Path(directory)
    if not (directory / "config.json").is_file():
        raise UserError(f"{directory}: no transformers model directory (config.json is missing)")
    tokenizer = load_tokenizer(directory)
    check_weight_files(directory)
    transformers_logging.set_verbosity_error()  # what it would warn of, check_whole refuses
    transformers_logging.disable_progress_bar()
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            directory,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # reported, with their names, instead of raised without
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise UserError(f"{directory}: not a loadable causal language model ({first_line(error)})") from error
    check_whole(directory, report, model.state_dict())
    depth = model.config.num_hidden_layers
    if not 0 <= layer < depth:
        raise UserError(f"language_model.layer: {layer} is beyond the model's {depth} blocks; use 0 to {depth - 1}")
    model.eval().requires_grad_(False).to(device)
    return as_language_model(model, tokenizer, layer, model_origin(directory).get("name", str(directory)))


def as_language_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, layer: int, source: str) -> LanguageModel:
    """Wraps a loaded model, with the special tokens that SAEBench (through TransformerLens) would use for it."""
    bos = bos_id(tokenizer)
    eos = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else bos
    pad = tokenizer.pad_token_id
    if pad is None:
        pad = tokenizer.get_vocab().get(PAD_TOKEN_OF_PYTHIA, eos)
    special_ids = tuple(sorted({bos, eos, pad}))
    return LanguageModel(model, tokenizer, layer, bos, pad, special_ids, source)


def load_tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    """Loads a local fast tokenizer. Raises UserError where there is none."""
    directory = Path(directory)
    if not (directory / "tokenizer.json").is_file():
        raise UserError(f"{directory}: no tokenizer (tokenizer.json is missing); save one there with tokenizer.save_pretrained")
    try:
        return AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises bare Exception for a damaged file
        raise UserError(f"{directory}: the tokenizer does not load ({first_line(error)})") from error
