from dataclasses import replace
from pathlib import Path

import pytest
import torch

import metrics_golden as golden
from wta_sae.activations.text_caching import tokenize_texts
from wta_sae.base.errors import UserError
from wta_sae.metrics.ablation import ablated_logits, top_latents
from wta_sae.metrics.pooling import Pooled
from wta_sae.metrics.probes import Probe
from wta_sae.metrics.scr import SETS, scr_metrics, set_effects, train_set_probes
from wta_sae.metrics.tpp import ClassProbes, class_accuracies, class_effects, tpp_metrics, train_class_probes
from wta_sae.text.labelled_groups import QUADRANTS, set_groups

N_VALUES = (2, 5, 10, 20, 50)
# At SAEBench's seed the draws are its own, so only rounding can turn a decision: five of the 1000 texts that a mean is over.
FIVE_TEXTS = 0.005
SAEBENCH_SETS = {
    "attribute": "male / female",
    "concept": "professor / nurse",
    "biased": "male_professor / female_nurse",
}


def golden_probe(name: str, key: str) -> Probe:
    stages = golden.stages(name)
    return Probe(stages[f"{key}/weight"][0], stages[f"{key}/bias"][0])


def golden_set_probes(name: str) -> dict[str, Probe]:
    return {ours: golden_probe(name, f"scr/probe/{theirs}") for ours, theirs in SAEBENCH_SETS.items()}


@pytest.mark.parametrize("name", golden.NAMES)
def test_tpp_probes_and_effects_agree_with_saebench(name):
    train, test = golden.pooled_classes()
    found = train_class_probes(train, test, seed=42)
    for group, probe in found.probes.items():
        expected = golden_probe(name, f"tpp/probe/{group}")
        torch.testing.assert_close((probe.weight_D, probe.bias), (expected.weight_D, expected.bias), rtol=1e-4, atol=1e-5)
    probes = {group: golden_probe(name, f"tpp/probe/{group}") for group in found.probes}
    generator = torch.Generator()
    generator.set_state(found.generator_state)  # after the draws for the accuracies, which SAEBench makes in between
    effects = class_effects(train, name, probes, golden.saes()[name].W_dec_FD, generator)
    for group, effects_F in effects.items():
        torch.testing.assert_close(effects_F, golden.stages(name)[f"tpp/effect/{group}"], rtol=1e-5, atol=1e-5)


def test_tpp_agrees_with_saebench():
    pooled = golden.pooled_classes()
    found = tpp_metrics(golden.saes(), *pooled, train_class_probes(*pooled, seed=42), N_VALUES)
    for name in golden.NAMES:
        expected = golden.reference(name)["tpp"]["averages"]
        assert len(expected) == 15
        assert {key: found[name].metrics[key] for key in expected} == pytest.approx(expected, abs=FIVE_TEXTS)


@pytest.mark.parametrize("name", golden.NAMES)
def test_scr_effects_agree_with_saebench(name):
    train, _ = golden.pooled_sets()
    for ours, probe in golden_set_probes(name).items():
        found = set_effects(train, name, ours, probe, golden.saes()[name].W_dec_FD)
        expected = golden.stages(name)[f"scr/effect/{SAEBENCH_SETS[ours]}"]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", golden.NAMES)
def test_scr_is_saebenchs_given_its_probes(name):
    found = scr_metrics({name: golden.saes()[name]}, *golden.pooled_sets(), golden_set_probes(name), N_VALUES)[name].metrics
    expected = golden.reference(name)["scr"]["averages"]
    assert len(expected) == 15
    # Exact: 1e-5 is the reference's own float32, a single text would be 0.02.
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-5)
    assert {key for key in found if not key.endswith("_masked")} == set(expected)


def test_scr_probes_agree_with_saebench():
    probes = train_set_probes(*golden.pooled_sets(), seed=42)
    for ours, expected in golden_set_probes("topk").items():
        torch.testing.assert_close(
            (probes[ours].weight_D, probes[ours].bias), (expected.weight_D, expected.bias), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("ending", "masked"), [("", False), ("_masked", True)])
@pytest.mark.parametrize("inference", ["topk", "threshold", "released"])
def test_ablation_of_pooled_codes_is_ablation_of_every_position(ending, masked, inference):
    lm, sae = golden.language_model(), replace(golden.saes()["topk"], inference=inference, rate=0.1)
    texts = [text[: 10 + 5 * i] for i, text in enumerate(golden.texts()["test"]["1"][:20])]
    latents = torch.tensor([3, 77, 200, 410])
    generator = torch.Generator().manual_seed(0)
    probes = [Probe(torch.randn(64, generator=generator), torch.randn((), generator=generator)) for _ in range(2)]
    # As SAEBench does it: x' = decode(codes without the latents) + error, at every position.
    tokens = tokenize_texts(lm, texts)
    valid = lm.valid(tokens)[..., None]
    x = lm.residual(tokens) * valid
    acts = sae.encode(x) * valid if masked else sae.encode(x)
    error = x - sae.decode(acts)
    latents = torch.cat([latents, acts[0, -1].topk(2).indices, acts[0, 5].topk(4).indices])
    without = acts.clone()
    without[..., latents] = 0
    pooled_x = (sae.decode(without) + error).sum(1) / valid.sum(1)
    expected = torch.stack([probe.logits(pooled_x) for probe in probes], 1)

    (pooled,) = golden.pooled({"all": {"all": texts}}, {"sae": sae})
    found = ablated_logits(pooled, "sae", ending, latents.unique(), probes, sae.W_dec_FD)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    clean = torch.stack([probe.logits(pooled.residual_ND) for probe in probes], 1)
    assert (found - clean).abs().max() > 0.1
    nothing = ablated_logits(pooled, "sae", ending, latents[:0], probes, sae.W_dec_FD)
    torch.testing.assert_close(nothing, clean)


