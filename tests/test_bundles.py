"""A finished run in one file, and out of it again."""

import json
import os
import shutil
import zipfile

import pytest
import torch
import yaml

from workflow import ROOT, TINY, new_checkout, planned_jobs, snakemake
from wta_sae.__main__ import main
from wta_sae.base.errors import UserError
from wta_sae.machine.bundles import extract_bundle, write_bundle
from wta_sae.machine.files import write_json
from wta_sae.plan.bundled_config import bundled_config
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    write_json(folder / "config.json", {"run": "mine"})
    sae = SAE(torch.eye(3), torch.zeros(3), torch.eye(3), torch.zeros(3), "topk", k=1)
    save_sae(folder / "sae/topk-k1", sae, {}, {"variant": "topk"}, provenance={"device": "CPU"})
    (folder / "latents/report").mkdir(parents=True)
    (folder / "latents/report/topk-k1.html").write_text("page")
    (folder / "latents/.snakemake_timestamp").touch()
    return folder


PARTS = ("config.json", "sae/topk-k1", "latents")
HELD = ["config.json", "latents/report/topk-k1.html", "sae/topk-k1/cfg.json", "sae/topk-k1/provenance.json"]


def test_it_holds_all_but_weights_and_comes_out_as_it_went_in(run, tmp_path):
    bundle = tmp_path / "bundle.zip"
    assert write_bundle(bundle, run, [run / part for part in PARTS]) == 4
    assert sorted(zipfile.ZipFile(bundle).namelist()) == HELD
    assert extract_bundle(bundle, tmp_path / "other") == 4
    for name in HELD:
        assert (tmp_path / "other" / name).read_bytes() == (run / name).read_bytes()
    assert bundled_config(str(bundle)) == {"run": "mine"}


def test_the_same_run_gives_the_same_bytes_whenever_it_is_packed(run, tmp_path):
    for number, name in enumerate(("one", "other")):
        for file in run.rglob("*"):
            os.utime(file, (number, number))
        write_bundle(tmp_path / name, run, [run / part for part in reversed(PARTS)])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_what_is_not_there_is_named_and_nothing_written(run, tmp_path):
    with pytest.raises(UserError, match=r"metrics.csv: no such file or folder; finish the run first"):
        write_bundle(tmp_path / "bundle.zip", run, [run / "metrics.csv"])
    assert not (tmp_path / "bundle.zip").exists()


def test_a_damaged_or_foreign_bundle_is_refused_before_anything_is_written(run, tmp_path):
    bundle = tmp_path / "bundle.zip"
    write_bundle(bundle, run, [run / part for part in PARTS])
    content = bytearray(bundle.read_bytes())
    content[60] ^= 1  # within the first file
    bundle.write_bytes(content)
    with pytest.raises(UserError, match=r"bundle.zip: damaged, or no bundle \("):
        extract_bundle(bundle, tmp_path / "other")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as evil:
        evil.writestr("config.json", "{}")
        evil.writestr("../outside", "")
    with pytest.raises(UserError, match=r"'../outside' leads out of the folder"):
        extract_bundle(tmp_path / "evil.zip", tmp_path / "other")
    assert not (tmp_path / "other").exists() and not (tmp_path / "outside").exists()
    (tmp_path / "text.zip").write_text("no zip")
    for name, words in (("text.zip", "no bundle of a run, or a damaged one"), ("none.zip", "no such file")):
        with pytest.raises(UserError, match=words):
            bundled_config(str(tmp_path / name))


def test_the_stages_pack_a_run_and_unpack_it(run, tmp_path, capsys):
    parts = [str(run / part) for part in PARTS[1:]]
    words = ["--config", str(run / "config.json"), "--parts", *parts, "--out", str(tmp_path / "bundle.zip")]
    assert main(["bundle", *words]) == 0
    assert capsys.readouterr().out.startswith("4 files, 0.0 MB")
    assert main(["unbundle", "--bundle", str(tmp_path / "bundle.zip"), "--out", str(tmp_path / "other")]) == 0
    assert json.loads((tmp_path / "other/config.json").read_text()) == {"run": "mine"}


def test_with_a_bundle_its_own_run_is_shown_and_nothing_is_trained(tmp_path):
    config = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"run": "theirs", "seeds": [7]}
    config["saes"] = {name: config["saes"][name] for name in ("topk", "batch_topk", "wta")}
    write_json(tmp_path / "theirs/config.json", config)
    write_bundle(tmp_path / "bundle.zip", tmp_path / "theirs", [tmp_path / "theirs/config.json"])
    given = ("--config", f"bundle={tmp_path}/bundle.zip", "run=mine")
    planned = snakemake(ROOT, "--dry-run", "--forceall", "--nolock", "all", *given)
    jobs = planned_jobs(planned)
    assert set(jobs) == {"unbundle", "table", "figure", "report", "show_values", "paper", "artifact", "latents"}
    assert "results/theirs-bundled/sae/topk-k16" in planned.stdout and "seed43" not in planned.stdout


@pytest.mark.slow
def test_a_bundle_gives_every_artifact_elsewhere_without_model_and_activations(finished, tmp_path):
    process = snakemake(finished, "results/bundle.zip", *TINY)
    assert process.returncode == 0, process.stderr
    elsewhere = new_checkout(tmp_path / "elsewhere")
    shutil.copy(finished / "results/bundle.zip", elsewhere / "theirs.zip")
    rebuilt = snakemake(elsewhere, "--config", "bundle=theirs.zip")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert not any((elsewhere / "results/tiny-bundled" / name).exists() for name in ("lm", "activations", "tokens", "labelled"))
    made = [path.relative_to(elsewhere) for kind in ("*.*", "latents/*.html") for path in (elsewhere / "results").glob(kind)]
    assert {"results/paper.pdf", "results/table1.tex", "results/figure1.png", "results/latents/wta-k5.html"} <= {
        *map(str, made)
    }
    for path in made:
        assert (elsewhere / path).read_bytes() == (finished / path).read_bytes(), path
    content = bytearray((elsewhere / "theirs.zip").read_bytes())
    content[len(content) // 2] ^= 1
    (elsewhere / "damaged.zip").write_bytes(content)
    refused = snakemake(elsewhere, "--config", "bundle=damaged.zip")
    assert refused.returncode == 1 and "damaged" in refused.stderr
