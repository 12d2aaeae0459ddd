"""An SAE is used where it says that it was trained, or refused; what may differ on purpose is said and recorded."""

import shutil

import numpy as np
import pytest

from test_command_line import activations, train_sae  # noqa: F401 (a fixture)
from wta_sae.__main__ import main
from wta_sae.machine.files import read_json, write_json
from wta_sae.machine.tensor_files import read_tensors, write_tensors
from wta_sae.metrics.collection import collect_metrics
from wta_sae.plan.winners import batch_sizes, rates_of_equal_winners
from wta_sae.sae.compatibility import context_differences, model_differences
from wta_sae.text.tokenizing import write_tokens


@pytest.fixture
def sae(activations):  # noqa: F811
    assert train_sae(activations, "wta-k2", "--variant", "wta", "--k", "2", "--rates", "0.0625") == 0
    return activations.parent / "sae/wta-k2"


@pytest.fixture
def use(neox_directory, sae, tokens_CL, tmp_path, capsys):
    """Runs a stage on the SAE; returns its exit status and what it says."""
    np.save(tmp_path / "tokens.npy", tokens_CL.numpy())

    def run(*stage, lm=neox_directory, layer=1, tokens=tmp_path / "tokens.npy", more=()):
        capsys.readouterr()
        command = [*stage, "--lm", lm, "--layer", layer, "--sae", sae, "--token-file", tokens, "--out", tmp_path / "out", *more]
        status = main([str(word) for word in command])
        lines = capsys.readouterr().err.splitlines()
        return status, [line for line in lines if not line.endswith("batches/s]")]  # the progress bar

    return run


def edit_metadata(sae, **values):
    config = read_json(sae / "cfg.json")
    write_json(sae / "cfg.json", config | {"metadata": config["metadata"] | values})


@pytest.mark.parametrize("stage", [("evaluate", "tokens"), ("calibrate",)])
def test_another_hook_or_model_is_refused_unless_it_is_allowed(use, stage, neox_directory, tmp_path):
    more = ["--l0", 2] if stage == ("calibrate",) else []
    status, lines = use(*stage, layer=0, more=more)
    assert (status, len(lines)) == (1, 1)
    said = "wta-k2: trained at hook_name blocks.1.hook_resid_post, but used at blocks.0.hook_resid_post"
    assert said in lines[0] and "allow it with --allow-mismatch" in lines[0]
    assert not (tmp_path / "out").exists()
    other = tmp_path / "other"
    other.mkdir()
    for file in neox_directory.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    weights, _ = read_tensors(other / "model.safetensors")
    weights["gpt_neox.layers.0.mlp.dense_4h_to_h.bias"] += 1
    write_tensors(other / "model.safetensors", weights)
    status, lines = use(*stage, lm=other, more=more)
    assert (status, len(lines)) == (1, 1)
    assert "trained at model_sha256 " in lines[0]
    assert use(*stage, lm=other, more=[*more, "--allow-mismatch"])[0] == 0
    assert use(*stage, more=more) == (0, [])


