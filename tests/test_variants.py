import pytest

from workflow import ROOT
from wta_sae.base.errors import UserError
from wta_sae.plan.winners import winners_per_latent
from wta_sae.variants.loading import rule_of, spec_of
from wta_sae.variants.registry import VARIANTS, variant_named
from wta_sae.variants.variant import Variant


def test_budgets():
    assert VARIANTS["batch_topk"].l0_budget(64, 8192, 8192) == 64
    assert VARIANTS["wta"].l0_budget(81, 8192, 8192) == 81
    assert VARIANTS["wta"].l0_budget(16, 2048, 4096) == 8


def test_winners_are_rounded_down_and_at_least_one():
    winners = {1e-6: 1, 1e-4: 1, 5e-4: 4, 1e-3: 8, 5e-3: 40, 1e-2: 81, 5e-2: 409}
    assert {rate: winners_per_latent(rate, 8192) for rate in winners} == winners


def test_an_unknown_variant_is_refused():
    with pytest.raises(UserError, match="saes: unknown variant 'top'; use one of: topk, batch_topk, wta"):
        variant_named("top")


def test_a_variant_that_has_no_folder_is_refused():
    with pytest.raises(UserError, match="saes: unknown variant 'top'; use one of: batch_topk, topk, wta"):
        spec_of("top")


def test_the_registry_and_the_folders_are_the_same_variants():
    folders = {file.parent.name for file in ROOT.glob("src/wta_sae/variants/*/spec.py")}
    assert folders == set(VARIANTS)
    for name, variant in VARIANTS.items():
        assert spec_of(name) is variant
        assert all(callable(getattr(rule_of(name), form)) for form in ("select", "select_pairs", "select_dense"))


@pytest.mark.parametrize("words", [("rate", "batch minimum"), ("rates", "batch mininum")])
def test_a_misspelt_spec_is_refused(words):
    with pytest.raises(ValueError, match="is none of: "):
        Variant(words[0], ("described",), words[1], auxiliary_loss=True)
