"""The trainer against a plain dense autograd step written out here, and its parts by worked examples."""

import copy
import dataclasses
from types import MappingProxyType

import pytest
import torch
from torch import tensor

from variant_rules import LOSSES, SELECTIONS
from workflow import PAPERS
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.codes.dense_selection import top_k_dense
from wta_sae.codes.fast_selection import top_k_pairs
from wta_sae.codes.variant_rule import Encoded, LossRule, Moment, SelectionRule
from wta_sae.training.arithmetic import geometric_median
from wta_sae.training.auxiliary import auxiliary_loss
from wta_sae.training.loop import TrainingRun, train
from wta_sae.training.trainer import Trainer, TrainingOptions, new_rule
from wta_sae.variants.loading import spec_of
from wta_sae.variants.registry import VARIANTS

CPU = torch.device("cpu")
NONE = MappingProxyType({})  # options of a variant
TOP_K = {"pairs": top_k_pairs, "dense": top_k_dense}
WIDTH, LATENTS, BATCH, STEPS = 12, 200, 64, 20
OPTIONS = TrainingOptions(
    latents=LATENTS,
    batch_tokens=BATCH,
    epochs=1,
    learning_rate=1e-2,
    warmup_steps=4,
    decay_steps=5,
    threshold_start_step=3,
    threshold_beta=0.9,
    dead_after_tokens=2 * BATCH,
    auxiliary_coefficient=1 / 32,
)


def batches(count=STEPS):
    generator = torch.Generator().manual_seed(3)
    directions = torch.randn(24, WIDTH, generator=generator)
    found = []
    for _ in range(count):
        strength = torch.rand(BATCH, 24, generator=generator) * (torch.rand(BATCH, 24, generator=generator) < 0.15)
        found.append(strength @ directions + 0.05 * torch.randn(BATCH, WIDTH, generator=generator) + 0.3)
    return found


def trainer(variant, k=4, steps=STEPS, seed=0, own=NONE, device=CPU, arithmetic="pairs", **changes):
    """own: the variant's options; changes: of OPTIONS."""
    options = dataclasses.replace(OPTIONS, **changes)
    rule = new_rule(variant, k, options, steps, device, spec_of(variant).options(**own))
    one = Trainer(rule, WIDTH, options, steps, seed, device)
    rule.form = getattr(rule, f"{'select' if isinstance(rule, SelectionRule) else 'fit'}_{arithmetic}")
    one.select_top_k = TOP_K[arithmetic]
    return one


GATES = [("wta", {"gate": gate}) for gate in ("early", "late")]
SELECTIONS_AND_GATES = [*((variant, NONE) for variant in SELECTIONS), *GATES, ("hybrid_token", {"patience": 2})]
ALL_RULES = [*SELECTIONS_AND_GATES, *((variant, NONE) for variant in LOSSES)]
both_arithmetics = pytest.mark.parametrize("arithmetic", ["pairs", "dense"])


