"""What a language model's sizes forbid. Free of torch: the Snakefile asks too."""

from wta_sae.base.errors import UserError


def check_heads(width: int, heads: int) -> None:
    """Raises UserError where the attention heads do not divide the width of the residual stream."""
    if width % heads:
        raise UserError(f"language_model.train.heads: {heads} does not divide the width, {width}")


def check_layer(layer: int, blocks: int) -> None:
    """Raises UserError for a layer that the model does not have."""
    if not 0 <= layer < blocks:
        raise UserError(f"language_model.layer: {layer} is beyond the model's {blocks} blocks; use 0 to {blocks - 1}")


def check_positions(context_length: int, longest: int, model: str) -> None:
    """Raises UserError where contexts are longer than the model's."""
    if context_length > longest:
        raise UserError(
            f"text.context_length: {context_length} is beyond the {longest} positions of {model}; use {longest} or less"
        )
