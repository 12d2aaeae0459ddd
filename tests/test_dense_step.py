"""The dense step that a GPU takes: what it foresees, its precision, that it never waits for the device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from test_training import BATCH, LATENTS, OPTIONS, STEPS, WIDTH, batches, trainer
from wta_sae import dense_codes
from wta_sae.dense_codes import select_dense
from wta_sae.fast_selection import select_pairs
from wta_sae.training import WHOLE_TILES, Run, Trainer, train
from wta_sae.variants import VARIANTS

VARIANTS_AND_GATES = [*((variant, "never") for variant in VARIANTS), ("wta", "early"), ("wta", "late")]


def trained(variant, look_ahead_every=None, steps=STEPS, dtype=torch.float64, **arguments):
    """A trainer after some steps, and each step's statistics."""
    torch.set_default_dtype(dtype)
    try:
        one, seen = trainer(variant, **arguments), []
        for x_BD in batches(steps):
            if look_ahead_every and one.steps % look_ahead_every == 0:
                one.look_ahead(look_ahead_every)
            seen.append(one.step(x_BD))
        return one, seen
    finally:
        torch.set_default_dtype(torch.float32)


def assert_same_state(one, other, tolerance):
    for name, value in one.state().items():
        if name != "foreseen":
            torch.testing.assert_close(other.state()[name], value, rtol=tolerance, atol=tolerance, equal_nan=True, msg=name)


@pytest.mark.parametrize("variant, gate", VARIANTS_AND_GATES)
def test_equals_the_step_on_active_pairs(variant, gate):
    dense, dense_seen = trained(variant, gate=gate, select=select_dense)
    pairs, pairs_seen = trained(variant, gate=gate, select=select_pairs)
    assert_same_state(dense, pairs, 1e-9)
    for one, other in zip(dense_seen, pairs_seen, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("select", [select_pairs, select_dense])
@pytest.mark.parametrize("variant", ["topk", "batch_topk"])
def test_what_is_foreseen_changes_nothing(variant, select):
    always_all, _ = trained(variant, select=select, dead_after_tokens=6 * BATCH)
    foreseen, seen = trained(variant, look_ahead_every=2, select=select, dead_after_tokens=6 * BATCH)
    assert 0 < seen[-1].dead <= foreseen.perhaps_dead < LATENTS
    assert foreseen.perhaps_dead % WHOLE_TILES == 0
    assert_same_state(always_all, foreseen, 1e-9)


def test_no_latent_dies_unforeseen():
    one = trainer("topk", k=1)
    for x_BD in batches():
        if one.steps % 3 == 0:
            one.look_ahead(3)
        assert one.step(x_BD).dead <= one.perhaps_dead
    assert one.perhaps_dead > 0


def test_training_looks_ahead_from_row_to_row_of_its_curve():
    one = trainer("topk")
    train([Run("topk-k4", one)], batches(), 1.0, log_every=5)
    assert one.horizon == STEPS + 5
    assert one.perhaps_dead >= (one.silent_tokens_F >= OPTIONS.dead_after_tokens).sum() > 0


def test_a_gpu_takes_the_dense_step_and_a_cpu_active_pairs():
    assert Trainer("wta", 4, WIDTH, OPTIONS, STEPS, 0, torch.device("cpu")).select is select_pairs
    assert Trainer("wta", 4, WIDTH, OPTIONS, STEPS, 0, torch.device("meta")).select is select_dense


@pytest.mark.parametrize("variant, gate", VARIANTS_AND_GATES)
def test_products_in_bfloat16_stay_near_those_in_float32(variant, gate, monkeypatch):
    full, full_seen = trained(variant, gate=gate, select=select_dense, dtype=torch.float32)
    monkeypatch.setattr(dense_codes, "product_dtype", lambda _: torch.bfloat16)
    half, half_seen = trained(variant, gate=gate, select=select_dense, dtype=torch.float32)
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


@pytest.mark.parametrize("variant, gate", VARIANTS_AND_GATES)
def test_no_operation_of_a_dense_step_waits(variant, gate):
    one = trainer(variant, gate=gate, select=select_dense)
    first, *others = batches()
    one.step(first)  # sets the decoder's bias by an iteration that ends where it has converged
    with Recording() as recording:
        dead = [one.step(x_BD).dead for x_BD in others]
    assert recording.count > 100 * len(others)
    assert recording.found == []
    assert variant == "wta" or dead[-1] > 0  # the auxiliary loss was among them


@pytest.mark.parametrize("variant, gate", VARIANTS_AND_GATES)
def test_a_dense_step_takes_no_tensor_from_another_device(variant, gate, monkeypatch):
    """On torch's `meta` device, whose tensors have no values: reading one, or mixing devices, raises."""
    one = Trainer(variant, 4, WIDTH, OPTIONS, STEPS, 0, torch.device("meta"), gate=gate)
    monkeypatch.setattr(one.optimiser, "step", lambda: None)  # the fused Adam has no form for this device
    one.steps = 1
    for _ in range(STEPS - 1):
        statistics = one.step(torch.empty(BATCH, WIDTH, device="meta"))
    assert all(value.is_meta and value.shape == () for value in statistics)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("variant, gate", VARIANTS_AND_GATES)
def test_a_gpu_never_waits_and_agrees_with_the_cpu_to_bfloat16(variant, gate, repeatable):
    gpu = Trainer(variant, 4, WIDTH, OPTIONS, STEPS, 0, torch.device("cuda"), gate=gate)
    cpu = trainer(variant, gate=gate)
    ours, theirs = [], []
    for x_BD in batches():
        theirs.append(cpu.step(x_BD).loss.item())
        x_BD = x_BD.to("cuda")
        torch.cuda.set_sync_debug_mode("error" if gpu.steps else "default")
        try:
            statistics = gpu.step(x_BD)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        ours.append(statistics.loss.item())
    assert ours == pytest.approx(theirs, rel=0.02)
