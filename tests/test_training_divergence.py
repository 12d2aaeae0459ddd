"""A run that diverges stops where it does, and says where."""

import pytest
import torch

from test_training import BATCH, WIDTH, batches, both_arithmetics, trainer
from wta_sae.base.errors import UserError
from wta_sae.training.loop import TrainingRun, train
from wta_sae.variants.registry import VARIANTS


@both_arithmetics
def test_a_diverging_run_stops_and_says_where(arithmetic):
    run = TrainingRun("topk-k4", trainer("topk", arithmetic=arithmetic))
    bad = [batches(1)[0], torch.full((BATCH, WIDTH), torch.inf)]
    with pytest.raises(UserError, match=r"training topk-k4 diverged at step 2 .*; lower training.learning_rate"):
        train([run], bad, norm_factor=1.0, log_every=1)


def test_a_run_too_short_for_its_thresholds_is_refused():
    with pytest.raises(UserError, match=r"training.threshold_start_step: none of this run's 4 steps comes after step 3"):
        trainer("wta", steps=4)
    trainer("wta", steps=5)


@both_arithmetics
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_at_an_absurd_learning_rate_stops_after_three_logged_steps(variant, arithmetic):
    run = TrainingRun(variant, trainer(variant, steps=60, learning_rate=1e3, warmup_steps=10, arithmetic=arithmetic))
    with pytest.raises(UserError, match=r"training .* diverged at step \d+ .*explained variance of the batch .*; lower"):
        train([run], batches(60), norm_factor=1.0, log_every=2)
    assert 10 < run.trainer.steps <= 20


def test_a_run_that_is_bad_for_two_logged_steps_goes_on():
    run = TrainingRun("topk", trainer("topk"))
    run.curve = [{"step": step, "loss": 1.0, "explained_variance": -11.0} for step in (6, 8)]
    run.check()
    run.curve.append({"step": 10, "loss": 1.0, "explained_variance": -9.0})
    run.check()
    run.curve += [{"step": step, "loss": 1.0, "explained_variance": -11.0} for step in (12, 14)]
    run.check()
    run.curve.append({"step": 16, "loss": 1.0, "explained_variance": -11.0})
    with pytest.raises(UserError, match="diverged at step 16"):
        run.check()
