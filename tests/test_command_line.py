import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from synthetic_metrics import CONFIG, METRICS, ROOT
from wta_sae.__main__ import main
from wta_sae.activations.caching import cache_activations
from wta_sae.machine.files import read_json, write_json
from wta_sae.machine.tensor_files import read_tensors
from wta_sae.metrics.collection import collect_metrics
from wta_sae.plan.commands import flags
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae
from wta_sae.stages import train_sae as train_sae_stage
from wta_sae.text.token_files import token_metadata
from wta_sae.text.tokenizing import write_tokens
from wta_sae.training.trainer import Trainer
from wta_sae.variants.loading import rule_of
from wta_sae.variants.registry import VARIANTS

GOLDEN = Path(__file__).parent / "data/golden"
TRAINING = {
    "latents": 40,
    "batch_tokens": 32,
    "epochs": 2,
    "learning_rate": 0.01,
    "warmup_steps": 1,
    "decay_steps": 0,
    "threshold_start_step": 1,
    "threshold_beta": 0.5,
    "dead_after_tokens": 1000,
    "auxiliary_coefficient": 0.1,
    "seed": 3,
}


@pytest.fixture
def activations(lm, tokens_CL, tmp_path):
    cache_activations(tmp_path / "activations", lm, tokens_CL, {"sha256": "digest"}, 160, torch.float32, 64, 4, seed=0)
    return tmp_path / "activations"


def train_sae(activations, name, *arguments):
    out = str(activations.parent / "sae" / name)
    return main(["train-sae", "--activations", str(activations), *arguments, *flags(TRAINING).split(), "--out", out])


def one_line(capsys):
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if "training " not in line]  # the progress bar
    assert len(lines) == 1, error
    return lines[0]


def test_train_and_evaluate_by_hand(neox_directory, activations, tokens_CL, tmp_path):
    assert train_sae(activations, "wta-k2", "--variant", "wta", "--k", "2", "--rates", "0.05", "0.0625") == 0
    sae = tmp_path / "sae" / "wta-k2"
    assert read_json(sae / "cfg.json")["metadata"]["steps"] == 10
    assert pd.read_csv(sae / "training.csv").columns.tolist() == ["step", "loss", "l0", "explained_variance", "dead"]
    np.save(tmp_path / "tokens.npy", tokens_CL.numpy())
    common = ["evaluate", "tokens", "--families", "core", "--lm", str(neox_directory), "--layer", "1", "--sae", str(sae)]
    common += ["--token-file", str(tmp_path / "tokens.npy"), "--batch-contexts", "4", "--out", str(tmp_path / "core.json")]
    assert main([*common, "--inference", "per_latent"]) == 0
    flat = read_json(tmp_path / "core.json")
    assert flat["inference"] == "per_latent"
    assert 0 < flat["l0"] < 40
    assert main([*common, "--inference", "described", "released", "--latents-out", str(tmp_path / "core.safetensors")]) == 0
    records = read_json(tmp_path / "core.json")
    assert [record["inference"] for record in records] == ["described", "released"]
    assert records[0]["ce_loss_without_sae"] == flat["ce_loss_without_sae"]
    latents, _ = read_tensors(tmp_path / "core.safetensors")
    assert latents["released.feature_density"].shape == (40,)

    table = collect_metrics("mine", [sae], [tmp_path / "core.json"])
    l0 = table[(table["metric"] == "l0") & (table["inference"] == "released")]
    assert l0["sparsity_rate"].tolist() == [0.05, 0.0625]  # one SAE, a row for each of its rates
    assert (l0["k_per_latent"] == 2).all()
    assert l0["k_per_token"].isna().all()
    budget = table[table["metric"] == "l0_budget"]
    assert (budget["value"] == 2 * 40 / 32).all()
    assert len(budget) == 4


