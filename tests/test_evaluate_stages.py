"""The `evaluate` stages on the golden model: what is evaluated together equals what is evaluated alone."""

import numpy as np
import pytest
import torch

import metrics_golden as golden
from wta_sae.__main__ import main
from wta_sae.language_model.model import LanguageModel
from wta_sae.machine.files import read_json, write_json
from wta_sae.sae.directory import save_sae
from wta_sae.sae.sae import SAE

RULES = ("described", "released", "per_latent")


@pytest.fixture
def sae_with_three_rules(tmp_path):
    """A directory as WTA's; its texts and tokens lie beside it."""
    weights = golden.saes()["batchtopk"]
    sae = SAE(
        weights.W_enc_DF, weights.b_enc_F, weights.W_dec_FD, weights.b_dec_D, "described", threshold=weights.threshold.mean()
    )
    thresholds = {"described": sae.threshold, "per_latent": weights.threshold * torch.linspace(0.5, 1.5, 512)}
    save_sae(tmp_path / "sae", sae, thresholds, {"rates": [0.1]})
    texts = {split: {name: found[:20] for name, found in golden.texts()[split].items()} for split in ("train", "test")}
    write_json(tmp_path / "texts.json", texts)
    np.save(tmp_path / "tokens.npy", golden.tokens()[:32].numpy())
    return tmp_path / "sae"


def evaluate(stage, sae, *arguments, rules=RULES):
    command = ["evaluate", stage, "--lm", str(golden.FOLDER / "lm"), "--layer", "2", "--sae", str(sae)]
    assert main([*command, "--inference", *rules, *map(str, arguments)]) == 0


def test_classes_are_probing_and_tpp_in_one(sae_with_three_rules):
    folder = sae_with_three_rules.parent
    texts = ["--texts", folder / "texts.json", "--context-length", "32", "--batch-texts", "15"]
    n_values = ["--perturbed-latents", "2", "20"]
    outputs = ["--probing-out", folder / "probing.json", "--tpp-out", folder / "tpp.json"]
    evaluate("classes", sae_with_three_rules, *texts, "--tpp-texts", folder / "texts.json", *n_values, *outputs)
    evaluate("probing", sae_with_three_rules, *texts, "--out", folder / "alone.json")
    assert read_json(folder / "probing.json") == read_json(folder / "alone.json")
    evaluate("tpp", sae_with_three_rules, *texts, *n_values, "--out", folder / "alone.json")
    assert read_json(folder / "tpp.json") == read_json(folder / "alone.json")


@pytest.mark.parametrize("stage", ["core", "subspace", "probing", "tpp"])
def test_a_rule_does_not_depend_on_the_others(sae_with_three_rules, stage):
    folder = sae_with_three_rules.parent
    if stage in ("core", "subspace"):
        inputs = ["--token-file", folder / "tokens.npy", "--batch-contexts", "16"]
    else:
        inputs = ["--texts", folder / "texts.json", "--context-length", "32"]
    evaluate(stage, sae_with_three_rules, *inputs, "--out", folder / "all.json")
    together = {record["inference"]: record for record in read_json(folder / "all.json")}
    assert list(together) == list(RULES)
    for rule in RULES:
        evaluate(stage, sae_with_three_rules, *inputs, "--out", folder / "alone.json", rules=[rule])
        assert read_json(folder / "alone.json") == together[rule]


def test_the_language_model_runs_once_for_all_rules(sae_with_three_rules, monkeypatch):
    folder = sae_with_three_rules.parent
    calls = {"residual": 0, "logits_from": 0, "pre_activations": 0}

    def count(owner, name):
        original = getattr(owner, name)

        def counted(*arguments):
            calls[name] += 1
            return original(*arguments)

        monkeypatch.setattr(owner, name, counted)

    for owner, name in ((LanguageModel, "residual"), (LanguageModel, "logits_from"), (SAE, "pre_activations")):
        count(owner, name)
    inputs = ["--token-file", folder / "tokens.npy", "--batch-contexts", "8"]
    evaluate("core", sae_with_three_rules, *inputs, "--out", folder / "core.json")
    batches = 4  # each in one piece: 8 * 128 * 2000 logits
    assert calls == {"residual": batches, "logits_from": 1 + batches * (1 + len(RULES)), "pre_activations": batches}
