"""SAELens loads what we write and we load what it writes: both encode and decode alike, SAELens in its own environment."""

import subprocess

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

import metrics_golden
from test_command_line import train_sae
from workflow import ROOT
from wta_sae.activations.cache import ActivationCache
from wta_sae.activations.caching import cache_activations
from wta_sae.base.errors import UserError
from wta_sae.machine.tensor_files import read_tensors
from wta_sae.plan.sae_files import CURVE_FILE, THRESHOLDS_FILE
from wta_sae.sae.load import load_sae
from wta_sae.sae.sae import SAE
from wta_sae.sae.saelens_config import read_metadata
from wta_sae.sae.save import save_sae
from wta_sae.variants.registry import VARIANTS

pytestmark = pytest.mark.slow

WIDTH, LATENTS = 64, 256
CURVE = pd.DataFrame([{"step": 1}])
THEIRS = [
    *("standard", "standard-uncentred", "standard-bfloat16", "standard-float16", "trained-standard"),
    *("jumprelu", "jumprelu-uncentred", "jumprelu-bfloat16", "jumprelu-float16", "trained-jumprelu", "trained-batchtopk"),
    *("topk", "topk-uncentred", "topk-bfloat16", "topk-float16", "topk-rescaled", "topk-rescaled-uncentred", "trained-topk"),
]
REFUSED = {
    "gated": "architecture 'gated' is unknown; use one of: topk, jumprelu, standard",
    "hook_z": "reshape_activations is 'hook_z'; only 'none' can be read",
} | {
    name: f"normalize_activations is '{name}'; only 'none' can be read"
    for name in ("layer_norm", "expected_average_only_in", "constant_norm_rescale", "covariance_whitening")
}


def integers(low, high, *shape, seed=0):
    """Small ones, so that float32 is exact and ties are ties in whatever order a product is summed."""
    return torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(seed)).float()


X_TIES_SLD = integers(-2, 2, 4, 32, WIDTH)
TIES = slice(4, None)  # where they lie in x, after as many sequences of real activations


def sae_with_ties(inference):
    thresholds = {"threshold": torch.tensor(6.0), "per_latent": integers(1, 12, LATENTS, seed=4)}
    return SAE(
        W_enc_DF=integers(-1, 1, WIDTH, LATENTS, seed=1),
        b_enc_F=integers(-8, 2, LATENTS, seed=2),
        W_dec_FD=integers(-2, 2, LATENTS, WIDTH, seed=3),
        b_dec_D=integers(-2, 2, WIDTH, seed=5),
        inference=inference,
        k=8 if inference == "topk" else None,
        threshold=thresholds.get(inference),
    )


def expressible_rules(directory):
    """The rules of an SAE of ours that SAELens' format has a form for: every one but `released`."""
    return sorted({load_sae(directory).inference, *read_tensors(directory / THRESHOLDS_FILE)[0]})


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """The folder of SAEs, ours and theirs, each with what SAELens makes of the activations x."""
    folder = tmp_path_factory.mktemp("exchange")
    lm, tokens_CL = metrics_golden.language_model(), metrics_golden.tokens()[:16]
    activations = folder / "activations"
    cache_activations(activations, lm, tokens_CL, {"sha256": "digest"}, 1024, torch.float32, 512, 4, seed=0)
    for name, variant in VARIANTS.items():
        budget = ["--k", "4"] if variant.budget == "k" else ["--k", "2", "--rates", "0.0625"]
        assert train_sae(activations, name, "--variant", name, *budget) == 0
        trained = folder / "sae" / name
        for rule in expressible_rules(trained):
            curve = pd.read_csv(trained / CURVE_FILE)
            save_sae(folder / "ours" / f"{name}-{rule}", load_sae(trained, rule), {}, read_metadata(trained), curve)
        trained.rename(folder / "ours" / name)
    for inference in ("topk", "threshold", "per_latent", "relu"):
        save_sae(folder / "ours" / f"ties-{inference}", sae_with_ties(inference), {}, {}, CURVE)
    real_SLD = next(ActivationCache(activations).batches(128, seed=0, epochs=1)).view(4, 32, WIDTH)
    save_file({"x": torch.cat([real_SLD, X_TIES_SLD])}, folder / "x.safetensors")
    command = [ROOT / "benchmarks/peers", "python", ROOT / "tests/saelens_peer.py", folder]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return folder


