"""What a run tokenizes, caches, evaluates and collects, as far as its config alone decides."""

from dataclasses import replace

import yaml

from workflow import PAPERS, ROOT
from wta_sae.plan.contexts import cache_name, contexts_name, requested_contexts
from wta_sae.plan.labelled_sets import residuals_are_large
from wta_sae.plan.run_plan import run_plan
from wta_sae.variants.registry import VARIANTS

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
CONFIG["saes"] = {name: CONFIG["saes"][name] for name in PAPERS}
PLAN = run_plan(CONFIG)


def test_what_is_compared_is_evaluated_on_texts_and_the_rest_on_tokens():
    assert PLAN.evaluations("wta-k20") == ["tokens", "texts"]
    assert PLAN.evaluations("topk-k16-seed43") == ["tokens", "texts", "matched", "matched_texts", "stability"]
    assert PLAN.evaluations("wta-k20-gate") == PLAN.evaluations("topk-k64") == ["tokens"]
    assert PLAN.browsed == ("topk-k16", "batch_topk-k16", "wta-k20")
    assert PLAN.token_families("wta-k1") == ["core", "subspace", "geometry"]
    assert PLAN.token_families("topk-k64") == ["core", "geometry"]


def test_every_collection_holds_what_its_saes_are_evaluated_by():
    for collected in PLAN.collections.values():
        for sae, evaluations in collected.items():
            assert evaluations and set(evaluations) <= set(PLAN.evaluations(sae))
    assert set(PLAN.collections["metrics"]) == {*PLAN.saes, *PLAN.on_synthetic}
    assert set(PLAN.collections["figure4"]) == set(PLAN.on_synthetic)
    assert len(PLAN.collections["table1"]) == len(PLAN.collections["table_matched"]) == 9
    assert not any(PLAN.saes[sae].ablation for sae in PLAN.collections["figure2"])


def test_a_variant_beyond_the_paper_is_in_figure_3_and_at_equal_l0_and_in_nothing_of_the_papers_own(
    monkeypatch,
):
    mine = replace(VARIANTS["topk"], name="mine", readouts=(replace(VARIANTS["topk"].readouts[0], variant="mine"),))
    monkeypatch.setitem(VARIANTS, "mine", mine)
    plan = run_plan(CONFIG | {"saes": CONFIG["saes"] | {"mine": {"k": [64]}}})
    own = {sae for sae in plan.saes if plan.saes[sae].variant == "mine"}
    assert own == {"mine-k16", "mine-k64", "mine-k16-seed43", "mine-k16-seed44"}
    collected = {name: own & set(saes) for name, saes in plan.collections.items()}
    planted = {f"mine-k4-{world}" for world in plan.worlds}
    assert planted == set(plan.on_synthetic) & set(plan.collections["metrics"]) - set(PLAN.on_synthetic)
    assert collected["metrics"] == own
    assert collected["figure3"] == {"mine-k16", "mine-k64"}
    assert collected["table_matched"] == collected["outlook"] == own - {"mine-k64"}
    assert collected["table1"] == collected["figure2"] == own & set(plan.sweep) == set()
    for sae in own - {"mine-k64"}:
        assert plan.evaluations(sae) == ["tokens", "matched", "matched_texts", "stability"]
    assert plan.token_families("mine-k16") == ["core", "geometry"] and plan.token_families("mine-k16-seed43") == ["geometry"]


def test_each_seed_is_paired_with_the_next_and_two_seeds_once():
    assert {sae: PLAN.paired[sae] for sae in PLAN.paired if sae.startswith("topk")} == {
        "topk-k16": "topk-k16-seed43",
        "topk-k16-seed43": "topk-k16-seed44",
        "topk-k16-seed44": "topk-k16",
    }
    assert set(PLAN.paired) == set(PLAN.matched)
    of_seeds = {seeds: run_plan(CONFIG | {"seeds": list(seeds)}).paired for seeds in [(42,), (42, 43)]}
    assert of_seeds[42,] == {}
    assert of_seeds[42, 43] == {sae: f"{sae}-seed43" for sae in ("topk-k16", "batch_topk-k16", "wta-k16")}


def test_an_sae_from_elsewhere_is_evaluated_as_the_compared_ones(tmp_path):
    for name in ("cfg.json", "sae_weights.safetensors"):
        (tmp_path / name).touch()
    plan = run_plan(CONFIG | {"foreign_saes": {"theirs": str(tmp_path)}})
    assert plan.evaluations("theirs") == ["tokens", "texts"]
    assert "theirs" in plan.collections["figure3"] and "theirs" not in plan.collections["figure2"]


def test_each_cache_has_its_contexts_and_the_runs_own_has_none_of_an_ablations_names():
    caches = {cache_name(CONFIG, spec): contexts_name(spec) for spec in PLAN.saes.values()}
    ablated = "train-first-without-bos"
    assert caches == {"activations": "train", f"activations-{ablated}": ablated}
    contexts = requested_contexts(CONFIG, PLAN.saes.values())
    assert list(contexts) == ["train", ablated, "evaluation", "calibration"]
    assert contexts["train"] == {
        "split": "train",
        "contexts": 40000,
        "contexts_key": "text.train_contexts",
        "packing": "concatenated",
        "prepend_bos": True,
        "tokens": 2000000,
    }
    assert contexts[ablated] == {
        "split": "train",
        "packing": "first",
        "prepend_bos": False,
        "tokens": 2000000,
        "asked_by": "ablations: packing",
    }
    assert contexts["calibration"]["skip"] == contexts["evaluation"]["contexts"] == 512
    packed_first = CONFIG | {"activations": CONFIG["activations"] | {"packing": "first"}, "ablations": []}
    contexts = requested_contexts(packed_first, run_plan(packed_first).saes.values())
    assert "tokens" not in contexts["train"]  # the language model's alone
    assert contexts["train-first"] == {"split": "train", "packing": "first", "prepend_bos": True, "tokens": 2000000}


def test_residuals_are_kept_where_they_are_small():
    assert not residuals_are_large(CONFIG)
    wide = CONFIG["language_model"] | {"train": CONFIG["language_model"]["train"] | {"width": 4096}}
    assert residuals_are_large(CONFIG | {"language_model": wide})
    assert residuals_are_large(CONFIG | {"language_model": {"source": "hub"}})
