"""Sentences about a run are true of it: the demo's, each preset's, and a run's on one's own text and model."""

import copy

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from presented import presented
from synthetic_metrics import CONFIG, METRICS, ROOT, run_of, synthetic, wta_rows
from wta_sae.presentation.papers_readouts import WTA_RELEASED

OWN = {
    "run": "mine",
    "text": {"source": "files", "files": {"paths": ["x.txt"]}},
    "language_model": {"source": "path", "path": "/of/mine/gpt", "layer": 3},
}


def config_of(*layers):
    """config.yaml with presets, by name, and other settings laid over it, as Snakemake does."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for layer in layers:
        if isinstance(layer, str):
            layer = yaml.safe_load((ROOT / f"workflow/presets/{layer}.yaml").read_text(encoding="utf-8"))
        update_config(config, copy.deepcopy(layer))
    return config


def run(*layers, metrics=METRICS):
    return run_of(metrics, config_of(*layers))


def test_what_variants_beyond_the_paper_reach_is_said_and_the_furthest_named():
    adaptive = {"variant": "adaptive", "inference": "per_latent", "k_per_token": 16, "metric": "l0", "run": "demo"}
    jumprelu = adaptive | {"variant": "jumprelu"}

    def said(l0):
        rows = [adaptive | {"seed": 42, "sae": "adaptive-k16", "value": 15.2}, jumprelu | {"seed": 42, "sae": "j", "value": l0}]
        paper, _ = rendered(metrics=pd.concat([METRICS, pd.DataFrame(rows)], ignore_index=True))
        return next(line for line in paper.splitlines() if r"\newcommand{\BeyondThePaper}" in line)

    assert "they reach JumpReLU 16.4 and Adaptive WTA 15.2; the furthest from its budget is Adaptive WTA, by 5" in said(16.4)
    assert "Floors that come" not in said(16.4)
    assert "the furthest from its budget is JumpReLU, by 25" in said(20.0)
    assert said(20.0).endswith(r"at equal \ensuremath{\Lzero} it makes no difference.}")
    assert next(line for line in rendered()[0].splitlines() if "BeyondThePaper" in line).endswith("{}")


def rendered(*layers, metrics=METRICS):
    """The macros of the paper, and the report's words, on one line."""
    paper, report = (presented(name, metrics, config_of(*layers)) for name in ("numbers.tex", "reproduction.md"))
    return paper, " ".join(report.split())


def test_the_demo():
    paper, report = rendered()
    for text in (paper, report):
        assert "not on SAEBench's datasets" in text
        assert "one winner a sequence at every rate" in text
    assert r"With \texttt{gate}, \texttt{encoder\_bias} and \texttt{packing} together: " in paper
    assert "each alone, and with `gate`, `encoder_bias` and `packing` together" in report
    assert "in their pattern, not in their digits" in paper
    assert r"\newcommand{\WithSeeds}{with 3 seeds}" in paper
    assert r"the readout makes 87\,\% of the gap" in paper
    assert "here all of training is 2,000,000 tokens" in report
    assert "The 11 nominal rates are 6 SAEs." in paper


def test_the_papers_own_scale_leaves_nothing_open():
    paper, report = rendered("pythia-410m")
    assert "may be compared in their digits" in paper
    assert "labelled sets of SAEBench's datasets, " in paper and "labelled sets of SAEBench's datasets, " in report
    assert r"With \texttt{gate} and \texttt{encoder\_bias} together: " in paper
    assert "start with it; this run does not measure it." in paper  # the packing
    assert "`packing`" not in report.split("Table 1's WTA SAE")[1].split("## ")[0]
    assert "What this run leaves open" in report and "cannot tell" not in report.split("## ")[-1]
    assert "Nothing of this waits for another scale." in paper


@pytest.mark.parametrize(
    "over",
    [{"language_model": {"layer": 5}}, {"language_model": {"source": "path", "path": "x"}}, {"training": {"latents": 4096}}],
)
def test_what_is_laid_over_the_papers_preset_is_not_the_papers(over):
    paper, report = rendered("pythia-410m", over)
    assert "may be compared in their digits" not in paper
    assert "What this run cannot tell of the paper's" in report
    assert run("pythia-410m", over).papers_model() == ("training" in over)


def test_one_seed_tells_no_difference_from_noise():
    paper, report = rendered("pythia-70m", metrics=synthetic(seeds=(42,)))
    for text in (paper, report):
        assert "With one seed nothing is known of the spread between trainings" in text
        assert "± is the standard deviation" not in text.replace(r"\ensuremath{\pm}", "±")
        assert "3 of SAEBench's 5 datasets" in text
    assert r"\newcommand{\WithSeeds}{with one seed}" in paper
    assert "which part of the gap the readout makes cannot be told" in paper
    assert paper.count("; this run does not measure it.") == 3
    assert "We train WTA" not in paper
    assert "This run trains no SAE again to measure what each of these does." in report


@pytest.mark.parametrize("layers", [("released",), ("pythia-410m", "pythia-410m-released")])
def test_the_released_presets_measure_no_ablation(layers):
    paper, report = rendered(*layers)
    assert paper.count("; this run does not measure it.") == 3
    assert "**late**" in report and "gates WTA's training after that step" in paper
    assert "This run trains no SAE again" in report


def test_ones_own_text_and_model():
    paper, _ = rendered(OWN)
    assert "files of our own" in paper and r"\texttt{gpt}" in paper
    assert "the documentation of installed packages, labelled by package" in paper  # whatever the text is


