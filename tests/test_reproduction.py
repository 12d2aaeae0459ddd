"""The report on text against code, from a synthetic table of metrics."""

import re

import pytest

from presented import presented
from synthetic_metrics import CONFIG, METRICS, ROOT
from wta_sae.__main__ import main
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_json

REPORT = presented("reproduction.md")


def section(title: str, report: str = REPORT) -> str:
    return next(part for part in report.split("\n## ") if title in part.splitlines()[0])


def row(label: str, text: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_released_readout_has_one_l0_at_every_rate():
    text = section("released readout")
    assert row("0.01", text) == ["20", "20.0", "41.48 ± 0.50", "16.00 ± 0.00", "20.00 ± 0.20", "16.00"]
    assert row("1e-6 to 5e-4", text) == ["1", "1.0", "60.00", "16.00", "1.00", "16.00"]
    assert "The paper's F/L is 64; its Table 1 has 63.27." in " ".join(text.split())
    assert "is the one of rate 0.0078125" in " ".join(text.split())  # the budget nearest to F/L
    assert "Measured it is 1.00 times that" in text


def test_rates_that_share_an_sae_here_and_in_the_paper():
    text = section("one experiment")
    assert [row(rate, text) for rate in ("5e-4", "0.01")] == [["1", "4"], ["20", "81"]]
    assert "the 11 nominal rates are 6 SAEs" in text and "B = 8,192 they are 7" in text


def test_theta_against_budget_and_the_latents_own_thresholds():
    text = section("extreme statistic")
    assert row("WTA, 0.01", text) == ["20.0", "41.5 ± 0.5", "2.07", "8.00"]
    assert row("BatchTopK", text) == ["16.0", "15.4 ± 0.1", "0.96", "1.10"]


def test_ablations_are_set_against_the_same_seed():
    text = section("Gate, encoder bias")
    assert row("as this run trains it", text)[3:6] == ["0.570", "0.465", "0.620"]
    assert row("`gate`, `encoder_bias` and `packing` together", text)[3:6] == ["0.450", "0.345", "0.500"]
    assert row("spread over seeds", text)[:3] == ["0.5", "0.0", "0.2"]
    assert "`encoder_bias`: described −0.100 (**lower**)" in text  # noqa: RUF001
    assert "`packing`: described 0.005 (**within noise**)" in text


def test_variances_matched_rate_and_equal_l0():
    assert row("WTA, released", section("Three explained")) == ["0.465 ± 0.002", "0.625 ± 0.001", "0.411 ± 0.002"]
    assert row("0.0078125", section("not the matched rate"))[:2] == ["16", "16.0"]
    assert row("explained variance", section("at equal L0")) == ["0.413 ± 0.002", "0.052 ± 0.001", "87 %"]


def test_every_table_is_whole():
    tables = [block.splitlines() for block in REPORT.split("\n\n") if block.startswith("|")]
    assert len(tables) > 12
    for lines in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, lines[0]


def test_what_was_not_measured_is_an_em_dash():
    core = METRICS[METRICS["metric"].isin(["l0", "frac_alive"]) & METRICS["ablation"].isna()]
    report = presented("reproduction.md", core)
    assert row("0.01", section("released readout", report))[2] == "41.48 ± 0.50"
    assert row("TopK", section("Three explained", report)) == ["—"] * 3
    assert "`gate`: described — (**not measured**)" in report
    assert "how much the released readout makes in explained variance cannot be told" in " ".join(report.split())
    assert "nan" not in report and "None" not in report


def test_a_missing_config_key_is_named():
    with pytest.raises(UserError, match=r"'paper\.table1_k' is missing"):
        presented("reproduction.md", config=CONFIG | {"paper": {"table1_rate": 0.01}})


def test_by_hand(tmp_path):
    write_json(tmp_path / "config.json", CONFIG)
    METRICS.to_csv(tmp_path / "metrics.csv", index=False)
    inputs = ["--config", str(tmp_path / "config.json"), "--metrics", str(tmp_path / "metrics.csv")]
    inputs += ["--published", str(ROOT / "paper/published.yaml")]
    words = [f"--template={ROOT}/paper/templates/{name}.j2" for name in ("reproduction.md", "table_claims.tex")]
    assert main(["reproduction", *inputs, words[0], "--out", str(tmp_path / "report.md")]) == 0
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == REPORT
    assert main(["table-claims", *inputs, words[1], "--out", str(tmp_path / "claims.tex")]) == 0
    assert r"\label{tab:claims}" in (tmp_path / "claims.tex").read_text(encoding="utf-8")
