"""Which SAEs a config asks for."""

import pytest

from wta_sae.base.errors import UserError
from wta_sae.plan.saes import SAESpec, matched_saes, requested_saes, table1_saes, trained_together
from wta_sae.variants.wta.spec import WTAOptions

RATES = [1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2]


def config(saes, **changes):
    """The paper's sizes."""
    return {
        "seeds": [42],
        "activations": {"packing": "concatenated", "prepend_bos": True},
        "training": {"latents": 8192, "batch_tokens": 8192},
        "saes": saes,
        "ablations": [],
        "large_dictionary": None,
        "paper": {"table1_rate": 0.01, "table1_k": 64},
    } | changes


def names(specs):
    return [spec.name for spec in specs]


def test_rates_that_give_the_same_winners_share_one_sae_and_the_matched_rate_is_among_them():
    specs = requested_saes(config({"topk": {"k": [64]}, "wta": {"rates": RATES}}))
    assert names(specs) == ["topk-k64", *(f"wta-k{k}" for k in (1, 4, 8, 40, 64, 81, 409))]
    assert specs[1] == SAESpec("wta-k1", "wta", 1, 42, WTAOptions(), (1e-6, 5e-6, 1e-5, 5e-5, 1e-4))
    assert specs[5].rates == (64 / 8192,)


def test_table_1s_k_is_among_every_variants():
    specs = requested_saes(config({"topk": {"k": [16]}, "batch_topk": {"k": [64]}, "wta": {"rates": [0.01]}}))
    assert names(specs) == ["topk-k16", "topk-k64", "batch_topk-k64", "wta-k64", "wta-k81"]


def test_the_tables_saes_come_with_every_seed():
    asked = config({"topk": {"k": [64, 16]}, "wta": {"rates": [0.01, 0.05]}}, seeds=[1, 2])
    specs = requested_saes(asked)
    seeded = ["topk-k64-seed2", "wta-k81-seed2", "wta-k64-seed2"]
    assert names(specs) == ["topk-k16", "topk-k64", "wta-k64", "wta-k81", "wta-k409", *seeded]
    assert [spec.seed for spec in specs] == [1] * 5 + [2] * 3
    assert names(table1_saes(specs, asked)) == ["topk-k64", "topk-k64-seed2", "wta-k81", "wta-k81-seed2"]
    assert names(matched_saes(specs, asked)) == ["topk-k64", "topk-k64-seed2", "wta-k64", "wta-k64-seed2"]


def test_ablations_change_table_1s_wta_sae_one_by_one_and_all_at_once():
    asked = config({"wta": {"rates": [0.01]}}, seeds=[1, 2], ablations=["gate", "encoder_bias", "packing"])
    specs = {spec.ablation: spec for spec in requested_saes(asked) if spec.ablation}
    assert names(specs.values()) == ["wta-k81-gate", "wta-k81-encoder_bias", "wta-k81-packing", "wta-k81-all"]
    settings = {name: (s.options.gate, s.options.rescale_encoder_bias, s.packing, s.prepend_bos) for name, s in specs.items()}
    assert settings == {
        "gate": ("late", True, "concatenated", True),
        "encoder_bias": ("never", False, "concatenated", True),
        "packing": ("never", True, "first", False),
        "all": ("late", False, "first", False),
    }
    assert {spec.seed for spec in specs.values()} == {1}
    assert names(table1_saes(requested_saes(asked), asked)) == ["wta-k81", "wta-k81-seed2"]


def test_saes_of_one_stream_are_trained_together_table_1s_first():
    asked = config({"topk": {"k": [16, 64]}, "wta": {"rates": [0.01, 0.05]}}, seeds=[1, 2], ablations=["gate", "packing"])
    specs = requested_saes(asked)
    asked["training"]["saes_together"] = 3
    assert [names(group) for group in trained_together(specs, asked)] == [
        ["topk-k64", "wta-k81", "topk-k16"],
        ["wta-k64", "wta-k409", "wta-k81-gate"],
        ["topk-k64-seed2", "wta-k81-seed2", "wta-k64-seed2"],  # another order of the batches
        ["wta-k81-packing", "wta-k81-all"],  # another cache
    ]
    asked["training"]["saes_together"] = 1
    assert sorted(names(group) for group in trained_together(specs, asked)) == sorted([name] for name in names(specs))


def test_a_runs_own_settings_reach_every_sae():
    asked = config({"wta": {"rates": [0.01], "gate": "late"}}, activations={"packing": "first", "prepend_bos": False})
    assert {(s.options.gate, s.packing, s.prepend_bos) for s in requested_saes(asked)} == {("late", "first", False)}


@pytest.mark.parametrize(
    "saes, message",
    [
        ({"top": {"k": [4]}}, r"saes: unknown variant 'top'; use one of: wta, batch_topk, topk"),
        ({"topk": {"k": [64, 8193]}}, r"saes.topk.k: 8193 is not between 1 and training.latents \(8192\)"),
        ({"wta": {"rates": [0.02]}}, r"paper.table1_rate: 0.01 is not among the rates in saes.wta: 0.0078125, 0.02"),
    ],
)
def test_bad_requests_are_refused_by_key(saes, message):
    with pytest.raises(UserError, match=message):
        requested_saes(config(saes))