def test_top_latents_are_those_with_an_effect():
    effects = torch.tensor([0.0, 3.0, 0.0, 1.0, 2.0])
    assert top_latents(effects, 2).tolist() == [1, 4]
    assert sorted(top_latents(effects, 500).tolist()) == [1, 3, 4]
    assert top_latents(torch.zeros(5), 2).tolist() == []


def test_scr_groups_hold_what_they_should():
    quadrants = {name: [f"{name} {i}" for i in range(n)] for name, n in zip(QUADRANTS, (6, 4, 3, 9), strict=True)}
    groups, again, other = (
        set_groups(Path("q.json"), {"train": quadrants, "test": quadrants}, seed)["train"] for seed in (42, 42, 43)
    )
    assert {group: len(texts) for group, texts in groups.items()} == dict.fromkeys(groups, 6)  # s = 3, of neg_pos and pos_pos
    assert sorted(groups["attribute positive"]) == [f"{q} {i}" for q in ("pos_neg", "pos_pos") for i in range(3)]
    assert sorted(groups["attribute negative"]) == [f"{q} {i}" for q in ("neg_neg", "neg_pos") for i in range(3)]
    assert sorted(groups["concept positive"]) == [f"{q} {i}" for q in ("neg_pos", "pos_pos") for i in range(3)]
    assert sorted(groups["concept negative"]) == [f"{q} {i}" for q in ("neg_neg", "pos_neg") for i in range(3)]
    assert sorted(groups["biased positive"]) == [f"pos_pos {i}" for i in range(6)]
    assert sorted(groups["biased negative"]) == [f"neg_neg {i}" for i in range(6)]
    assert groups == again != other


def sets_in_the_plane(followed: str) -> tuple[Pooled, dict[str, Probe]]:
    """Texts at (attribute, concept) = (+-1, +-1), with an SAE of one latent for each positive direction.

    The biased probe reads the attribute mostly, the concept mostly, or both alike.
    """
    corners = {
        "attribute positive": [[1.0, 1], [1, -1]],
        "attribute negative": [[-1, 1], [-1, -1]],
        "concept positive": [[1, 1], [-1, 1]],
        "concept negative": [[1, -1], [-1, -1]],
        "biased positive": [[1, 1], [1, 1]],
        "biased negative": [[-1, -1], [-1, -1]],
    }
    residual = torch.tensor([corner for group in corners.values() for corner in group])
    codes = {"sae": torch.cat([residual, -residual], 1).relu()}
    weight = {"attribute": [3.0, 1.0], "concept": [1.0, 3.0], "neither": [2.0, 2.0]}[followed]
    bias = torch.tensor(0.0)
    probes = {
        "attribute": Probe(torch.tensor([1.0, 0.0]), bias),
        "concept": Probe(torch.tensor([0.0, 1.0]), bias),
        "biased": Probe(torch.tensor(weight), bias),
    }
    return Pooled(dict.fromkeys(corners, 2), residual, codes, codes), probes


@pytest.mark.parametrize(("followed", "direction"), [("attribute", 1), ("concept", 2), ("neither", None)])
def test_scr_by_hand(followed, direction):
    pooled, probes = sets_in_the_plane(followed)
    found = scr_metrics({"sae": golden.identity_sae(2)}, pooled, pooled, probes, (1, 2))["sae"].metrics
    if direction is None:
        # On either set the biased probe is right on the two agreeing corners; at 0 it says no, so on one of the others too.
        assert not any("metric" in name for name in found)
        return
    # It follows one direction alone: right on half of the other's set. Both latents of that direction gone, it is all right.
    other = 3 - direction
    for ending in ("", "_masked"):
        assert found[f"scr_dir{direction}_threshold_2{ending}"] == 1
        assert found[f"scr_metric_threshold_2{ending}"] == 1
        assert found[f"scr_dir{other}_threshold_2{ending}"] == 0  # no gap to close
        # One latent of the two gone: the positive corners fall to the other direction, which is one more of the four.
        assert found[f"scr_metric_threshold_1{ending}"] == pytest.approx(0.5)