def test_options_of_wta_and_the_ablation_they_serve_are_recorded(activations, tmp_path):
    released = ("--options", "gate=late", "rescale_encoder_bias=false", "--ablation", "released")
    assert train_sae(activations, "wta", "--variant", "wta", "--k", "2", *released) == 0
    assert train_sae(activations, "topk", "--variant", "topk", "--k", "2") == 0
    recorded, plain = (read_json(tmp_path / "sae" / name / "cfg.json")["metadata"] for name in ("wta", "topk"))
    assert (recorded["options"], recorded["ablation"]) == ({"gate": "late", "rescale_encoder_bias": False}, "released")
    assert (plain["options"], plain["ablation"]) == ({}, None)


TOGETHER = {
    "wta": ["--variant", "wta", "--k", "2", "--rates", "0.05", "0.0625", "--options", "gate=late"],
    "topk": ["--variant", "topk", "--k", "2"],
    "batch_topk": ["--variant", "batch_topk", "--k", "3", "--ablation", "gate"],
}


def train_together(activations, *shared):
    outs = [str(activations.parent / "together" / name) for name in TOGETHER]
    first, *others = TOGETHER.values()
    command = ["train-sae", "--activations", str(activations), "--out", *outs, *flags(TRAINING).split(), *shared, *first]
    return main(command + [word for sae in others for word in ["--and", *sae]])


PLANTED = TRAINING | {"latents": 16, "learning_rate": 0.003}


def planted(tmp_path, seed):
    """The cache of a small world; the world lies beside it."""
    world = {"features": 16, "width": 8, "active": 2, "zipf": 0.5, "magnitude_spread": 0.3, "noise": 0.05}
    world |= {"group_size": 1, "correlation": 0.0, "tokens": 640, "shard_tokens": 320, "seed": seed}
    out, file = tmp_path / f"world{seed}", tmp_path / f"world{seed}.safetensors"
    assert main(["make-synthetic", *flags(world).split(), "--world-out", str(file), "--out", str(out)]) == 0
    return out


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stop_at(name, monkeypatch):
    """Ends the job where it saves the SAE of that name, as a kill would."""

    def save_others(directory, *rest, **named):
        if directory.name == name:
            raise KeyboardInterrupt
        save_sae(directory, *rest, **named)

    monkeypatch.setattr(train_sae_stage, "save_sae", save_others)


def count_steps(monkeypatch):
    steps = []
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self, x_BD: steps.append(type(self.rule)) or step(self, x_BD))
    return steps


def assert_each_is_as_alone(activations):
    for name, own in TOGETHER.items():
        assert train_sae(activations, name, *own) == 0
    assert contents(activations.parent / "together") == contents(activations.parent / "sae")


def test_saes_trained_by_one_job_are_those_of_a_job_each(activations):
    assert train_together(activations) == 0
    assert_each_is_as_alone(activations)