def both_sides(directory, sae):
    """The activations, what SAELens made of them with the SAE in the directory, and the codes of `sae`."""
    x_SLD = load_file(directory.parents[1] / "x.safetensors")["x"]
    return x_SLD, load_file(directory / "saelens.safetensors"), sae.encode(x_SLD)


def assert_alike(directory, sae):
    """Codes and reconstructions are equal to 1e-5, and the codes neither nothing nor everything."""
    _, theirs, acts_SLF = both_sides(directory, sae)
    assert 0 < (acts_SLF > 0).float().mean() < 0.9
    torch.testing.assert_close(theirs["acts"], acts_SLF, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(theirs["reconstruction"], sae.decode(acts_SLF), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_saelens_reads_what_the_workflow_writes(exchange, variant):
    directory = exchange / "ours" / variant
    assert VARIANTS[variant].readouts[0].inference == load_sae(directory).inference
    assert_alike(directory, load_sae(directory))


@pytest.mark.parametrize("variant", VARIANTS)
def test_saelens_reads_every_rule_that_its_format_can_express(exchange, variant):
    directory = exchange / "ours" / variant
    rules = expressible_rules(directory)
    assert {readout.inference for readout in VARIANTS[variant].readouts} - {"released"} <= set(rules)
    for rule in rules:
        assert_alike(exchange / "ours" / f"{variant}-{rule}", load_sae(directory, rule))


@pytest.mark.parametrize("inference", ["threshold", "per_latent", "relu"])
def test_activations_at_the_threshold_stay_silent_on_both_sides(exchange, inference):
    sae = sae_with_ties(inference)
    if inference != "relu":
        assert (sae.pre_activations(X_TIES_SLD) == sae.threshold).any()
    assert_alike(exchange / "ours" / f"ties-{inference}", sae)


def test_a_tie_at_the_cut_of_topk_goes_to_as_many_latents_of_the_same_value(exchange):
    """Which of the equals win is left to torch.topk on both sides, and SAELens calls it before the ReLU."""
    sae = sae_with_ties("topk")
    x_SLD, theirs, acts_SLF = both_sides(exchange / "ours" / "ties-topk", sae)
    assert torch.equal(theirs["acts"][TIES].sort().values, acts_SLF[TIES].sort().values)
    values_SLK = sae.pre_activations(x_SLD).topk(sae.k + 1).values
    tied_SL = (values_SLK[..., -1] == values_SLK[..., -2]) & (values_SLK[..., -1] > 0)
    assert 0.1 < tied_SL[TIES].float().mean() < 0.9
    torch.testing.assert_close(theirs["acts"][~tied_SL], acts_SLF[~tied_SL], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(theirs["reconstruction"], sae.decode(theirs["acts"]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", THEIRS)
def test_we_read_what_saelens_writes(exchange, name):
    directory = exchange / "theirs" / name
    assert_alike(directory, load_sae(directory))


@pytest.mark.parametrize("name", REFUSED)
def test_what_we_cannot_read_is_refused_in_one_line(exchange, name):
    directory = exchange / "refused" / name
    with pytest.raises(UserError) as refusal:
        load_sae(directory)
    assert str(refusal.value) == f"{directory}/cfg.json: {REFUSED[name]}"


def test_no_sae_of_theirs_is_left_out(exchange):
    assert {path.name for path in (exchange / "theirs").iterdir()} == set(THEIRS)
    assert {path.name for path in (exchange / "refused").iterdir()} == set(REFUSED)
