"""The dense step that a GPU takes: its bound on the dead, its precision, that it never waits for the device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from test_training import ALL_RULES, BATCH, GATES, LATENTS, NONE, OPTIONS, STEPS, WIDTH, batches, trainer
from workflow import PAPERS
from wta_sae.codes import dense_codes
from wta_sae.codes.dense_selection import top_k_dense
from wta_sae.codes.fast_selection import top_k_pairs
from wta_sae.training.loop import TrainingRun, train
from wta_sae.training.trainer import WHOLE_TILES, Trainer, new_rule
from wta_sae.variants.loading import spec_of


def on_device(variant, name, own=NONE):
    """A trainer that chooses its arithmetic itself."""
    device = torch.device(name)
    rule = new_rule(variant, 4, OPTIONS, STEPS, device, spec_of(variant).options(**own))
    return Trainer(rule, WIDTH, OPTIONS, STEPS, 0, device)


def trained(variant, bound_every=None, steps=STEPS, dtype=torch.float64, **arguments):
    """A trainer after some steps, and each step's statistics."""
    torch.set_default_dtype(dtype)
    try:
        one, seen = trainer(variant, **arguments), []
        for x_BD in batches(steps):
            if bound_every and one.steps % bound_every == 0:
                one.bound_dead(bound_every)
            seen.append(one.step(x_BD.to(one.b_dec_D)))
        return one, seen
    finally:
        torch.set_default_dtype(torch.float32)


def assert_same_state(one, other, tolerance):
    for name, value in one.state().items():
        if name != "dead_bound":
            torch.testing.assert_close(
                other.state()[name], value, rtol=tolerance, atol=tolerance, equal_nan=True, msg=name, check_device=False
            )