class PlainTrainer:
    """training.md's algorithm, dense and step by step: torch's own Adam, clip and autograd, nothing shared with the trainer."""

    def __init__(self, start, variant, k, gate="never", **_of_the_rule):
        self.variant, self.k, self.gate, self.options = variant, k, gate, start.options
        self.rule, self.theta = copy.deepcopy(start.rule), None
        values = (start.W_enc_FD.T, start.b_enc_F, start.W_dec_FD, start.b_dec_D)
        self.W_enc, self.b_enc, self.W_dec, self.b_dec = (v.detach().clone().requires_grad_() for v in values)
        self.parameters = [self.W_enc, self.b_enc, self.W_dec, self.b_dec, *self.rule.parameters.values()]
        self.optimiser = torch.optim.Adam(self.parameters, lr=self.options.learning_rate, betas=self.rule.adam_betas)
        self.silent = torch.zeros(LATENTS)
        self.steps = 0

    def gated(self, pre):
        start = self.options.threshold_start_step
        on = {"never": False, "early": self.steps <= start, "late": self.steps > start}[self.gate]
        return pre * (pre > self.theta) if on and self.theta is not None else pre

    def follow(self, winners):
        if winners.numel() and (self.gate == "early" or self.steps > self.options.threshold_start_step):
            beta, least = self.options.threshold_beta, winners.min().item()
            self.theta = least if self.theta is None else beta * self.theta + (1 - beta) * least

    def mask(self, pre):
        if self.variant == "wta":
            return (pre >= pre.sort(dim=0, descending=True).values[self.k - 1]) & (pre > 0)
        if self.variant not in ("topk", "batch_topk"):
            return self.rule.select(pre.detach(), self.moment()) > 0
        rows, kept = (pre, self.k) if self.variant == "topk" else (pre.reshape(1, -1), self.k * BATCH)
        first_of_ties = rows.argsort(dim=1, descending=True, stable=True)[:, :kept]
        return torch.zeros_like(rows).scatter(1, first_of_ties, 1).view_as(pre).bool() & (pre > 0)

    def moment(self):
        return Moment(self.steps, tensor(torch.nan), self.silent)

    def fitted(self, x):
        """The loss but for the auxiliary one, the error, the activations before their selection, and which are selected."""
        encoded = Encoded(x - self.b_dec, (x - self.b_dec) @ self.W_enc + self.b_enc, self.W_dec)
        pre = self.gated(encoded.pre_BF.relu())
        if isinstance(self.rule, LossRule):
            loss, acts = self.rule.loss(encoded, self.moment())
            return loss, x - acts @ self.W_dec - self.b_dec, pre, acts > 0
        mask = self.mask(pre)
        self.follow(pre[mask])
        self.rule.follow(Encoded(*(part.detach() for part in encoded)), self.moment())
        error = x - (pre * mask) @ self.W_dec - self.b_dec
        return (error**2).sum(1).mean(), error, pre, mask

    def step(self, x):
        if self.steps == 0:
            self.b_dec.data = geometric_median(x)
        loss, error, pre, mask = self.fitted(x)
        self.silent = torch.where(mask.any(0), 0, self.silent + len(x))
        dead = self.silent >= self.options.dead_after_tokens
        if self.rule.auxiliary_loss and dead.any():
            dead_pre = pre * dead
            count = min(WIDTH // 2, int(dead.sum()))
            kept = torch.stack([row >= row.sort(descending=True).values[count - 1] for row in dead_pre])
            target = error.detach()
            left = ((target - (dead_pre * kept) @ self.W_dec) ** 2).sum(1).mean()
            loss = loss + self.options.auxiliary_coefficient * left / ((target - target.mean(0)) ** 2).sum(1).mean()
        self.optimiser.zero_grad()
        loss.backward()
        for row, gradient in zip(self.W_dec.data, self.W_dec.grad, strict=True):
            gradient -= (gradient @ row) * row
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        warm = min(self.steps / self.options.warmup_steps, 1)
        cool = min((STEPS - self.steps) / self.options.decay_steps, 1)
        self.optimiser.param_groups[0]["lr"] = self.options.learning_rate * min(warm, cool)
        self.optimiser.step()
        self.W_dec.data /= self.W_dec.data.norm(dim=1, keepdim=True)
        self.steps += 1
        return loss.item()


@pytest.fixture
def precision(request):
    """torch's default dtype during the test."""
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


def assert_same_weights(ours, plain, tolerance):
    trained, _ = ours.trained(norm_factor=1.0)
    for name in ("W_enc_DF", "b_enc_F", "W_dec_FD", "b_dec_D"):
        difference = (getattr(trained, name) - getattr(plain, name[: name.rindex("_")])).abs().max()
        assert difference < tolerance, name


# Adam divides by the gradient's own size, which makes rounding errors large. In float64 they stay invisible; in float32 at
# the larger rate the plain step in float32 is further than the tolerance from the plain step in float64.
@pytest.mark.parametrize(
    "precision, tolerance, rate", [(torch.float64, 1e-9, 1e-2), (torch.float32, 1e-6, 1e-3)], indirect=["precision"]
)
@pytest.mark.parametrize("variant, own", SELECTIONS_AND_GATES)
@both_arithmetics
def test_equals_the_plain_dense_step(arithmetic, variant, own, precision, tolerance, rate):
    ours = trainer(variant, own=own, learning_rate=rate, arithmetic=arithmetic)
    ours.b_enc_F.fill_(-1.0)  # so that some tokens have no positive activation
    plain = PlainTrainer(ours, variant, 4, **own)
    silent_tokens = 0
    for x_BD in batches():
        assert ours.step(x_BD).loss.item() == pytest.approx(plain.step(x_BD), rel=tolerance)
        silent_tokens += (ours.pre_BF <= 0).all(1).sum()
    assert silent_tokens > 0
    assert_same_weights(ours, plain, tolerance)


@pytest.mark.parametrize("precision", [torch.float64], indirect=True)
@pytest.mark.parametrize("variant", LOSSES)
@both_arithmetics
def test_a_variants_loss_is_trained_as_by_plain_autograd(arithmetic, variant, precision):
    own = {"bandwidth": 0.05} if variant == "jumprelu" else NONE
    ours = trainer(variant, learning_rate=1e-3, own=own, arithmetic=arithmetic)
    plain = PlainTrainer(ours, variant, 4)
    for x_BD in batches():
        assert ours.step(x_BD).loss.item() == pytest.approx(plain.step(x_BD), rel=1e-9)
    assert_same_weights(ours, plain, 1e-9)
    for parameter, theirs in zip(ours.parameters[4:], plain.rule.parameters.values(), strict=True):
        torch.testing.assert_close(parameter, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision, tolerance", [(torch.float64, 1e-9), (torch.float32, 1e-6)], indirect=["precision"])
@pytest.mark.parametrize("variant", PAPERS)
@both_arithmetics
def test_equals_the_plain_dense_step_where_activations_tie(arithmetic, variant, precision, tolerance):
    """Weights and activations in halves, whose products are exact, so that ties are ties in any order of summation."""
    generator = torch.Generator().manual_seed(6)
    ours = trainer(variant, arithmetic=arithmetic)
    ours.W_enc_FD.copy_(torch.randint(-2, 3, (LATENTS, WIDTH), generator=generator) / 2)
    plain = PlainTrainer(ours, variant, 4)
    ours.steps = plain.steps = 1  # past the geometric median, and a learning rate above 0
    x_BD = torch.randint(-2, 3, (BATCH, WIDTH), generator=generator) / 2
    x_BD[:3] = 0
    statistics = ours.step(x_BD)
    assert statistics.loss.item() == pytest.approx(plain.step(x_BD), rel=tolerance)
    assert_same_weights(ours, plain, tolerance)
    best = {"topk": ours.pre_BF, "batch_topk": ours.pre_BF.reshape(1, -1), "wta": ours.pre_BF.T}[variant].sort(1).values
    cut = -BATCH * 4 if variant == "batch_topk" else -4
    assert (best[:, cut] == best[:, cut - 1]).any()


def test_the_auxiliary_loss_is_on_for_topk_only_when_latents_are_dead():
    """The comparison above must have met dead latents, or it would say nothing of the auxiliary loss."""
    ours = trainer("topk")
    dead = [ours.step(x_BD).dead.item() for x_BD in batches()]
    assert dead[0] == 0
    assert dead[-1] > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_seed_same_weights_other_seed_other_weights(variant):
    def weights(seed):
        one = trainer(variant, seed=seed)
        for x_BD in batches(5):
            one.step(x_BD)
        return one.W_dec_FD.detach()

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_decoder_rows_stay_unit_and_the_encoder_starts_tied(variant):
    one = trainer(variant)
    assert torch.equal(one.W_enc_FD, one.W_dec_FD)
    for x_BD in batches(5):
        one.step(x_BD)
    torch.testing.assert_close(one.W_dec_FD.norm(dim=1), torch.ones(LATENTS))
    assert not torch.equal(one.W_enc_FD, one.W_dec_FD)


def test_wta_gives_every_latent_its_winners():
    one = trainer("wta", k=4)
    statistics = one.step(batches(1)[0])
    assert statistics.l0.item() <= 4 * LATENTS / BATCH
    assert (one.silent_tokens_F == 0).all()


def test_training_lowers_the_loss_and_the_curve_says_so():
    run = TrainingRun("one", trainer("topk", steps=60))
    train([run], batches(60), norm_factor=1.0, log_every=10)
    assert [row["step"] for row in run.curve] == [10, 20, 30, 40, 50, 60]
    assert run.curve[-1]["loss"] < 0.7 * run.curve[0]["loss"]
    assert run.curve[-1]["l0"] == pytest.approx(4, abs=0.1)


def same_state(one, other):
    states = [{name: value.nan_to_num(-1.0) for name, value in trainer.state().items()} for trainer in (one, other)]
    return states[0].keys() == states[1].keys() and all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_saes_trained_together_end_as_each_does_alone():
    stream = batches(30)  # logged twice: some variant's loss is absurd at this learning rate
    together = [TrainingRun(variant, trainer(variant, steps=30)) for variant in VARIANTS]
    train(together, stream, norm_factor=2.0, log_every=15)
    for run in together:
        alone = TrainingRun(run.name, trainer(run.name, steps=30))
        train([alone], stream, norm_factor=2.0, log_every=15)
        assert same_state(run.trainer, alone.trainer)
        assert run.curve == alone.curve


def test_one_that_is_further_waits_for_the_others():
    stream = batches(30)
    ahead, behind, undisturbed = (TrainingRun("one", trainer("wta", steps=30)) for _ in range(3))
    train([undisturbed], stream, norm_factor=2.0, log_every=7)
    train([ahead], stream[:20], norm_factor=2.0, log_every=7)
    train([behind], stream[:5], norm_factor=2.0, log_every=7)
    train([ahead, behind], stream[5:], norm_factor=2.0, log_every=7)
    assert same_state(ahead.trainer, undisturbed.trainer)
    assert same_state(behind.trainer, undisturbed.trainer)
    assert ahead.curve == behind.curve == undisturbed.curve


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_saved_sae_acts_on_raw_activations_as_training_did_on_normalised_ones(variant):
    one = trainer(variant)
    for x_BD in batches():
        one.step(x_BD)
    plain, _ = one.trained(norm_factor=1.0)
    scaled, thresholds = one.trained(norm_factor=7.0)
    x_BD = batches(1)[0]
    torch.testing.assert_close(scaled.encode(7 * x_BD), 7 * plain.encode(x_BD), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        scaled.decode(scaled.encode(7 * x_BD)), 7 * plain.decode(plain.encode(x_BD)), rtol=1e-4, atol=1e-4
    )
    assert thresholds["per_latent"].shape == (LATENTS,)
    evaluated = {readout.inference for readout in VARIANTS[variant].readouts}
    assert evaluated <= {*thresholds, plain.inference, "released"}


def winners_of_each_step(gate):
    one = trainer("wta", own={"gate": gate})
    steps = []
    for x_BD in batches():
        before = one.threshold.item()
        l0 = one.step(x_BD).l0.item()
        steps.append((l0, before, one.threshold.item()))
    return steps


def test_the_gate_is_on_before_or_after_the_thresholds_start_and_lets_the_threshold_only_rise():
    start, ungated = OPTIONS.threshold_start_step, winners_of_each_step("never")
    # The first step that has a threshold to gate with: the second of all, or the second after the thresholds' start.
    for gate, first, last in (("early", 1, start), ("late", start + 2, STEPS - 1)):
        steps = winners_of_each_step(gate)
        assert [l0 for l0, *_ in steps[:first]] == [l0 for l0, *_ in ungated[:first]]
        assert steps[first][0] < ungated[first][0]
        assert all(after > before for _, before, after in steps[first : last + 1])
    assert not all(after > before for _, before, after in ungated[start + 2 :])


@both_arithmetics
def test_a_gate_above_all_activations_leaves_nothing_active_and_nothing_undefined(arithmetic):
    one = trainer("wta", own={"gate": "late"}, threshold_start_step=0, arithmetic=arithmetic)
    one.step(batches(1)[0])
    one.threshold = tensor(1e9)
    statistics = one.step(batches(1)[0])
    assert statistics.l0 == 0
    assert statistics.loss.isfinite()
    assert one.threshold == 1e9
    assert all(parameter.isfinite().all() for parameter in one.parameters)


def test_the_encoder_bias_may_be_saved_as_the_released_code_saves_it():
    faithful, released = (trainer("wta", own={"rescale_encoder_bias": flag}) for flag in (True, False))
    for x_BD in batches(6):
        faithful.step(x_BD)
        released.step(x_BD)
    right, right_thresholds = faithful.trained(norm_factor=7.0)
    wrong, wrong_thresholds = released.trained(norm_factor=7.0)
    assert right.b_enc_F.any()
    torch.testing.assert_close(7 * wrong.b_enc_F, right.b_enc_F)
    for name in ("W_enc_DF", "W_dec_FD", "b_dec_D", "threshold"):
        assert torch.equal(getattr(wrong, name), getattr(right, name)), name
    assert all(torch.equal(wrong_thresholds[rule], right_thresholds[rule]) for rule in right_thresholds)


def test_thresholds_of_one_batch_by_hand():
    one = trainer("wta", k=2, threshold_start_step=0)
    acts_BF = torch.zeros(3, LATENTS)
    acts_BF[0, 0], acts_BF[1, 0], acts_BF[2, 1] = 3.0, 2.0, 5.0
    one.steps = 1
    one._follow(DenseCodes(acts_BF), 3)
    assert one.threshold == 2
    assert one.thresholds_F[:2].tolist() == [2, 5]
    assert one.thresholds_F[2:].isnan().all()
    one._follow(DenseCodes(torch.zeros(3, LATENTS)), 3)  # nothing selected: nothing moves
    assert one.threshold == 2
    _, thresholds = one.trained(norm_factor=10.0)
    assert thresholds["described"] == 20
    assert thresholds["per_latent"][2:].isinf().all()


def test_the_topk_threshold_is_the_mean_of_each_tokens_smallest():
    one = trainer("topk", threshold_start_step=0)
    acts_BF = torch.zeros(3, LATENTS)
    acts_BF[0, :2], acts_BF[1, 3] = tensor([1.0, 4.0]), 3.0  # the third token has none
    one.steps = 1
    one._follow(DenseCodes(acts_BF), 3)
    assert one.threshold == 2


@both_arithmetics
def test_auxiliary_loss_by_hand(arithmetic):
    error_BD = tensor([[1.0, 0.0], [-1.0, 0.0]])
    dead_pre_BK = tensor([[0.5, 0.0], [0.0, 0.0]])
    W_dec_KD = tensor([[1.0, 0.0], [0.0, 1.0]])
    # Left over: (1 - 0.5)^2 and (-1)^2, mean 0.625; variance of the error: 1.
    auxiliary = auxiliary_loss(error_BD, dead_pre_BK, W_dec_KD, TOP_K[arithmetic])
    assert auxiliary.loss == pytest.approx(0.625)
    assert auxiliary.codes.smallest_of_latents().tolist() == [0.5, torch.inf]
    nothing = auxiliary_loss(torch.zeros(2, 2), torch.zeros(2, 2), W_dec_KD, TOP_K[arithmetic])
    assert nothing.loss == 0
    assert not nothing.output_gradient_BD.any()
