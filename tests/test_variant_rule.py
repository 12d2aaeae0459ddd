"""What a variant need not write: fast forms, gradients, the trainer's other work, for rules that are in no folder."""

import pytest
import torch
from torch import tensor

from test_training import BATCH, CPU, LATENTS, OPTIONS, STEPS, WIDTH, PlainTrainer, batches, same_state, trainer
from wta_sae.codes.codes import mean_of_tokens_smallest
from wta_sae.codes.variant_rule import Encoded, Loss, LossRule, SelectionRule, TrainingSizes, squared_error
from wta_sae.sae.load import load_sae
from wta_sae.sae.readouts import top_k
from wta_sae.sae.save import save_sae
from wta_sae.training.loop import TrainingRun, train
from wta_sae.training.trainer import Trainer


def batch_threshold_of_topk(rule, codes, smallest_F):
    return mean_of_tokens_smallest(codes)


class PlainTopK(SelectionRule):
    """TopK, with none of its fast forms."""

    inference = "topk"
    batch_threshold = batch_threshold_of_topk

    def select(self, pre_BF, moment):
        return top_k(pre_BF, self.k)


class TopKLoss(LossRule):
    """TopK as a loss."""

    inference = "topk"
    batch_threshold = batch_threshold_of_topk

    def loss(self, encoded, moment):
        pre_BF = encoded.pre_BF.relu()
        acts_BF = pre_BF * (top_k(pre_BF.detach(), self.k) > 0)
        return Loss(squared_error(encoded, acts_BF), acts_BF)


class SoftThresholds(LossRule):
    """A threshold a latent, which is trained, a penalty on what is active, and a weight that grows with the steps."""

    def initial_parameters(self):
        return {"theta": torch.full((self.sizes.latents,), 0.05)}

    def loss(self, encoded, moment):
        theta_F = self.parameters["theta"]
        acts_BF = encoded.pre_BF.relu() * torch.sigmoid(20 * (encoded.pre_BF - theta_F)) * (encoded.pre_BF > theta_F)
        weight = 0.01 * moment.step / self.sizes.steps
        return Loss(squared_error(encoded, acts_BF) + weight * acts_BF.sum() / len(acts_BF), acts_BF)

    def thresholds(self, shared, per_latent_F):
        return {"per_latent": self.parameters["theta"].detach()}


class Rotating(SelectionRule):
    """TopK among the latents that won least so far, as often as not: it needs its state and the step."""

    inference = "threshold"

    def initial_state(self):
        return {"wins": torch.zeros(self.sizes.latents)}

    def select(self, pre_BF, moment):
        wins_F = self.state["wins"]
        eligible_F = wins_F <= wins_F.median() if moment.step % 2 else torch.ones_like(wins_F, dtype=torch.bool)
        return top_k(pre_BF * eligible_F, self.k)

    def follow(self, encoded, moment):
        self.state["wins"] = self.state["wins"] + (self.select(encoded.pre_BF.relu(), moment) > 0).sum(0)


RULES = (PlainTopK, TopKLoss, SoftThresholds, Rotating)


def trainer_by(rule_class, k=4, steps=STEPS):
    sizes = TrainingSizes(LATENTS, BATCH, steps, OPTIONS.threshold_start_step)
    return Trainer(rule_class(k, None, sizes, CPU), WIDTH, OPTIONS, steps, 0, CPU)


@pytest.fixture
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("form", ["select_pairs", "select_dense"])
def test_the_forms_of_a_plain_selection_train_as_those_written_for_speed(form):
    plain, fast = trainer_by(PlainTopK), trainer("topk")
    for one in (plain, fast):
        one.rule.form = getattr(one.rule, form)
        for x_BD in batches():
            one.step(x_BD)
    assert fast.silent_tokens_F.max() > OPTIONS.dead_after_tokens  # the auxiliary loss was among what is compared
    assert same_state(plain, fast)


