from dataclasses import dataclass
from typing import Literal

import pytest

from workflow import ROOT
from wta_sae.base.errors import UserError
from wta_sae.plan.winners import winners_per_latent
from wta_sae.sae.sae import INFERENCE_RULES
from wta_sae.variants.loading import rule_of, spec_of
from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.registry import READOUTS, VARIANTS, variant_named
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import VariantOptions, option

LOOK = Look("Mine", "#000000", "o")


def test_budgets():
    assert VARIANTS["batch_topk"].l0_budget(64, 8192, 8192) == 64
    assert VARIANTS["wta"].l0_budget(81, 8192, 8192) == 81
    assert VARIANTS["wta"].l0_budget(16, 2048, 4096) == 8


def test_winners_are_rounded_down_and_at_least_one():
    winners = {1e-6: 1, 1e-4: 1, 5e-4: 4, 1e-3: 8, 5e-3: 40, 1e-2: 81, 5e-2: 409}
    assert {rate: winners_per_latent(rate, 8192) for rate in winners} == winners


def test_an_unknown_variant_is_refused():
    with pytest.raises(UserError, match=f"saes: unknown variant 'top'; use one of: {', '.join(VARIANTS)}"):
        variant_named("top")


def test_a_variant_that_has_no_folder_is_refused():
    with pytest.raises(UserError, match=f"saes: unknown variant 'top'; use one of: {', '.join(sorted(VARIANTS))}"):
        spec_of("top")


def test_the_registry_and_the_folders_are_the_same_variants():
    folders = {file.parent.name for file in ROOT.glob("src/wta_sae/variants/*/spec.py")}
    assert folders == set(VARIANTS)
    for name, variant in VARIANTS.items():
        assert spec_of(name) is variant
        assert variant.name == name
        assert rule_of(name).inference == variant.readouts[0].inference
        assert {readout.inference for readout in variant.readouts} <= set(INFERENCE_RULES)


def test_no_two_readouts_look_or_are_named_alike():
    looks = [readout.look for readout in READOUTS]
    for names in ([one.label for one in looks], [(one.colour, one.marker) for one in looks]):
        assert len(set(names)) == len(names)


def test_a_misspelt_spec_is_refused():
    with pytest.raises(ValueError, match="mine: the budget 'rate' is none of: k, rates"):
        Variant("mine", "Mine", "rate", (Readout("mine", "topk", "Mine", LOOK),))
    with pytest.raises(ValueError, match="mine: its readouts are of topk"):
        Variant("mine", "Mine", "k", (Readout("topk", "topk", "Mine", LOOK),))

    @dataclass(frozen=True)
    class Taken(VariantOptions):
        k: int = 1

    with pytest.raises(ValueError, match="mine: an option cannot have the name of a budget, k"):
        Variant("mine", "Mine", "k", (Readout("mine", "topk", "Mine", LOOK),), Taken)


@pytest.mark.parametrize("name, most", [("topk", 200), ("wta", 64)])
def test_a_budget_beyond_the_batch_or_the_latents_is_refused(name, most):
    with pytest.raises(UserError, match=rf"k: {most + 1} is not between 1 and {most}, the {name} SAE's most"):
        VARIANTS[name].check_k(most + 1, latents=200, batch_tokens=64)
    VARIANTS[name].check_k(most, latents=200, batch_tokens=64)


@dataclass(frozen=True)
class SomeOptions(VariantOptions):
    floor: int = option(1, minimum=1)
    share: float = option(0.5, exclusiveMinimum=0, maximum=1)
    kind: Literal["hard", "soft"] = "hard"
    shared: bool = False


def test_options_are_what_a_config_a_command_line_and_a_record_say():
    assert SomeOptions.schema() == {
        "floor": {"type": "integer", "minimum": 1},
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "kind": {"enum": ["hard", "soft"]},
        "shared": {"type": "boolean"},
    }
    given = SomeOptions.from_config({"k": [4], "floor": 3, "share": 1, "shared": True})
    assert given == SomeOptions(3, 1.0, "hard", True)
    assert SomeOptions(share=1e-6).words() == ["floor=1", "share=1e-06", "kind=hard", "shared=false"]
    for options in (given, SomeOptions(share=1e-6), SomeOptions()):
        assert SomeOptions.from_words(options.words()) == options
    assert VariantOptions.from_words([]) == VariantOptions()


@pytest.mark.parametrize(
    "words, message",
    [
        (["flor=2"], "--options: 'flor' is unknown; this variant's are: floor, share, kind, shared"),
        (["floor"], "--options: 'floor' is not of the form NAME=VALUE"),
        (["floor=two"], "floor: 'two' is not of type 'integer'"),
        (["floor=0"], "floor: 0 is less than the minimum of 1"),
        (["shared=yes"], "shared: 'yes' is not of type 'boolean'"),
        (["kind=softer"], r"kind: 'softer' is not one of \['hard', 'soft'\]"),
    ],
)
def test_bad_options_are_refused_by_name(words, message):
    with pytest.raises(UserError, match=message):
        SomeOptions.from_words(words)


def test_an_option_of_another_variant_is_refused():
    with pytest.raises(UserError, match="'gate' is unknown; this variant's are: none"):
        VARIANTS["topk"].options.from_words(["gate=late"])
    with pytest.raises(UserError, match=r"gate: 'sometimes' is not one of \['never', 'early', 'late'\]"):
        VARIANTS["wta"].options(gate="sometimes")