def test_a_job_may_train_on_several_caches_and_seeds(tmp_path):
    """Each SAE is the one of its own job; those of one cache and seed share a pass."""
    worlds = {seed: planted(tmp_path, seed) for seed in (3, 4)}
    shared = flags({key: value for key, value in PLANTED.items() if key != "seed"}).split()
    command, outs = [], [str(tmp_path / "together" / str(number)) for number in range(3)]
    for seed, variant in ((3, "topk"), (4, "adaptive"), (3, "adaptive")):
        command += ["--and", "--activations", str(worlds[seed]), "--seed", str(seed), "--variant", variant, "--k", "2"]
        name = str(tmp_path / "alone" / str(len(command) // 9 - 1))
        assert main(["train-sae", *command[-8:], *shared, "--out", name]) == 0
    assert main(["train-sae", *command[1:9], "--out", *outs, *shared, *command[9:]]) == 0
    assert contents(tmp_path / "together") == contents(tmp_path / "alone")


def test_true_features_by_hand(tmp_path, capsys):
    planted(tmp_path, 3), planted(tmp_path, 4)
    sae, out = tmp_path / "sae", tmp_path / "truth.json"
    command = ["train-sae", "--activations", str(tmp_path / "world3"), "--variant", "wta", "--k", "8"]
    assert main([*command, *flags(PLANTED).split(), "--out", str(sae)]) == 0
    assert read_json(sae / "cfg.json")["metadata"]["synthetic"]["zipf"] == 0.5
    of_world = ["evaluate", "truth", "--saes", str(sae), "--l0", "2", "--tokens", "500", "--out", str(out), "--worlds"]
    assert main([*of_world, str(tmp_path / "world3.safetensors")]) == 0
    records = {record["inference"]: record for record in read_json(out)}
    assert set(records) == {"matched_topk", "matched_threshold", "matched_per_latent"}
    assert records["matched_per_latent"]["l0"] == pytest.approx(2, rel=0.2)
    table = collect_metrics("mine", [sae], [out])
    assert (table["zipf_exponent"] == 0.5).all()
    capsys.readouterr()
    assert main([*of_world, str(tmp_path / "world4.safetensors")]) == 1
    assert f"{sae}: trained on another world than {tmp_path}/world4.safetensors" in one_line(capsys)
    assert main([*of_world, *[str(tmp_path / "world3.safetensors")] * 2]) == 1
    assert one_line(capsys) == "wta_sae evaluate truth: --worlds, --out: 2 and 1 for 1 SAEs; one each"


def test_a_job_killed_between_two_of_its_saes_goes_on_with_both(activations, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_at("topk", patched)
        train_together(activations, "--checkpoint-seconds", "0")
    (tmp_path / "together/wta/cfg.json").write_text("half-written")
    steps = count_steps(monkeypatch)
    assert train_together(activations) == 0
    assert steps == []
    assert_each_is_as_alone(activations)


def test_a_checkpoint_of_an_sae_alone_serves_it_among_others(activations, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_at("wta", patched)
        train_sae(activations, "../together/wta", *TOGETHER["wta"], "--checkpoint-seconds", "0")
    with monkeypatch.context() as patched:
        steps = count_steps(patched)
        assert train_together(activations) == 0
    assert steps == [rule_of("topk"), rule_of("batch_topk")] * 10
    assert_each_is_as_alone(activations)


def test_a_folder_for_each_sae_is_asked_for(activations, tmp_path, capsys):
    command = ["train-sae", "--activations", str(activations), "--out", str(tmp_path / "x"), *flags(TRAINING).split()]
    assert main([*command, *TOGETHER["topk"], "--and", *TOGETHER["wta"]]) == 1
    assert one_line(capsys) == f"wta_sae train-sae: --out: {tmp_path}/x, but 2 SAEs are asked for; name one folder for each"


def test_the_collected_table_names_each_saes_ablation(tmp_path):
    for name, ablation in (("wta-k2", {}), ("wta-k2-gate", {"ablation": "gate"}), ("wta-k2-seed4", {"ablation": None})):
        metadata = {"variant": "wta", "k": 2, "rates": [0.05], "seed": 3, "l0_budget": 2.5} | ablation
        write_json(tmp_path / name / "cfg.json", {"metadata": metadata})
        write_json(tmp_path / f"{name}.json", {"sae": name, "inference": "released", "mse": 1.5})
    names = ["wta-k2", "wta-k2-gate", "wta-k2-seed4"]
    table = collect_metrics("mine", [tmp_path / name for name in names], [tmp_path / f"{name}.json" for name in names])
    assert table["sae"].tolist() == names
    assert table["ablation"].fillna("").tolist() == ["", "gate", ""]


def test_an_sae_from_elsewhere_stands_in_the_table_by_the_name_that_the_run_gives_it(activations, tmp_path):
    """Even where another run of ours trained it: it is not taken for one of this run's."""
    latents = torch.eye(4, 6)
    sae = SAE(latents, torch.zeros(6), latents.T.contiguous(), torch.zeros(4), "topk", k=2)
    save_sae(tmp_path / "elsewhere", sae, {}, {"variant": "topk", "k": 2, "rates": [], "seed": 42})
    assert main(["import-sae", "--sae", str(tmp_path / "elsewhere"), "--out", str(tmp_path / "theirs")]) == 0
    names = sorted(path.name for path in (tmp_path / "theirs").iterdir())
    assert names == ["cfg.json", "sae_weights.safetensors"]
    for name in names:
        assert (tmp_path / "theirs" / name).read_bytes() == (tmp_path / "elsewhere" / name).read_bytes()
    write_json(tmp_path / "core.json", {"sae": "theirs", "inference": "topk", "l0": 2.0})
    out = tmp_path / "metrics.csv"
    command = ["collect-metrics", "--run", "mine", "--saes", str(tmp_path / "theirs"), "--foreign", "theirs"]
    assert main([*command, "--metric-files", str(tmp_path / "core.json"), "--out", str(out)]) == 0
    (row,) = pd.read_csv(out).to_dict("records")
    assert (row["sae"], row["variant"], row["k_per_token"], row["metric"], row["value"]) == ("theirs", "foreign", 2, "l0", 2.0)
    assert pd.isna(row["seed"]) and pd.isna(row["sparsity_rate"]) and pd.isna(row["k_per_latent"])


def test_an_unknown_variant_is_refused_and_leaves_nothing(activations, capsys):
    assert train_sae(activations, "x", "--variant", "tokp", "--k", "2") == 1
    assert one_line(capsys) == f"wta_sae train-sae: saes: unknown variant 'tokp'; use one of: {', '.join(sorted(VARIANTS))}"
    assert not (activations.parent / "sae" / "x").exists()


def test_an_unknown_inference_rule_is_refused_and_leaves_nothing(neox_directory, activations, tokens_CL, tmp_path, capsys):
    assert train_sae(activations, "topk", "--variant", "topk", "--k", "2") == 0
    capsys.readouterr()
    np.save(tmp_path / "tokens.npy", tokens_CL.numpy())
    command = ["evaluate", "tokens", "--lm", str(neox_directory), "--layer", "1", "--sae", str(tmp_path / "sae/topk")]
    command += ["--inference", "relased", "--token-file", str(tmp_path / "tokens.npy"), "--out", str(tmp_path / "o.json")]
    assert main(command) == 1
    assert "no inference rule 'relased'; this SAE has:" in one_line(capsys)
    assert not (tmp_path / "o.json").exists()


def test_contexts_longer_than_the_model_are_refused(neox_directory, tmp_path, capsys):
    tokens = torch.randint(2, 60, (4, 40), dtype=torch.int32)
    np.save(tmp_path / "tokens.npy", tokens.numpy())
    command = ["cache-activations", "--lm", str(neox_directory), "--layer", "1", "--token-file", str(tmp_path / "tokens.npy")]
    command += ["--tokens", "50", "--dtype", "float32", "--shard-tokens", "20", "--batch-contexts", "2", "--seed", "0"]
    assert main([*command, "--out", str(tmp_path / "activations")]) == 1
    assert "text.context_length: 40 is beyond the 32 positions of" in one_line(capsys)
    assert not (tmp_path / "activations").exists()


def test_misshapen_texts_are_refused(neox_directory, tmp_path, capsys):
    write_json(tmp_path / "texts.json", {"train": {"a": ["w2"]}})
    command = ["cache-texts", "--lm", str(neox_directory), "--layer", "1", "--kind", "classes"]
    assert main([*command, "--texts", str(tmp_path / "texts.json"), "--out", str(tmp_path / "residuals")]) == 1
    assert one_line(capsys).endswith('texts.json: wants the keys "train" and "test", each an object of lists of texts')


def test_a_damaged_token_file_is_refused(lm, tmp_path, capsys, neox_directory):
    path = tmp_path / "tokens.safetensors"
    write_tokens(path, ["w2 w3 w4 w5"] * 20, lm.tokenizer, 8, 4)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    command = ["cache-activations", "--lm", str(neox_directory), "--layer", "1", "--token-file", str(path)]
    command += ["--tokens", "5", "--dtype", "float32", "--shard-tokens", "20", "--batch-contexts", "2", "--seed", "0"]
    assert main([*command, "--out", str(tmp_path / "activations")]) == 1
    assert "tokens.safetensors: damaged" in one_line(capsys)


def test_help_and_unknown_stages(capsys):
    assert main(["--help"]) == 0
    assert "train-sae" in capsys.readouterr().out
    assert main(["trian-sae"]) == 2
    assert "unknown stage 'trian-sae'" in capsys.readouterr().err
    assert main([]) == 0


def test_the_recorded_config_is_the_given_one(tmp_path):
    config = {"run": "x", "saes": {"wta": {"rates": [1e-6]}}}
    assert main(["record-config", "--values", json.dumps(config), "--out", str(tmp_path / "config.json")]) == 0
    assert read_json(tmp_path / "config.json") == config


def run(*words):
    assert main([str(word) for word in words]) == 0


def test_scr_by_hand_gives_saebenchs_number(tmp_path):
    weights, _ = read_tensors(GOLDEN / "sae_topk.safetensors")
    names = {"W_enc_DF": "W_enc", "b_enc_F": "b_enc", "W_dec_FD": "W_dec", "b_dec_D": "b_dec"}
    sae = SAE(**{field: weights[name] for field, name in names.items()}, inference="topk", k=8)
    save_sae(tmp_path / "sae", sae, {}, {})
    residuals, probes = tmp_path / "residuals", tmp_path / "probes.safetensors"
    quadrants = ["--kind", "quadrants", "--texts", GOLDEN / "scr_quadrants.json"]
    run("cache-texts", "--lm", GOLDEN / "lm", "--layer", 2, *quadrants, "--out", residuals)
    run("train-probes", "--residuals", residuals, "--families", "scr", "--out", probes)
    of_texts = ["--residual-folders", residuals, "--probe-files", probes, "--perturbed-latents", 5, 20]
    run("evaluate", "texts", "--sae", tmp_path / "sae", *of_texts, "--out", tmp_path / "scr.json")
    ours, reference = read_json(tmp_path / "scr.json"), read_json(GOLDEN / "reference_topk.json")["scr"]["averages"]
    for n in (5, 20):
        assert ours[f"scr_metric_threshold_{n}"] == pytest.approx(reference[f"scr_metric_threshold_{n}"], abs=1e-5)


def test_a_stage_computes_with_the_threads_that_its_command_says(activations, tmp_path, capsys):
    torch.set_num_threads(2)  # as the machine or the environment might have it
    assert train_sae(activations, "alone", "--variant", "topk", "--k", "2") == 0
    assert torch.get_num_threads() == 1
    assert read_json(tmp_path / "sae/alone/provenance.json")["threads"] == 1
    capsys.readouterr()
    assert train_sae(activations, "none", "--variant", "topk", "--k", "2", "--threads", "0") == 1
    assert one_line(capsys).endswith("--threads: 0 is not a number from 1 on")


def test_equal_runs_are_equal_bytes(lm, tokens_CL, tmp_path):
    """The cache and its manifest, whose token metadata comes from a safetensors header, and an SAE trained on it."""
    texts, description = ["w2 w3 w4 w5 w6"] * 40, {"a": 1, "z": {"b": 2}}
    write_tokens(tmp_path / "tokens.safetensors", texts, lm.tokenizer, 16, 12, description=description)
    metadata = token_metadata(tmp_path / "tokens.safetensors")
    for name in ("one", "two"):
        cache_activations(tmp_path / name / "cache", lm, tokens_CL, metadata, 160, torch.float32, 64, 4, seed=0)
        assert train_sae(tmp_path / name / "cache", "sae", "--variant", "wta", "--k", "2", "--rates", "0.0625") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_metrics_and_config_are_of_one_run(tmp_path, capsys):
    METRICS.assign(run="other").to_csv(tmp_path / "metrics.csv", index=False)
    write_json(tmp_path / "config.json", CONFIG)
    command = ["reproduction", "--config", tmp_path / "config.json", "--metrics", tmp_path / "metrics.csv"]
    command += ["--published", ROOT / "paper/published.yaml", "--template", ROOT / "paper/templates/reproduction.md.j2"]
    command += ["--out", tmp_path / "report.md"]
    assert main([str(word) for word in command]) == 1
    assert "is of the run 'other', but" in one_line(capsys)
