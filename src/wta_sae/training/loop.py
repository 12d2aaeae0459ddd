"""Feeds batches to the trainers of one or several SAEs, and stops where one diverges.

Shape suffixes: B tokens of a batch, D model width.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.training.trainer import StepStatistics, Trainer

Curve = list[dict[str, float]]
CURVE_COLUMNS = ("step", *StepStatistics._fields)
LOWEST_EXPLAINED_VARIANCE = -10.0  # of a batch; below it at LOGGED_STEPS logged steps in a row a run has diverged
LOGGED_STEPS = 3


@dataclass
class TrainingRun:
    """One SAE in training. curve: a row for every so many steps, with what an interrupted job had of it."""

    name: str
    trainer: Trainer
    curve: Curve = field(default_factory=list)

    def check(self) -> None:
        """Raises UserError where the curve says that the run has diverged: a number that is not finite, or an absurd one.

        Absurd is an explained variance below LOWEST_EXPLAINED_VARIANCE at LOGGED_STEPS logged steps after the warm-up.
        """
        warm = [row for row in self.curve[-LOGGED_STEPS:] if row["step"] > self.trainer.options.warmup_steps]
        absurd = [row for row in warm if row["explained_variance"] < LOWEST_EXPLAINED_VARIANCE]
        last = self.curve[-1]
        if not all(math.isfinite(value) for value in last.values()) or len(absurd) == LOGGED_STEPS:
            raise UserError(
                f"training {self.name} diverged at step {last['step']:g} (loss {last['loss']:.3g}, explained variance of the "
                f"batch {last['explained_variance']:.3g}); lower training.learning_rate"
            )


def train(
    runs: Sequence[TrainingRun],
    batches: Iterable[Tensor],
    norm_factor: float,
    log_every: int,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Feeds each raw activation batch (B, D) to the trainer of every run; each curve gets a row every `log_every` steps.

    The runs share the batches and nothing else: each ends as it would alone. The batches begin where the run of the fewest
    steps stands; one that is further, because its checkpoint is later, lets pass what it has seen.
    after_step: is called between two batches. Raises UserError where a run diverges, with its name and the step.
    """
    first_step = min(run.trainer.steps for run in runs)
    for step, batch_BD in enumerate(batches, first_step):
        x_BD = batch_BD.to(runs[0].trainer.b_dec_D) / norm_factor
        for run in runs:
            if run.trainer.steps == step:
                _train_step(run, x_BD, log_every)
        after_step()


def _train_step(run: TrainingRun, x_BD: Tensor, log_every: int) -> None:
    statistics = run.trainer.step(x_BD)
    steps = run.trainer.steps
    if steps % log_every == 0 or steps == run.trainer.total_steps:
        run.curve.append({"step": steps, **{name: value.item() for name, value in statistics._asdict().items()}})
        run.check()
        run.trainer.bound_dead(log_every)