@pytest.mark.parametrize("variant, own", ALL_RULES)
def test_equals_the_step_on_active_pairs(variant, own):
    dense, dense_seen = trained(variant, own=own, arithmetic="dense")
    pairs, pairs_seen = trained(variant, own=own, arithmetic="pairs")
    assert_same_state(dense, pairs, 1e-9)
    for one, other in zip(dense_seen, pairs_seen, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("arithmetic", ["pairs", "dense"])
@pytest.mark.parametrize("variant", ["topk", "batch_topk"])
def test_a_bound_on_the_dead_changes_nothing(variant, arithmetic):
    without, _ = trained(variant, arithmetic=arithmetic, dead_after_tokens=6 * BATCH)
    bounded, seen = trained(variant, bound_every=2, arithmetic=arithmetic, dead_after_tokens=6 * BATCH)
    assert 0 < seen[-1].dead <= bounded.most_dead < LATENTS
    assert bounded.most_dead % WHOLE_TILES == 0
    assert_same_state(without, bounded, 1e-9)


def test_no_latent_dies_beyond_the_bound():
    one = trainer("topk", k=1)
    for x_BD in batches():
        if one.steps % 3 == 0:
            one.bound_dead(3)
        assert one.step(x_BD).dead <= one.most_dead
    assert one.most_dead > 0


def test_training_bounds_the_dead_from_row_to_row_of_its_curve():
    one = trainer("topk")
    train([TrainingRun("topk-k4", one)], batches(), 1.0, log_every=5)
    assert one.bound_until_step == STEPS + 5
    assert one.most_dead >= (one.silent_tokens_F >= OPTIONS.dead_after_tokens).sum() > 0


def test_a_gpu_takes_the_dense_step_and_a_cpu_active_pairs():
    on_cpu, on_gpu = (on_device("wta", name) for name in ("cpu", "meta"))
    assert (on_cpu.rule.form, on_cpu.select_top_k) == (on_cpu.rule.select_pairs, top_k_pairs)
    assert (on_gpu.rule.form, on_gpu.select_top_k) == (on_gpu.rule.select_dense, top_k_dense)


@pytest.mark.parametrize("variant, own", [*((name, NONE) for name in PAPERS), *GATES])
def test_products_in_bfloat16_stay_near_those_in_float32(variant, own, monkeypatch):
    full, full_seen = trained(variant, own=own, arithmetic="dense", dtype=torch.float32)
    monkeypatch.setattr(dense_codes, "product_dtype", lambda _: torch.bfloat16)
    half, half_seen = trained(variant, own=own, arithmetic="dense", dtype=torch.float32)
    assert all(value.dtype != torch.bfloat16 for value in half.state().values())
    for one, other in zip(full_seen, half_seen, strict=True):
        assert one.loss.dtype == torch.float32
        assert other.loss.item() == pytest.approx(one.loss.item(), rel=0.01)
    assert not torch.equal(full.W_dec_FD, half.W_dec_FD)


class Recording(TorchDispatchMode):
    """Keeps each operation that waits for a GPU: it reads a value on the host, or shapes its result by values."""

    WAITING = ("_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "unique", "bincount", "equal")

    def __init__(self):
        super().__init__()
        self.found, self.count = [], 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += 1
        name = operation.overloadpacket.__name__
        by_mask = name.startswith("index") and any(
            isinstance(leaf, torch.Tensor) and leaf.dtype in (torch.bool, torch.uint8) for leaf in tree_leaves(args[1:])
        )
        if name.startswith(self.WAITING) or by_mask:
            self.found.append(str(operation))
        return operation(*args, **(kwargs or {}))


def test_the_recording_finds_what_waits():
    x_B = torch.tensor([1.0, -1.0])
    with Recording() as recording:
        x_B.sum().item()
        x_B.nonzero()
        x_B[x_B > 0]
        bool(x_B.any())
    assert len(recording.found) == 4


@pytest.mark.parametrize("variant, own", ALL_RULES)
def test_no_operation_of_a_dense_step_waits(variant, own):
    one = trainer(variant, own=own, arithmetic="dense")
    first, *others = batches()
    one.step(first)  # sets the decoder's bias by an iteration that ends where it has converged
    with Recording() as recording:
        dead = [one.step(x_BD).dead for x_BD in others]
    assert recording.count > 50 * len(others)
    assert recording.found == []
    assert not one.rule.auxiliary_loss or dead[-1] > 0  # the auxiliary loss was among them


@pytest.mark.parametrize("variant, own", ALL_RULES)
def test_a_dense_step_takes_no_tensor_from_another_device(variant, own, monkeypatch):
    """On torch's `meta` device, whose tensors have no values: reading one, or mixing devices, raises."""
    one = on_device(variant, "meta", own)
    monkeypatch.setattr(one.adam, "step", lambda rate: None)  # the fused Adam has no form for this device
    one.steps = 1
    for _ in range(STEPS - 1):
        statistics = one.step(torch.empty(BATCH, WIDTH, device="meta"))
    assert all(value.is_meta and value.shape == () for value in statistics)


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@on_a_gpu
@pytest.mark.parametrize("variant, own", ALL_RULES)
def test_a_gpu_computes_what_a_cpu_does_where_both_are_exact(variant, own, monkeypatch):
    monkeypatch.setattr(dense_codes, "product_dtype", lambda tensor: tensor.dtype)
    gpu, gpu_seen = trained(variant, own=own, arithmetic="dense", device=torch.device("cuda"))
    cpu, cpu_seen = trained(variant, own=own)
    assert_same_state(gpu, cpu, 1e-9)
    for one, other in zip(gpu_seen, cpu_seen, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9, check_device=False)


@on_a_gpu
@pytest.mark.parametrize("variant, own", ALL_RULES)
def test_a_gpu_never_waits_and_agrees_with_the_cpu_to_its_precision(variant, own, repeatable):
    """Each step from the CPU's state: which latents win hangs on small differences, which would add up."""
    gpu, cpu = on_device(variant, "cuda", own), trainer(variant, own=own)
    for x_BD in batches():
        gpu.restore(cpu.state())
        cpu_loss, on_gpu_BD = cpu.step(x_BD).loss.item(), x_BD.to("cuda")
        torch.cuda.set_sync_debug_mode("error" if gpu.steps else "default")
        try:
            statistics = gpu.step(on_gpu_BD)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert statistics.loss.item() == pytest.approx(cpu_loss, rel=0.03)