def test_labels_from_other_datasets():
    dataset = {"name": "me/mine", "revision": "main", "splits": ["train", "test"], "text": "text"}
    hub = {
        "datasets": {"own": dataset},
        "sets": {"s": {"dataset": "own", "label": "l", "classes": [0, 1]}},
        "tpp": [],
        "pairs": [],
    }
    paper, _ = rendered({"labelled_texts": {"source": "hub", "hub": hub}})
    assert r"{labelled sets of \texttt{me/mine}, and not on SAEBench's datasets alone}" in paper


def test_labels_of_ones_own_and_no_pairs():
    files = {
        "datasets": {"news": {"paths": ["news.csv"], "text": "body"}},
        "sets": {"s": {"dataset": "news", "label": "l", "classes": ["Sci/Tech", "a_b", "%"]}},
    }
    over = {"labelled_texts": {"source": "files", "files": files}}
    without_scr = METRICS[~METRICS["metric"].str.startswith("scr_")]
    paper, report = rendered(over, metrics=without_scr)
    for text in (paper, report):
        assert "labelled texts of this run's own, " in text and "and not on SAEBench's datasets" in text
    assert r"\newcommand{\LabelledCounts}{3 classes and no pairs of classes}" in paper
    assert r"\newcommand{\ScrValues}{SCR has no value in this run}" in paper
    assert "SCR is not measured: it needs texts with a second label, and this run's config names no pairs." in paper
    demos, _ = rendered()
    assert "{SCR is 0.100, 0.100 and 0.100 for WTA, 0.100 and 0.100 for the baselines}" in demos
    assert "classes and 4 pairs of classes" in demos


def test_saes_from_elsewhere_are_named_where_there_are_any():
    assert r"\newcommand{\ForeignSaes}{}" in rendered({})[0]
    paper, _ = rendered({"foreign_saes": {"theirs_1": "somewhere", "other": "elsewhere"}})
    assert r"{ Trained elsewhere, read out by their own rule: \texttt{theirs\_1} and \texttt{other}.}" in paper


def test_no_two_rates_need_share_an_sae():
    alone = METRICS[METRICS["sparsity_rate"].isna() | (METRICS["sparsity_rate"] >= 5e-4)]
    assert "{In this run no two rates share an SAE: the 6 nominal rates are 6 SAEs.}" in rendered(metrics=alone)[0]


def test_the_activity_of_the_released_rule_follows_the_sequences_of_a_batch():
    several = "1 to 3 winners a sequence, by the rate, each of which gives F/L = 16.0 active latents a token"
    assert all(several in text for text in rendered({"evaluation": {"batch_contexts": 64}}))
    more = METRICS.assign(value=METRICS["value"].where(METRICS["metric"] != "l0", 17.0))
    assert "Measured it is 1.06 times that" in rendered(metrics=more)[1]
    assert "It was not measured in this run." in rendered(metrics=METRICS[METRICS["metric"] != "l0"])[1]


def test_ablations_are_named_as_they_were_asked_for():
    assert "together" not in rendered({"ablations": ["gate"]})[0].split("AblationsMeasured")[1].split("newcommand")[0]
    paper, report = rendered({"ablations": ["gate", "packing"]})
    assert r"With \texttt{gate} and \texttt{packing} together: " in paper
    assert "`encoder_bias`," not in report and "`gate` and `packing` together" in report


def test_nothing_left_of_the_gap_is_said_so():
    cut = METRICS["inference"] == "matched_threshold"
    assert "What is left at equal activity was not measured." in rendered(metrics=METRICS[~cut])[0]
    matched = METRICS["inference"] == "matched_per_latent"
    better = METRICS.assign(value=METRICS["value"].where(~matched, 0.95))
    assert "nothing of the gap is left" in rendered(metrics=better)[0]


def test_an_undefined_score_is_a_dash_with_its_reason():
    assert "Undefined" not in presented("table1.tex")
    scr = METRICS["metric"] == "scr_metric_threshold_20"
    without = METRICS.assign(value=METRICS["value"].mask(scr))
    assert "SCR is undefined where the probe" in rendered(metrics=without)[0]
    assert "SCR is undefined" not in rendered()[0]
    text = presented("table1.tex", without)
    assert "Undefined, and so a dash or left out of a mean: SCR ($n=20$) where the probe that was to be biased follows" in text


def test_rates_that_the_released_rule_tells_apart_are_points_and_rows_of_their_own():
    """0.0102 shares the SAE of 0.01 (20 winners of 2048), and is read out otherwise."""
    other = pd.DataFrame(wta_rows(0.01, 0.2, 42)).assign(sparsity_rate=0.0102)
    l0 = (other["inference"] == "released") & (other["metric"] == "l0")
    apart = pd.concat([METRICS, other.assign(value=other["value"].where(~l0, 31.5))])
    mine = run(metrics=apart)
    records = mine.metrics.records(WTA_RELEASED)
    assert (0.01, 0.0102) in mine.metrics.groups()
    assert (0.01,) in records and (0.0102,) in records
    report = rendered(metrics=apart)[1]
    assert "| 0.0102 | 20 |" in report and "31.50" in report
    assert run().metrics.records(WTA_RELEASED) == run().metrics.groups()


def test_config_of_the_tests_is_the_demos():
    assert config_of()["ablations"] == CONFIG["ablations"]
