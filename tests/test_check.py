"""Whether a run's numbers are the expected ones, and what it says where they are not."""

import pandas as pd
import pytest
import yaml

import expected_numbers
from workflow import ROOT
from wta_sae.__main__ import main
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_json
from wta_sae.metrics.causes import differences_of_run, probable_causes
from wta_sae.metrics.columns import COLUMNS
from wta_sae.metrics.expected import Deviation, deviations, main_numbers, read_expected
from wta_sae.metrics.expected import expected_numbers as expected_of


def run_of(shift=0.0, spread=0.01, seeds=(42, 43, 44), **values):
    """A table of metrics: of two SAEs' kinds, a number a metric and seed."""
    values = {"explained_variance": 0.9, "l0": 16.0, "mse": 1.0} | values
    rows = [
        {
            **dict.fromkeys(COLUMNS),
            **{"run": "demo", "sae": f"{kind}-k16" + (f"-seed{seed}" if seed != 42 else ""), "variant": kind, "seed": seed},
            **{"k_per_token": 16.0, "inference": "topk", "metric": metric},
            "value": value + (metric != "l0") * (shift + spread * (number - 1)),
        }
        for kind in ("topk", "batch_topk")
        for number, seed in enumerate(seeds)
        for metric, value in values.items()
    ]
    return pd.DataFrame(rows)[COLUMNS]


def test_main_numbers_are_means_over_the_seeds_of_a_kind():
    found = main_numbers(run_of())
    assert set(found.index.get_level_values("sae")) == {"topk-k16", "batch_topk-k16"}
    assert set(found.index.get_level_values("metric")) == {"explained_variance", "l0"}  # the main ones
    mean, spread, count = found.loc[("topk-k16", "topk", "explained_variance")]
    assert (mean, spread, count) == (pytest.approx(0.9), pytest.approx(0.01), 3)
    assert main_numbers(run_of(seeds=(42,))).empty


def test_a_tolerance_comes_from_the_seeds_and_from_what_runs_differ_by():
    same = expected_of([run_of(), run_of()]).loc[("topk-k16", "topk")]
    assert same.loc["explained_variance", "value"] == pytest.approx(0.9)
    assert same.loc["explained_variance", "tolerance"] == pytest.approx(5 * 0.01 / 3**0.5 * 1.5**0.5)
    assert same.loc["l0", "tolerance"] == pytest.approx(16e-4)  # what no seed changes
    apart = expected_of([run_of(), run_of(shift=0.1)]).loc[("topk-k16", "topk", "explained_variance")]
    assert apart["value"] == pytest.approx(0.95) and apart["tolerance"] == pytest.approx(5 * 0.1 / 2**0.5 * 1.5**0.5)
    assert deviations(run_of(shift=0.1), expected_of([run_of(), run_of(shift=0.1)])) == []


def test_what_is_off_and_what_is_missing_are_told_apart():
    expected = expected_of([run_of(), run_of()])
    worse = run_of(shift=-0.2, l0=17.0)
    off = deviations(worse, expected)
    assert [one.metric for one in off] == ["l0", "l0", "explained_variance", "explained_variance"]  # the farthest first
    assert off[0].tolerances == pytest.approx(1 / 16e-4) and off[-1].value == pytest.approx(0.7)
    one = deviations(run_of()[lambda rows: rows["variant"] == "topk"], expected)
    assert {(missing.sae, missing.value) for missing in one} == {("batch_topk-k16", None)}


def off(sae="topk-k16", metric="explained_variance", inference="topk", value=0.5, expected=0.9, tolerance=0.01):
    return Deviation(sae, inference, metric, expected, tolerance, value)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([off(), off(metric="ce_loss_without_sae")], "The language model itself is another"),
        ([off(value=0.912)], "chance"),
        ([off(), off(metric="l0", expected=16, value=20)], "L0 is off"),
        ([off(metric="sae_test_accuracy"), off("wta-k20", "scr_metric_threshold_20")], "Only metrics of labelled texts"),
        ([off("topk-k4-zipf1"), off("wta-k16-zipf0")], "Only SAEs on synthetic activations"),
        ([off(inference="matched_topk"), off("wta-k16", inference="matched_topk")], "Only the comparison at equal L0"),
        ([off("wta-k20"), off("wta-k16", inference="matched_topk")], "Only wta is off"),
        ([off(), off("wta-k20")], "Several variants are off"),
    ],
)
def test_the_pattern_says_where_to_look(found, words):
    assert words in " ".join(probable_causes(found, 100))
    assert list(probable_causes([], 100)) == []


