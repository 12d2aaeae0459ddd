"""The `evaluate` stages on the golden model: what is evaluated together equals what is evaluated alone."""

import numpy as np
import pytest
import torch

import metrics_golden as golden
from wta_sae.__main__ import main
from wta_sae.activations.text_cache import TextCache
from wta_sae.activations.text_caching import ComputedTexts, cache_texts
from wta_sae.language_model.model import LanguageModel
from wta_sae.machine.files import read_json, write_json
from wta_sae.metrics.pooling import pool_texts
from wta_sae.metrics.probe_files import read_probes
from wta_sae.metrics.probing import probing_baseline
from wta_sae.metrics.tpp import train_class_probes
from wta_sae.sae.load import load_sae
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae

RULES = ("described", "released", "per_latent")


@pytest.fixture(scope="module")
def sae_with_three_rules(tmp_path_factory):
    """A directory as WTA's; its texts and tokens lie beside it."""
    folder, weights = tmp_path_factory.mktemp("evaluated"), golden.saes()["batchtopk"]
    sae = SAE(
        weights.W_enc_DF, weights.b_enc_F, weights.W_dec_FD, weights.b_dec_D, "described", threshold=weights.threshold.mean()
    )
    thresholds = {"described": sae.threshold, "per_latent": weights.threshold * torch.linspace(0.5, 1.5, 512)}
    save_sae(folder / "sae", sae, thresholds, {"rates": [0.1]})
    texts = {split: {name: found[:20] for name, found in golden.texts()[split].items()} for split in ("train", "test")}
    write_json(folder / "texts.json", texts)
    np.save(folder / "tokens.npy", golden.tokens()[:32].numpy())
    return folder / "sae"


def run(*words):
    assert main([str(word) for word in words]) == 0


def evaluate(kind, sae, *arguments, rules=RULES):
    inputs = TOKENS if kind == "tokens" else []
    run("evaluate", kind, *inputs, "--sae", sae, "--inference", *rules, *arguments)


TOKENS = ["--lm", golden.FOLDER / "lm", "--layer", 2]


@pytest.fixture(scope="module")
def of_texts(sae_with_three_rules):
    """What `evaluate texts` reads of the texts beside the SAE, as classes and as quadrants."""
    folder, found = sae_with_three_rules.parent, {"--residual-folders": [], "--probe-files": []}
    write_json(folder / "quadrants.json", golden.quadrants())
    for kind, file, families in (("classes", "texts", ("probing", "tpp")), ("quadrants", "quadrants", ("scr",))):
        residuals, probes = folder / f"residuals-{kind}", folder / f"probes-{kind}.safetensors"
        texts = ["--kind", kind, "--texts", folder / f"{file}.json", "--context-length", 32, "--batch-texts", 15]
        run("cache-texts", *TOKENS, *texts, "--out", residuals)
        run("train-probes", "--residuals", residuals, "--families", *families, "--out", probes)
        found["--residual-folders"].append(residuals)
        found["--probe-files"].append(probes)
    return [word for flag, paths in found.items() for word in (flag, *paths)]


@pytest.mark.parametrize("kind", ["tokens", "texts"])
def test_a_rule_does_not_depend_on_the_others(sae_with_three_rules, of_texts, kind):
    folder = sae_with_three_rules.parent
    tokens = ["--token-file", folder / "tokens.npy", "--batch-contexts", 16, "--families", "core", "subspace"]
    inputs = {"tokens": tokens, "texts": [*of_texts, "--perturbed-latents", 2, 20]}[kind]
    evaluate(kind, sae_with_three_rules, *inputs, "--out", folder / "all.json")
    together = {record["inference"]: record for record in read_json(folder / "all.json")}
    assert list(together) == list(RULES)
    families = ("l0", "subspace_cosine") if kind == "tokens" else ("sae_test_accuracy", "tpp_threshold_2_total_metric")
    assert set(families) <= set(together["described"])
    assert ("scr_dir1_threshold_2" in together["described"]) == (kind == "texts")
    for rule in RULES:
        evaluate(kind, sae_with_three_rules, *inputs, "--out", folder / "alone.json", rules=[rule])
        assert read_json(folder / "alone.json") == together[rule]