def test_another_config_is_another_model(use, lm, neox_directory, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(neox_directory, other)
    config = read_json(other / "config.json")
    write_json(other / "config.json", config | {"transformers_version": "5.0.0", "use_cache": False})
    assert use("evaluate", "tokens", lm=other) == (0, [])
    write_json(other / "config.json", config | {"layer_norm_eps": 0.1})
    status, lines = use("evaluate", "tokens", lm=other)
    assert status == 1 and "trained at model_sha256 " in lines[0]


def test_what_was_allowed_is_recorded(use, tmp_path):
    status, lines = use("evaluate", "tokens", layer=0, more=["--allow-mismatch"])
    assert status == 0 and len(lines) == 1 and "trained at hook_name" in lines[0]
    found = read_json(tmp_path / "out")[0]["differences"]
    assert found == {"hook_name": {"trained": "blocks.1.hook_resid_post", "here": "blocks.0.hook_resid_post"}}


def test_other_contexts_are_warned_of_and_recorded(use, sae, tokens_CL, tmp_path):
    np.save(tmp_path / "short.npy", tokens_CL[:, 1:9].numpy())
    status, lines = use("evaluate", "tokens", tokens=tmp_path / "short.npy")
    assert status == 0
    assert [line.split("wta-k2: ")[1] for line in lines] == [
        "trained at context_size 16, used at 8",
        "trained at prepend_bos True, used at False",
    ]
    record = read_json(tmp_path / "out")[0]
    assert record["differences"]["prepend_bos"] == {"trained": True, "here": False}
    table = collect_metrics("x", [sae], [tmp_path / "out"])
    assert "differences" not in set(table["metric"])


def test_tokens_of_another_tokenizer_are_refused(use, lm, tmp_path):
    class Renamed:
        def __getattr__(self, name):
            return getattr(lm.tokenizer, name)

        def __call__(self, *texts, **options):
            return lm.tokenizer(*texts, **options)

        def get_vocab(self):
            return {f"{token}!": index for token, index in lm.tokenizer.get_vocab().items()}

    for name, tokenizer in (("own", lm.tokenizer), ("other", Renamed())):
        write_tokens(tmp_path / f"{name}.safetensors", ["w2 w3 w4 w5"] * 20, tokenizer, 8, 4, description={"tokenizer": name})
    assert use("evaluate", "tokens", tokens=tmp_path / "own.safetensors")[0] == 0
    status, lines = use("evaluate", "tokens", tokens=tmp_path / "other.safetensors")
    assert status == 1 and "other.safetensors: made by another tokenizer (other) than this model's" in lines[0]


def test_what_an_sae_does_not_say_is_not_held_against_it(lm):
    hook = lm.hook()
    assert model_differences({}, hook) == {}
    assert model_differences({"hook_name": "blocks.2.hook_resid_pre"}, hook) == {}  # the same place by another name
    assert list(model_differences({"hook_name": "blocks.1.hook_mlp_out"}, hook)) == ["hook_name"]
    options = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    assert list(model_differences(options, hook)) == ["center_writing_weights"]
    assert context_differences({}, hook, 16, True) == {}
    assert context_differences({"model_name": hook.model}, hook, 16, True) == {}
    assert list(context_differences({"model_name": "gpt2-small"}, hook, 16, True)) == ["model_name"]
    assert context_differences({"model_name": "gpt2-small", "model_sha256": "x"}, hook, 16, True) == {}


@pytest.mark.parametrize(
    ("l0", "message"),
    [
        (0, "l0: 0 is not between 0 and the SAE's 40 latents"),
        (41, "l0: 41 is not between 0 and the SAE's 40 latents"),
        (40, "l0: 40 cannot be reached by matched_threshold, which comes to "),
    ],
)
def test_an_l0_out_of_reach_is_refused_in_one_line(use, l0, message, tmp_path):
    status, lines = use("calibrate", more=["--l0", l0])
    assert (status, len(lines)) == (1, 1)
    assert message in lines[0]
    assert not (tmp_path / "out").exists()


def test_the_l0_that_is_reached_is_recorded_beside_the_wish(use, tmp_path):
    assert use("calibrate", more=["--l0", 3]) == (0, [])
    metadata = read_json(tmp_path / "out/cfg.json")["metadata"]
    assert metadata["matched_l0"] == 3
    assert metadata["reached_l0"] == pytest.approx(
        {"matched_topk": 3, "matched_threshold": 3, "matched_per_latent": 3}, rel=0.01
    )


def test_rates_that_part_in_the_evaluation_have_a_record_each(use, sae, neox_directory, tokens_CL, tmp_path):
    """Of 12 contexts: 0.05 and 0.08 give one winner, 0.17 two; all three share the SAE, as if trained on small batches."""
    edit_metadata(sae, rates=[0.05, 0.08, 0.17])
    more = ["--inference", "released", "per_latent", "--batch-contexts", 12, "--latents-out", tmp_path / "latents"]
    core = ["--families", "core"]
    assert use("evaluate", "tokens", more=[*core, *more])[0] == 0
    records = read_json(tmp_path / "out")
    assert [(record["inference"], record.get("rates")) for record in records] == [
        ("released", [0.05, 0.08]),
        ("released", [0.17]),
        ("per_latent", None),
    ]
    for record in records[:2]:  # each is the record of an SAE that was trained for its rates alone
        edit_metadata(sae, rates=record["rates"])
        assert use("evaluate", "tokens", more=[*core, "--inference", "released", "--batch-contexts", 12])[0] == 0
        assert read_json(tmp_path / "out") == record
    edit_metadata(sae, rates=[0.05, 0.08, 0.17])
    write_json(tmp_path / "out", records)
    table = collect_metrics("x", [sae], [tmp_path / "out"])
    l0 = table[(table["metric"] == "l0") & (table["inference"] == "released")].set_index("sparsity_rate")["value"]
    assert l0[0.05] == l0[0.08] == records[0]["l0"] != records[1]["l0"] == l0[0.17]
    latents, _ = read_tensors(tmp_path / "latents")
    assert {name for name in latents if "feature_density" in name} == {
        "released at 0.08.feature_density",
        "released at 0.17.feature_density",
        "per_latent.feature_density",
    }


def test_rates_part_where_they_give_other_winners_in_any_batch():
    assert batch_sizes(32, 16) == {16}
    assert batch_sizes(30, 16) == {16, 14}
    assert batch_sizes(10, 16) == {10}
    assert rates_of_equal_winners([0.01605, 0.0159], {125}) == [(0.0159,), (0.01605,)]
    assert rates_of_equal_winners([0.01605, 0.0159, 1e-6], {16}) == [(1e-6, 0.0159, 0.01605)]
    assert rates_of_equal_winners([0.1], {16}) == [(0.1,)]
    assert rates_of_equal_winners([], {16}) == []


def test_every_rate_of_a_texts_evaluation_has_its_winners(sae, neox_directory, tmp_path):
    edit_metadata(sae, rates=[0.2, 2 / 7 - 1e-9, 2 / 7 + 1e-9])
    texts = {
        split: {name: [f"w{i} w{j} w7" for i in range(2, 9)] for j, name in ((3, "a"), (5, "b"))} for split in ("train", "test")
    }
    write_json(tmp_path / "texts.json", {"source": {"longer_than": -1, "name": "x"}, **texts})
    residuals, probes = tmp_path / "residuals", tmp_path / "probes"
    texts = ["--kind", "classes", "--texts", tmp_path / "texts.json", "--context-length", 16]
    of_texts = ["--residual-folders", residuals, "--probe-files", probes, "--batch-texts", 100]
    for command in (
        ["cache-texts", "--lm", neox_directory, "--layer", 1, *texts, "--out", residuals],
        ["train-probes", "--residuals", residuals, "--families", "probing", "--out", probes],
        ["evaluate", "texts", "--sae", sae, "--inference", "released", *of_texts, "--out", tmp_path / "out"],
    ):
        assert main([str(word) for word in command]) == 0
    assert [record["rates"] for record in read_json(tmp_path / "out")] == [[0.2, 2 / 7 - 1e-9], [2 / 7 + 1e-9]]  # 1 and 2 of 7
