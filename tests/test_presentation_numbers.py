"""The numbers of the paper's prose, from a synthetic table of metrics."""

import math
import re

import pytest

from presented import presented
from synthetic_metrics import CONFIG, METRICS, PROVENANCE, ROOT
from wta_sae.base.errors import UserError
from wta_sae.presentation.estimates import comparing_word, trend

MAIN = (ROOT / "paper/main.tex").read_text(encoding="utf-8")


def macros(**what) -> dict[str, str]:
    text = presented("numbers.tex", **what)
    found = re.findall(r"^\\newcommand\{\\(\w+)\}\{(.*)\}$", text, flags=re.MULTILINE)
    assert len(dict(found)) == len(found) == text.count(r"\newcommand")  # no name twice, each on a line of its own
    return dict(found)


def test_the_paper_uses_every_macro_and_every_macro_that_it_uses_is_there():
    used = set(re.findall(r"\\([A-Z]\w*)", MAIN)) - set(re.findall(r"\\newcommand\{\\(\w+)\}", MAIN))
    assert used == set(macros())
    assert all(name.isalpha() for name in used)


def test_no_number_of_a_run_is_typed_into_the_paper():
    body = re.sub(r"\\(cite\w?|ref|label)\{[^}]*\}", "", MAIN.split(r"\begin{document}")[1])
    assert re.findall(r"\d+\.\d+|\d{2,}", body) == []


def test_numbers_come_from_config_metrics_and_published():
    expected = {
        "Latents": "2{,}048",
        "TrainingSteps": "976",
        "KShare": "1/128",
        "MatchedRate": "0.0078125",
        "TableWinners": "20",
        "TableBudget": "20",
        "ReleasedLZero": "16",
        "MatchedBudget": "16",
        "WtaSaeCount": "6",
        "LowestRate": r"\ensuremath{10^{-6}}",
        "WtaReleasedEvCentred": "0.465",
        "EvCentredBatchTopkMinusWtaPerLatent": "0.273",
        "EvCentredPerLatentAgainstReleased": "above",
        "WtaReleasedKlScorePeakRate": "0.005",
        "WithSeeds": "with 3 seeds",
        "TopkKs": "4, 16 and 64",
        "ReleasedLZeroMost": "16.00",
        "DescribedOverBudget": "2.1",
        "WtaThresholdRatio": "8.00",
        "BatchTopkThresholdRatio": "1.10",
        "PublishedSaeCount": "7",
        "MatchedWtaEvCentred": r"0.840 \ensuremath{\pm} 0.001",
        "GapOwnEvCentred": r"0.052 \ensuremath{\pm} 0.001",
        "ReadoutsPartOfTheGap": r"the readout makes 87\,\% of the gap",
        "ClaimsReleasedCount": "13",
        "MedianCosineTrend": "never falls as the rate grows",
        "PublishedWtaLZero": "63.27",
        "PublishedTableWinners": "81",
        "PublishedReleasedLZero": "64",
        "PublishedLOneLowest": "160",
        "PublishedAliveHighest": "0.9975",
    }
    found = macros()
    assert {name: found[name] for name in expected} == expected
    bias = r"about 19.8 times too small: \textminus{}0.100 (lower), \textminus{}0.100 (lower) and \textminus{}0.100 (lower)"
    assert bias in found["AblationsMeasured"]
    changed = {**CONFIG, "training": {**CONFIG["training"], "latents": 4096}}
    assert macros(config=changed)["KShare"] == "1/256"


@pytest.mark.parametrize("key", ["training.latents", "paper.table1_k", "seeds", "saes.wta.gate"])
def test_a_missing_key_is_named(key):
    *sections, last = key.split(".")
    without = {**CONFIG}
    inner = without
    for section in sections:
        inner[section] = inner = {**inner[section]}
    del inner[last]
    with pytest.raises(UserError, match=f"'{re.escape(key)}' is missing"):
        macros(config=without)


def test_what_a_run_did_not_measure_is_a_dash():
    core = METRICS[METRICS["metric"].isin(["l0", "explained_variance"])]
    found = macros(metrics=core)
    assert found["WtaDescribedTpp"] == found["CeWithoutSae"] == found["WtaReleasedKlScorePeakRate"] == "---"
    assert found["CeScorePerLatentAgainstReleased"] == "not comparable with"
    assert found["GapOwnCeScore"] == found["WtaThresholdRatio"] == "---"
    assert found["ScrValues"] == "SCR has no value in this run"


def test_descriptions_follow_the_sources():
    assert "4 blocks, width 128 and a vocabulary of 4{,}096" in macros()["ModelDescription"]
    assert r"\texttt{numpy}" in macros()["TextDescription"]
    hub = {"language_model": {"source": "hub", "hub": {"name": "EleutherAI/pythia-70m_x"}, "layer": 3}}
    assert r"\texttt{EleutherAI/pythia-70m\_x}" in macros(config=CONFIG | hub)["ModelDescription"]
    own = {"language_model": {"source": "path", "path": "/somewhere/of/mine/gpt/", "layer": 3}, "text": {}}
    own["text"] = CONFIG["text"] | {"source": "files"}
    found = macros(config=CONFIG | own)
    assert found["ModelDescription"].endswith(r"\texttt{gpt}")  # no path of this machine in the paper
    assert found["TextDescription"] == "files of our own"


@pytest.mark.parametrize(
    ("left", "right", "word"),
    [(0.8, 0.7, "above"), (0.7, 0.8, "below"), (0.70001, 0.7, "equal to"), (math.nan, 0.7, "not comparable with")],
)
def test_comparing_word(left, right, word):
    assert comparing_word(left, right, 3) == word


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.1, 0.1, 0.3], "never falls as the rate grows"),
        ([0.3, 0.2, 0.2], "never rises as the rate grows"),
        ([0.1, 0.3, 0.2], "rises and falls along the sweep"),
        ([0.101, 0.102], "stays the same"),
        ([0.1, math.nan], "was not measured at every rate"),
    ],
)
def test_trend(values, words):
    assert trend(values, 2) == words


def test_the_appendix_says_what_the_saes_were_computed_on_and_by():
    found = macros()
    assert found["TrainingCode"] == r"commit \texttt{0123456789ab}"
    assert found["TrainingThreads"] == "1 thread"
    assert found["TrainingVersions"] == "python 3.11.7 and torch 2.13.0"
    mixed = PROVENANCE | {
        "commit": ["a" * 40, "b" * 40],
        "modified": [False, True],
        "device": ["CPU_1", "GPU"],
        "threads": [1, 2],
    }
    found = macros(provenance=mixed)
    assert found["TrainingCode"].endswith(r"and commit \texttt{bbbbbbbbbbbb} with changes that are not in it")
    assert (found["TrainingDevices"], found["TrainingThreads"]) == (r"CPU\_1 and GPU", "1 and 2 threads")
    nowhere = PROVENANCE | {"commit": [None], "modified": [None]}
    assert macros(provenance=nowhere)["TrainingCode"] == "code of no recorded commit"
