"""A causal language model parted after one of its transformer blocks: tokens -> residual stream, residual stream -> logits.

Shape suffixes: B sequences, L positions, D model width, V vocabulary.

The blocks are found by what they do and not by their names: of all lists of modules, the one whose modules run once each, in
order, and take and give a tensor (B, L, D), alone or first in a tuple. Whether what follows a block depends on that tensor
alone is tried out as well, on a few tokens; so a model is either supported, whatever it is called, or refused in one line.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from wta_sae.base.errors import UserError, first_line
from wta_sae.plan.model_limits import check_layer

TRIED_SEQUENCES, TRIED_POSITIONS = 2, 8
# Of the logits' spread: what another order of the same sums may change; of a coarser type than float32, in its own steps.
ROUNDING, ROUNDING_STEPS = 1e-4, 4


class _Reached(Exception):  # noqa: N818 (no error: how a forward pass ends early)
    def __init__(self, output: Any):
        self.output = output


class ResidualStream:
    """The residual stream after a block: its width D, and the model's two parts.

    Raises UserError for a model without such blocks, for a layer beyond them, for one that is not causal, and where more than
    the residual stream reaches the blocks above (embeddings or keys of the blocks below, say).
    """

    def __init__(self, model: PreTrainedModel, layer: int):
        self.model = model
        self.layer = layer
        self.vocabulary = vocabulary_of(model)
        everywhere = torch.linspace(0, self.vocabulary - 1, TRIED_SEQUENCES * TRIED_POSITIONS, device=model.device)
        tokens_BL = everywhere.long().reshape(TRIED_SEQUENCES, TRIED_POSITIONS)
        try:
            self.blocks, outputs = _transformer_blocks(model, tokens_BL)
            self._formed_as = [_former(output) for output in outputs]
            check_layer(layer, len(self.blocks))
            self.width = self._checked_width(tokens_BL)
        except (UserError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever another library's model does with tokens alone
            raise _unsupported(model, f"a forward pass on tokens alone fails ({first_line(error)})") from error

    @torch.no_grad()
    def after(self, tokens_BL: Tensor) -> Tensor:
        """The residual stream after the block, (B, L) -> (B, L, D) in the model's dtype; the blocks above do not run."""

        def leave(_block: nn.Module, _inputs: tuple, output: Any) -> None:
            raise _Reached(output)

        hook = self.blocks[self.layer].register_forward_hook(leave)
        try:
            _logits(self.model, tokens_BL)
        except _Reached as reached:
            return _tensor_of(reached.output)
        finally:
            hook.remove()
        raise RuntimeError(f"the forward pass never came to block {self.layer}")

    @torch.no_grad()
    def logits_from(self, residual_BLD: Tensor) -> Tensor:
        """Next-token logits of the model's rest, (B, L, D) -> (B, L, V); the blocks up to `layer` do not run."""
        residual_BLD = residual_BLD.to(self.model.dtype)
        # The tokens only lend their shape: what enters block layer + 1 is the residual alone.
        any_BL = torch.zeros(residual_BLD.shape[:2], dtype=torch.long, device=residual_BLD.device)
        with self._giving(residual_BLD):
            return _logits(self.model, any_BL)

    @contextmanager
    def _giving(self, residual_BLD: Tensor) -> Iterator[None]:
        """Every block up to `layer` gives this, whatever comes in, in the form of its own output."""
        # Not the modules are replaced but how they run: some models read attributes of their blocks.
        replaced = self.blocks[: self.layer + 1]
        try:
            for block, formed in zip(replaced, self._formed_as, strict=False):
                block.forward = _giver(formed(residual_BLD))
            yield
        finally:
            for block in replaced:
                vars(block).pop("forward", None)

    def _checked_width(self, tokens_BL: Tensor) -> int:
        logits_BLV = _logits(self.model, tokens_BL)
        changed_BL = tokens_BL.clone()
        changed_BL[:, -1] = tokens_BL[:, 0]
        if _differ(_logits(self.model, changed_BL)[:, :-1], logits_BLV[:, :-1]):
            raise _unsupported(self.model, "it is not causal: a position's logits depend on later tokens")
        residual_BLD = self.after(tokens_BL)
        if _differ(self.logits_from(residual_BLD), logits_BLV):
            raise _unsupported(self.model, f"what follows block {self.layer} depends on more than that block's output")
        return residual_BLD.shape[-1]


