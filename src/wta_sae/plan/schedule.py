"""The steps of an SAE's training. Free of torch: the Snakefile asks too."""

from wta_sae.base.errors import UserError


def steps_of(tokens: int, epochs: int, batch_tokens: int) -> int:
    """The steps of a training: batches in all epochs together. Raises UserError where there is none."""
    steps = tokens * epochs // max(batch_tokens, 1)
    if steps == 0:
        raise UserError(f"training.batch_tokens: {batch_tokens:,}, but only {tokens:,} tokens are cached; lower it")
    return steps


def check_threshold_start(threshold_start_step: int, steps: int) -> None:
    """Raises UserError where no step comes after the one at which the inference thresholds begin."""
    if threshold_start_step >= steps - 1:
        raise UserError(
            f"training.threshold_start_step: none of this run's {steps} steps comes after step {threshold_start_step}, so that "
            "no inference threshold would be set; lower it or train on more tokens"
        )
