import pytest

from wta_sae import selection
from wta_sae.errors import UserError
from wta_sae.variants import VARIANTS, SAESpec, l0_budget, requested_saes, sae_at_rate

RATES = [1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.0078125, 1e-2, 5e-2]


def test_rates_that_give_the_same_winners_share_one_sae():
    specs = requested_saes({"topk": {"k": 64}, "wta": {"rates": RATES}}, latents=8192, batch_tokens=8192)
    assert [spec.name for spec in specs] == ["topk-k64", *(f"wta-k{k}" for k in (1, 4, 8, 40, 64, 81, 409))]
    assert specs[1] == SAESpec("wta-k1", "wta", 1, (1e-6, 5e-6, 1e-5, 5e-5, 1e-4))
    assert sae_at_rate(specs, 1e-2).name == "wta-k81"
    with pytest.raises(UserError, match=r"paper.table1_rate: 0.02 is not among the rates in saes: 1e-06, .*, 0.05"):
        sae_at_rate(specs, 0.02)


def test_budgets():
    assert l0_budget("batch_topk", 64, 8192, 8192) == 64
    assert l0_budget("wta", 81, 8192, 8192) == 81
    assert l0_budget("wta", 16, 2048, 4096) == 8


@pytest.mark.parametrize(
    "saes, message",
    [
        ({"top": {"k": 4}}, r"saes: unknown variant 'top'; use one of: topk, batch_topk, wta"),
        ({"topk": {"k": 101}}, r"saes.topk.k: 101 is not between 1 and training.latents \(100\)"),
        ({"topk": {"k": 0}}, r"saes.topk.k: 0 is not between"),
        ({"wta": {"rates": [0.1, 1.5]}}, r"saes.wta.rates: 1.5 is not in \(0, 1\]"),
        ({"wta": {"rates": [0.0]}}, r"saes.wta.rates: 0.0 is not in \(0, 1\]"),
        ({"wta": {"k": 3}}, r"saes.wta: wants the key 'rates' and no other, but has: k"),
        ({"topk": {}}, r"saes.topk: wants the key 'k' and no other, but has: none"),
    ],
)
def test_bad_requests_are_refused_by_key(saes, message):
    with pytest.raises(UserError, match=message):
        requested_saes(saes, latents=100, batch_tokens=64)


def test_every_variant_names_a_selection_rule():
    assert all(callable(getattr(selection, variant.selection)) for variant in VARIANTS.values())