def classes_on_axes(count: int, leak: float = 0.0) -> tuple[Pooled, ClassProbes]:
    """Twenty texts a class at its own unit vector, an SAE with a latent for each, and probes that split them half way.

    leak: what the first latent's code gains at masked positions.
    """
    residual = torch.eye(count).repeat_interleave(20, 0)
    leaks = leak * torch.eye(count)[0]
    names = "abcdef"[:count]
    probes = {name: Probe(2 * torch.eye(count)[i], torch.tensor(-1.0)) for i, name in enumerate(names)}
    pooled = Pooled({name: 20 for name in names}, residual, {"sae": residual}, {"sae": residual + leaks})
    generator = torch.Generator().manual_seed(0)
    logits_NC = torch.stack([probe.logits(residual) for probe in probes.values()], 1)
    return pooled, ClassProbes(probes, class_accuracies(logits_NC, pooled, generator), generator.get_state())


def test_tpp_by_hand():
    pooled, probes = classes_on_axes(3)
    sae = replace(golden.identity_sae(3), W_dec_FD=torch.eye(3))
    found = tpp_metrics({"sae": sae}, pooled, pooled, probes, (1,))["sae"].metrics
    # A class's texts fall to the origin, where its own probe says no (half its task), and the others say no, rightly.
    expected = {"total_metric": 0.5, "intended_diff_only": 0.5, "unintended_diff_only": 0}
    assert found == {f"tpp_threshold_1_{name}{end}": value for name, value in expected.items() for end in ("", "_masked")}


def test_the_leak_is_in_saebenchs_names_only():
    pooled, probes = classes_on_axes(2, leak=5.0)
    sae = replace(golden.identity_sae(2), W_dec_FD=torch.tensor([[1.0, 0.2], [0.0, 1.0]]))
    found = tpp_metrics({"sae": sae}, pooled, pooled, probes, (1,))["sae"].metrics
    # Taking a's latent out moves b's texts only through the leak, by 5 (1, 0.2), and there b's probe no longer knows them.
    assert found["tpp_threshold_1_unintended_diff_only_masked"] == 0
    assert found["tpp_threshold_1_unintended_diff_only"] == 0.25  # half of b's task, and nothing for the other class
    assert found["tpp_threshold_1_intended_diff_only"] == found["tpp_threshold_1_intended_diff_only_masked"] == 0.5


def test_the_order_of_the_latents_does_not_matter():
    order = torch.randperm(512, generator=torch.Generator().manual_seed(1))
    sae = golden.saes()["topk"]
    saes = {"plain": sae, "permuted": golden.permuted(sae, order)}

    def with_both(pooled: Pooled) -> Pooled:
        codes, leaky = pooled.codes["topk"], pooled.leaky_codes["topk"]
        return replace(
            pooled,
            codes={"plain": codes, "permuted": codes[:, order]},
            leaky_codes={"plain": leaky, "permuted": leaky[:, order]},
        )

    train, test = map(with_both, golden.pooled_classes())
    found = tpp_metrics(saes, train, test, train_class_probes(train, test), (5, 20))
    assert found["permuted"].metrics == pytest.approx(found["plain"].metrics)
    train, test = map(with_both, golden.pooled_sets())
    found = scr_metrics(saes, train, test, golden_set_probes("topk"), (5, 20))
    assert found["permuted"].metrics == pytest.approx(found["plain"].metrics)


def test_perturbation_from_end_to_end():
    saes = golden.saes()
    texts = {split: {name: found[:20] for name, found in golden.texts()[split].items()} for split in ("train", "test")}
    pooled = golden.pooled(texts, saes, context_length=32)
    found = tpp_metrics(saes, *pooled, train_class_probes(*pooled), (2,))
    assert set(found) == set(golden.NAMES)
    assert len(found["topk"].metrics) == 6
    quadrants = {split: {name: found[:20] for name, found in golden.quadrants()[split].items()} for split in ("train", "test")}
    train, test = golden.pooled(set_groups(Path("golden"), quadrants, 42), saes, context_length=32)
    found = scr_metrics(saes, train, test, train_set_probes(train, test, seed=42), (2,))
    assert {"scr_dir1_threshold_2", "scr_dir2_threshold_2_masked"} <= set(found["batchtopk"].metrics)


@pytest.mark.parametrize(
    ("quadrants", "message"),
    [
        ({"pos_pos": ["x"]}, "quadrants.json: train lacks pos_neg, neg_pos, neg_neg; it wants pos_pos, "),
        ({name: ["x"] for name in QUADRANTS}, "quadrants.json: train has too few texts"),
    ],
)
def test_bad_quadrants_are_refused(quadrants, message):
    with pytest.raises(UserError, match=message):
        set_groups(Path("quadrants.json"), {"train": quadrants}, 42)


def test_sets_name_the_groups():
    quadrants = {name: ["a", "b"] for name in QUADRANTS}
    groups = set_groups(Path("quadrants.json"), {"train": quadrants, "test": quadrants}, 0)["train"]
    assert [group for pair in SETS.values() for group in pair] == list(groups)
