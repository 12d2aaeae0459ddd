import pytest

from wta_sae import selection
from wta_sae.errors import UserError
from wta_sae.variants import VARIANTS, l0_budget, variant_named, winners_per_latent


def test_budgets():
    assert l0_budget("batch_topk", 64, 8192, 8192) == 64
    assert l0_budget("wta", 81, 8192, 8192) == 81
    assert l0_budget("wta", 16, 2048, 4096) == 8


def test_winners_are_rounded_down_and_at_least_one():
    winners = {1e-6: 1, 1e-4: 1, 5e-4: 4, 1e-3: 8, 5e-3: 40, 1e-2: 81, 5e-2: 409}
    assert {rate: winners_per_latent(rate, 8192) for rate in winners} == winners


def test_an_unknown_variant_is_refused():
    with pytest.raises(UserError, match="saes: unknown variant 'top'; use one of: topk, batch_topk, wta"):
        variant_named("top")


def test_every_variant_names_a_selection_rule():
    assert all(callable(getattr(selection, variant.selection)) for variant in VARIANTS.values())