def test_cached_texts_give_what_texts_computed_on_the_way_give(of_texts, sae_with_three_rules):
    texts = read_json(sae_with_three_rules.parent / "texts.json")
    pooled = golden.pooled(texts, {"sae": load_sae(sae_with_three_rules)}, context_length=32)
    cache = TextCache(of_texts[1], torch.device("cpu"))
    saes = {"sae": load_sae(sae_with_three_rules)}
    for split, expected in zip(("train", "test"), pooled, strict=True):
        found = pool_texts(cache, saes, cache.description.groups[split])
        assert found.sizes == expected.sizes
        torch.testing.assert_close(found.residual_ND, expected.residual_ND, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found.codes["sae"], expected.codes["sae"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found.leaky_codes["sae"], expected.leaky_codes["sae"], rtol=1e-5, atol=1e-5)


def test_texts_lie_in_shards_and_are_found_in_any_order(tmp_path):
    texts = list(dict.fromkeys(golden.texts()["train"]["0"]))[:10]
    for size in (3, 100):
        cache_texts(tmp_path / f"{size}", golden.language_model(), texts, {}, 16, batch_texts=2, shard_texts=size)
    assert len(list((tmp_path / "3").glob("shard-*"))) == 4
    shards, one = (TextCache(tmp_path / name, torch.device("cpu")) for name in ("3", "100"))
    order = [9, 0, 5, 5, 2]
    for found, expected in zip(shards.of(order), one.of(order), strict=True):
        assert torch.equal(found, expected)
    computed, valid = ComputedTexts(golden.language_model(), texts, 16).of(order)
    torch.testing.assert_close(one.of(order)[0], computed, rtol=1e-5, atol=1e-5)
    assert torch.equal(one.of(order)[1], valid)


def test_probes_come_back_from_their_file(of_texts, sae_with_three_rules):
    texts = golden.pooled(read_json(sae_with_three_rules.parent / "texts.json"), {}, context_length=32)
    found = read_probes(of_texts[4], torch.device("cpu"))
    assert found.probing.metrics == pytest.approx(probing_baseline(*texts).metrics, abs=0.02)
    expected = train_class_probes(*texts)
    assert list(found.tpp.probes) == list(expected.probes)
    assert torch.equal(found.tpp.generator_state, expected.generator_state)
    torch.testing.assert_close(found.tpp.probes["1"].weight_D, expected.probes["1"].weight_D, rtol=1e-3, atol=1e-4)
    assert found.scr is None


def test_probes_of_other_texts_and_texts_of_another_block_are_refused(of_texts, sae_with_three_rules, capsys):
    folder = sae_with_three_rules.parent
    command = ["evaluate", "texts", "--sae", sae_with_three_rules, "--out", folder / "x.json"]

    def refused(*inputs):
        capsys.readouterr()
        assert main([str(word) for word in [*command, *inputs]]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    _, classes, quadrants, _, class_probes, set_probes = of_texts
    line = refused("--residual-folders", classes, "--probe-files", set_probes)
    assert f"{set_probes}: trained on other texts than {classes}; train probes on these anew" in line
    one = ["--residual-folders", classes, quadrants, "--probe-files", class_probes]
    assert "--probe-files: 1 given for 2 --residual-folders" in refused(*one)
    texts = ["--kind", "classes", "--texts", folder / "texts.json", "--context-length", 32]
    run("cache-texts", "--lm", golden.FOLDER / "lm", "--layer", 1, *texts, "--out", folder / "other")
    run("train-probes", "--residuals", folder / "other", "--families", "probing", "--out", folder / "other.safetensors")
    both = ["--residual-folders", classes, folder / "other", "--probe-files", class_probes, folder / "other.safetensors"]
    assert f"{folder / 'other'}: of another model, block or context length than {classes}" in refused(*both)


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
    inputs = ["--token-file", folder / "tokens.npy", "--batch-contexts", "8", "--families", "core"]
    evaluate("tokens", sae_with_three_rules, *inputs, "--out", folder / "core.json")
    batches = 4  # each in one piece: 8 * 128 * 2000 logits
    assert calls == {"residual": batches, "logits_from": 1 + batches * (1 + len(RULES)), "pre_activations": batches}