CONFIG = {"run": "demo", "training": {"latents": 2048, "epochs": 1}}
PROVENANCE = {
    "config": CONFIG,
    "versions": {"torch": ["2.13.0+cpu"], "python": ["3.11.7"]},
    "tokens": {"train": {"text": {"dataset": {"packages": {"sklearn": "1.9.1"}}}}, "evaluation": {}},
    "modified": [False],
}
PINS = {"torch": "2.13.0", "scikit-learn": "1.9.1"}


def test_a_run_of_another_configuration_version_or_code_says_so_first():
    assert list(differences_of_run(PROVENANCE, CONFIG | {"run": "mine"}, PINS)) == []
    other = {**CONFIG, "training": {"latents": 4096, "epochs": 1, "more": 1}}
    (line,) = differences_of_run(PROVENANCE, other, PINS)
    assert "in training.latents, training.more:" in line
    (line,) = differences_of_run(PROVENANCE, CONFIG, {"torch": "2.14.0", "scikit-learn": "2.0"})
    assert "torch 2.13.0+cpu (pinned: 2.14.0), scikit-learn 1.9.1 (pinned: 2.0)" in line
    (line,) = differences_of_run(PROVENANCE | {"modified": [False, True]}, CONFIG, PINS)
    assert "in no commit" in line
    assert "No provenance.json of this version" in next(differences_of_run({"device": ["CPU"]}, CONFIG, PINS))
    assert "No provenance.json of this version" in next(differences_of_run(None, CONFIG, PINS))


def test_the_stage_tells_what_is_off_by_how_much_and_why(tmp_path, capsys):
    run_of().to_csv(tmp_path / "sound.csv", index=False)
    run_of(shift=-0.2).to_csv(tmp_path / "metrics.csv", index=False)
    expected_of([run_of(), run_of()]).to_csv(tmp_path / "expected.csv")
    write_json(tmp_path / "provenance.json", PROVENANCE)
    check = ["check", "--expected", str(tmp_path / "expected.csv"), "--metrics"]
    assert main([*check, str(tmp_path / "sound.csv")]) == 0
    assert capsys.readouterr().out == "4 of 4 numbers are within their tolerances\n"
    assert main([*check, str(tmp_path / "metrics.csv")]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("batch_topk-k16 topk explained_variance: 0.7, expected 0.9 ± 0.035, off by 5.7 tolerances")
    assert lines[2] == "2 of 4 numbers are within their tolerances"
    assert any(line.startswith("Probably: The configuration is another, in ") for line in lines)
    assert lines[-1].startswith("Probably: Several variants are off")
    assert err == "wta_sae check: 2 of 4 numbers are off\n"


def test_a_table_of_fewer_saes_is_checked_as_far_as_it_goes(tmp_path, capsys):
    run_of()[lambda rows: rows["variant"] == "topk"].to_csv(tmp_path / "table1.csv", index=False)
    expected_of([run_of(), run_of()]).to_csv(tmp_path / "expected.csv")
    check = ["check", "--expected", str(tmp_path / "expected.csv"), "--metrics"]
    assert main([*check, str(tmp_path / "table1.csv")]) == 0
    assert "2 of 2 numbers are within their tolerances; 2 more are not in" in capsys.readouterr().out
    run_of(seeds=(42,)).to_csv(tmp_path / "other.csv", index=False)
    assert main([*check, str(tmp_path / "other.csv")]) == 1
    assert "none of the 4 numbers" in capsys.readouterr().err
    (tmp_path / "expected.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"expected.csv: no table of sae, inference, metric, value, tolerance"):
        read_expected(tmp_path / "expected.csv")


def test_what_is_expected_of_the_demo_is_of_the_demos_saes():
    expected = read_expected(ROOT / "tests/expected/demo.csv")
    assert len(expected) > 500 and (expected["tolerance"] > 0).all() and not expected.index.duplicated().any()
    variants = {sae.split("-k")[0] for sae in expected.index.get_level_values("sae")}
    assert variants == set(yaml.safe_load((ROOT / "config.yaml").read_text())["saes"])
    assert expected.loc[("topk-k16", "topk", "l0"), "value"] == 16


def test_the_script_that_makes_it_wants_several_runs(tmp_path, capsys, monkeypatch):
    for name, shift in (("a", 0), ("b", 0.01)):
        run_of(shift).to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.setattr("sys.argv", ["expected_numbers.py", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")])
    expected_numbers.main()
    out, err = capsys.readouterr()
    (tmp_path / "expected.csv").write_text(out)
    assert read_expected(tmp_path / "expected.csv").shape == (4, 2) and err.count("0 of 4 off by the others") == 2
    monkeypatch.setattr("sys.argv", ["expected_numbers.py", str(tmp_path / "a.csv")])
    with pytest.raises(SystemExit, match="two or more"):
        expected_numbers.main()