def test_a_selection_written_as_a_loss_trains_as_the_selection(in_float64):
    as_loss, as_selection = trainer_by(TopKLoss), trainer("topk")
    for x_BD in batches():
        one, other = as_loss.step(x_BD), as_selection.step(x_BD)
        torch.testing.assert_close(tensor(one), tensor(other), rtol=1e-9, atol=1e-9)
    for name, value in as_selection.state().items():
        torch.testing.assert_close(as_loss.state()[name], value, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("rule_class", [TopKLoss, SoftThresholds])
def test_a_loss_is_trained_as_by_plain_autograd(rule_class, in_float64):
    """Clipping, schedule, decoder norm, dead latents and the rule's own parameters among it."""
    ours = trainer_by(rule_class)
    plain = PlainTrainer(ours, "", 4)
    for x_BD in batches():
        assert ours.step(x_BD).loss.item() == pytest.approx(plain.step(x_BD), rel=1e-9)
    for parameter, theirs in zip(ours.parameters[4:], plain.rule.parameters.values(), strict=True):
        assert (parameter - 0.05).abs().max() > 1e-3
        torch.testing.assert_close(parameter, theirs, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.W_enc_FD, plain.W_enc.detach().T, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.b_dec_D, plain.b_dec.detach(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rule_class", RULES)
def test_a_restored_trainer_goes_on_bit_for_bit_with_the_rules_state_and_parameters(rule_class):
    undisturbed, first, second = (trainer_by(rule_class) for _ in range(3))
    stream = batches()
    for x_BD in stream:
        undisturbed.step(x_BD)
    for x_BD in stream[:11]:
        first.step(x_BD)
    second.restore({name: value.clone() for name, value in first.state().items()})
    for x_BD in stream[11:]:
        second.step(x_BD)
    assert not any(value.requires_grad for value in second.state().values())
    assert same_state(second, undisturbed)


def test_rules_of_every_kind_are_trained_together_as_alone():
    together = [TrainingRun(rule.__name__, trainer_by(rule)) for rule in RULES]
    train(together, batches(), norm_factor=2.0, log_every=5)
    for rule, run in zip(RULES, together, strict=True):
        alone = TrainingRun(run.name, trainer_by(rule))
        train([alone], batches(), norm_factor=2.0, log_every=5)
        assert same_state(run.trainer, alone.trainer)
        assert run.curve == alone.curve


def test_a_rules_own_thresholds_are_saved_in_units_of_raw_activations_and_read_back(tmp_path):
    one = trainer_by(SoftThresholds)
    for x_BD in batches():
        one.step(x_BD)
    sae, thresholds = one.trained(norm_factor=7.0)
    theta_F = one.rule.parameters["theta"].detach()
    assert list(thresholds) == ["per_latent"]
    torch.testing.assert_close(thresholds["per_latent"], 7 * theta_F)
    save_sae(tmp_path / "sae", sae, thresholds, {})
    x_BD = 7 * batches(1)[0]
    read = load_sae(tmp_path / "sae")
    assert (read.inference, read.threshold.shape) == ("per_latent", (LATENTS,))
    torch.testing.assert_close(read.encode(x_BD), sae.encode(x_BD))


def test_what_a_rule_is_given_is_where_training_stands():
    seen = []

    class Recording(PlainTopK):
        def select(self, pre_BF, moment):
            seen.append((moment.step, moment.threshold.item(), tuple(pre_BF.shape), bool((pre_BF >= 0).all())))
            return super().select(pre_BF, moment)

    one = trainer_by(Recording)
    for x_BD in batches():
        one.step(x_BD)
    assert [step for step, *_ in seen] == list(range(STEPS))
    assert {rest for *_, rest in seen} == {True} and {shape for *_, shape, _ in seen} == {(BATCH, LATENTS)}
    begun = OPTIONS.threshold_start_step + 2  # the first step before which a batch has set the threshold
    assert all(threshold != threshold for _, threshold, *_ in seen[:begun])
    assert all(threshold > 0 for _, threshold, *_ in seen[begun:])


def test_the_squared_error_by_hand():
    encoded = Encoded(tensor([[1.0, 2.0], [0.0, 1.0]]), torch.zeros(2, 1), tensor([[1.0, 0.0]]))
    assert squared_error(encoded, tensor([[1.0], [2.0]])) == (4 + 4 + 1) / 2
