"""SAEs with so many latents that some die."""

from dataclasses import replace

import pytest
import yaml

from workflow import ROOT
from wta_sae.base.errors import UserError
from wta_sae.plan.ablations import LARGE, LARGE_WITHOUT_AUXILIARY
from wta_sae.plan.config import check_config
from wta_sae.plan.run_plan import run_plan
from wta_sae.plan.saes import requested_saes, trained_together

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
ASKED = {
    "latents": 99,
    "seeds": [42, 43],
    "variants": {"topk": {}, "hybrid_token": {"patience": 3}},
    "without_auxiliary": ["topk"],
}


def large_saes(changes=None, **own):
    config = CONFIG | {"large_dictionary": ASKED | own} | (changes or {})
    return {spec.name: spec for spec in requested_saes(config) if spec.ablation in (LARGE, LARGE_WITHOUT_AUXILIARY)}


def test_each_variant_with_it_and_those_named_without_the_auxiliary_loss():
    found = large_saes()
    kinds = ("topk-k16-large", "topk-k16-large_without_auxiliary", "hybrid_token-k16-large")
    names = [f"{kind}{seed}" for kind in kinds for seed in ("", "-seed43")]
    assert list(found) == names
    assert found["topk-k16-large"].training == (("latents", 99),)
    without = found["topk-k16-large_without_auxiliary"]
    assert dict(without.training) == {"latents": 99, "auxiliary_coefficient": 0.0}
    ordinary = {"name": "", "ablation": None, "training": ()}
    assert replace(without, **ordinary) == replace(found["topk-k16-large"], **ordinary)
    assert found["hybrid_token-k16-large"].options.patience == 3
    assert [found[name].seed for name in names] == [42, 43] * 3


def test_a_run_without_a_variant_or_without_any_has_none():
    assert not any(name.startswith("hybrid") for name in large_saes({"saes": CONFIG["saes"] | {"hybrid_token": None}}))
    assert not [spec for spec in requested_saes(CONFIG | {"large_dictionary": None}) if "large" in spec.name]


def test_no_table_of_the_papers_and_no_figure_has_them():
    plan = run_plan(CONFIG | {"large_dictionary": ASKED})
    large = set(large_saes())
    assert large <= set(plan.saes) and large <= set(plan.collections["metrics"])
    for name, collected in plan.collections.items():
        assert name == "metrics" or not large & set(collected), name
    assert {plan.evaluations(sae)[0] for sae in large} == {"tokens"} and not large & set(plan.matched)
    assert plan.token_families("topk-k16-large") == ["core", "geometry"]


def test_only_saes_of_one_size_are_trained_together():
    config = CONFIG | {"large_dictionary": ASKED, "training": CONFIG["training"] | {"saes_together": 99}}
    for group in trained_together(requested_saes(config), config):
        assert len({spec.training for spec in group}) == 1


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ({"latents": 8}, "large_dictionary.latents: 8 is less than paper.table1_k, 16"),
        ({"without_auxiliary": ["batch_topk"]}, "'batch_topk' is not among large_dictionary.variants"),
    ],
)
def test_what_cannot_be_trained_is_refused(own, line):
    with pytest.raises(UserError, match=line):
        large_saes(**own)


@pytest.mark.parametrize(
    ("variants", "line"),
    [
        ({"wta": {}}, r"large_dictionary.variants: unknown key 'wta'; the keys are: batch_topk, topk, "),
        ({"mine": {}}, "large_dictionary.variants: unknown key 'mine'"),
        ({"topk": {"floor": 3}}, "large_dictionary.variants.topk: unknown key 'floor'"),
        ({"hybrid_token": {"patience": -1}}, "large_dictionary.variants.hybrid_token.patience: -1 is less than"),
        ({}, "large_dictionary.variants: "),
    ],
)
def test_a_config_asks_for_variants_with_a_k_and_their_own_options(variants, line):
    asked = CONFIG | {"large_dictionary": ASKED | {"variants": variants}}
    with pytest.raises(UserError, match=line):
        check_config(asked, ROOT / "workflow/schemas/config.schema.yaml")
