"""The SAEs on synthetic activations that a config asks for."""

import copy

import pytest
import yaml

from workflow import ROOT
from wta_sae.base.errors import UserError
from wta_sae.plan.synthetic import planted_saes, requested_worlds

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(**synthetic):
    config = copy.deepcopy(CONFIG)
    training = synthetic.pop("training", {})
    config["synthetic"] |= synthetic
    config["synthetic"]["training"] |= training
    return config


def test_there_is_a_world_for_each_exponent_and_seed():
    worlds = requested_worlds(changed(zipf=[0, 1.5]))
    assert [one.name for one in worlds] == [f"zipf{zipf}-seed{seed}" for zipf in ("0", "1.5") for seed in (42, 43, 44)]
    assert [(one.zipf, one.seed) for one in worlds][-1] == (1.5, 44)


def test_every_variant_of_the_run_trains_on_every_world_at_one_budget():
    planted = planted_saes(CONFIG | {"saes": CONFIG["saes"] | {"scheduled": None}})
    assert set(planted) == {f"{name}-k4" for name in CONFIG["saes"] if name not in ("wta", "scheduled")} | {"wta-k16"}
    worlds = requested_worlds(CONFIG)
    for kind, specs in planted.items():
        assert [spec.name for spec in specs] == [f"{kind}-{world.name}" for world in worlds]
        assert [spec.seed for spec in specs] == [world.seed for world in worlds]
    assert planted["wta-k16"][0].rates == (4 / 256,)  # 16 winners of 1024 tokens: 4 of 256 latents a token
    assert planted["hybrid_token-k4"][0].options.floor == 1


def test_null_is_none():
    assert requested_worlds(CONFIG | {"synthetic": None}) == []
    assert planted_saes(CONFIG | {"synthetic": None}) == {}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"k": 300}, "config: synthetic.k: 300 is not between 1 and synthetic.training.latents, 256"),
        ({"active": 200}, "synthetic.active: 200 is not between 0 and half of synthetic.features, 256"),
        ({"shard_tokens": 512}, "config: synthetic.shard_tokens: 512 is less than synthetic.training.batch_tokens, 1,024"),
        ({"training": {"threshold_start_step": 511}}, "none of this run's 512 steps comes after step 511"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(changes, message):
    with pytest.raises(UserError, match=message):
        planted_saes(changed(**changes))