def vocabulary_of(model: PreTrainedModel) -> int:
    """How many tokens the model has an embedding of."""
    try:
        weight: Any = model.get_input_embeddings().weight
        return weight.shape[0]
    except (NotImplementedError, AttributeError):  # a family that keeps it elsewhere, or has several
        return model.config.get_text_config().vocab_size


@torch.no_grad()
def _logits(model: PreTrainedModel, tokens_BL: Tensor) -> Tensor:
    return model(input_ids=tokens_BL, use_cache=False).logits


def _transformer_blocks(model: PreTrainedModel, tokens_BL: Tensor) -> tuple[nn.ModuleList, list[Any]]:
    """The transformer blocks, and what each gave in a forward pass."""
    lists = [found for found in _outermost_lists(model) if len(found)]
    ran: list[list[int]] = [[] for _ in lists]
    outputs: list[list[Any]] = [[] for _ in lists]

    def noting(number: int, index: int) -> Callable[..., None]:
        def note(_block: nn.Module, inputs: tuple, named: dict[str, Any], output: Any) -> None:
            given, got = inputs[0] if inputs else named.get("hidden_states"), _tensor_of(output)
            shapes = [one.shape for one in (given, got) if isinstance(one, Tensor)]
            streams = len(shapes) == 2 and shapes[0] == shapes[1] and shapes[0][:-1] == tokens_BL.shape
            ran[number].append(index if streams else -1)
            outputs[number].append(output)

        return note

    hooks = [
        block.register_forward_hook(noting(number, index), with_kwargs=True)
        for number, blocks in enumerate(lists)
        for index, block in enumerate(blocks)
    ]
    try:
        _logits(model, tokens_BL)
    finally:
        for hook in hooks:
            hook.remove()
    found = [number for number, blocks in enumerate(lists) if ran[number] == list(range(len(blocks)))]
    if len(found) != 1:
        raise _unsupported(model, "it has no single list of blocks that each take and give one residual stream")
    return lists[found[0]], outputs[found[0]]


def _outermost_lists(module: nn.Module) -> Iterator[nn.ModuleList]:
    for child in module.children():
        if isinstance(child, nn.ModuleList):
            yield child
        else:
            yield from _outermost_lists(child)


def _tensor_of(output: Any) -> Any:
    """What a block gives: alone, or first in a tuple (GPT-J, Falcon) or list."""
    return output[0] if isinstance(output, tuple | list) and output else output


def _former(output: Any) -> Callable[[Tensor], Any]:
    """How a block that gave `output` would give another tensor."""
    if isinstance(output, tuple | list):
        kind, others = type(output), [None] * (len(output) - 1)
        return lambda residual_BLD: kind([residual_BLD, *others])
    return lambda residual_BLD: residual_BLD


def _giver(output: Any) -> Callable[..., Any]:
    return lambda *_, **__: output


def _differ(logits_BLV: Tensor, others_BLV: Tensor) -> bool:
    allowed = max(ROUNDING, ROUNDING_STEPS * torch.finfo(logits_BLV.dtype).eps)
    one_BLV, other_BLV = logits_BLV.float(), others_BLV.float()
    return bool((one_BLV - other_BLV).norm() > allowed * (other_BLV - other_BLV.mean()).norm())


def _unsupported(model: PreTrainedModel, why: str) -> UserError:
    return UserError(f"language_model: {type(model).__name__} is not supported: {why}")
