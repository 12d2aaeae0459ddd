"""The numbers of the paper's prose, from a synthetic table of metrics."""

import re

import pytest

from synthetic_metrics import CONFIG, METRICS, PROVENANCE, PUBLISHED, ROOT
from wta_sae.base.errors import UserError
from wta_sae.presentation import macros as numbers


def macros_of(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\\newcommand\{\\(\w+)\}\{(.*)\}$", text, flags=re.MULTILINE))


def test_every_macro_of_the_paper_is_generated():
    generated = numbers.numbers_tex(CONFIG, METRICS, PUBLISHED, PROVENANCE)
    defined = macros_of(generated)
    main = (ROOT / "paper" / "main.tex").read_text(encoding="utf-8")
    used = set(re.findall(r"\\([A-Z]\w*)", main)) - set(re.findall(r"\\newcommand\{\\(\w+)\}", main))
    assert len(used) > 80
    assert used - set(defined) == set()
    assert all(name.isalpha() for name in defined)
    assert len(defined) == generated.count(r"\newcommand")  # no name twice


def test_no_number_of_a_run_is_typed_into_the_paper():
    body = (ROOT / "paper" / "main.tex").read_text(encoding="utf-8").split(r"\begin{document}")[1]
    body = re.sub(r"\\(cite\w?|ref|label)\{[^}]*\}", "", body)
    assert re.findall(r"\d+\.\d+|\d{2,}", body) == []


def test_numbers_come_from_config_metrics_and_published():
    macros = macros_of(numbers.numbers_tex(CONFIG, METRICS, PUBLISHED, PROVENANCE))
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
        "WtaPerLatentEvCentred": "0.620",
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
        "PublishedTopkCeScore": "0.971",
        "PublishedTableWinners": "81",
        "PublishedReleasedLZero": "64",
    }
    assert {name: macros[name] for name in expected} == expected
    bias = r"about 19.8 times too small: \textminus{}0.100 (lower), \textminus{}0.100 (lower) and \textminus{}0.100 (lower)"
    assert bias in macros["AblationsMeasured"]
    changed = {**CONFIG, "training": {**CONFIG["training"], "latents": 4096}}
    assert macros_of(numbers.numbers_tex(changed, METRICS, PUBLISHED, PROVENANCE))["KShare"] == "1/256"


def test_numbers_name_the_missing_key():
    without = {**CONFIG, "training": {key: value for key, value in CONFIG["training"].items() if key != "latents"}}
    with pytest.raises(UserError, match=r"training\.latents"):
        numbers.numbers_tex(without, METRICS, PUBLISHED, PROVENANCE)


def test_numbers_of_a_run_that_evaluates_less_are_dashes():
    core = METRICS[METRICS["metric"].isin(["l0", "explained_variance"])]
    macros = macros_of(numbers.numbers_tex(CONFIG, core, PUBLISHED, PROVENANCE))
    assert macros["WtaDescribedScr"] == macros["CeWithoutSae"] == macros["WtaReleasedKlScorePeakRate"] == "---"
    assert macros["CeScorePerLatentAgainstReleased"] == "not comparable with"
    assert macros["GapOwnCeScore"] == macros["WtaThresholdRatio"] == "---"


def test_descriptions_follow_the_sources():
    train, hub = CONFIG["language_model"], {"source": "hub", "hub": {"name": "EleutherAI/pythia-70m_x"}}
    assert "4 blocks, width 128 and a vocabulary of 4{,}096" in numbers.model_description({"language_model": train})
    assert r"\texttt{EleutherAI/pythia-70m\_x}" in numbers.model_description({"language_model": hub})
    local = {"language_model": {"source": "path", "path": "/somewhere/of/mine/gpt"}}
    assert numbers.model_description(local).endswith(r"\texttt{gpt}")  # no path of this machine in the paper
    assert r"\texttt{numpy}" in numbers.text_description(CONFIG)
    assert "files of our own" in numbers.text_description({"text": {"source": "files"}})


@pytest.mark.parametrize(
    ("left", "right", "word"),
    [(0.8, 0.7, "above"), (0.7, 0.8, "below"), (0.70001, 0.7, "equal to"), (None, 0.7, "not comparable with")],
)
def test_comparing_word(left, right, word):
    assert numbers.comparing_word(left, right, 3) == word


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.1, 0.1, 0.3], "never falls as the rate grows"),
        ([0.3, 0.2, 0.2], "never rises as the rate grows"),
        ([0.1, 0.3, 0.2], "rises and falls along the sweep"),
        ([0.101, 0.102], "stays the same"),
        ([0.1, None], "was not measured at every rate"),
    ],
)
def test_trend(values, words):
    assert numbers.trend(values, 2) == words


def test_the_appendix_says_what_the_saes_were_computed_on_and_by():
    macros = numbers.provenance_macros(PROVENANCE)
    assert macros["TrainingCode"] == r"commit \texttt{0123456789ab}"
    assert macros["TrainingThreads"] == "1 thread"
    assert macros["TrainingVersions"] == "python 3.11.7 and torch 2.13.0"
    mixed = PROVENANCE | {
        "commit": ["a" * 40, "b" * 40],
        "modified": [False, True],
        "device": ["CPU_1", "GPU"],
        "threads": [1, 2],
    }
    macros = numbers.provenance_macros(mixed)
    assert macros["TrainingCode"].endswith(r"and commit \texttt{bbbbbbbbbbbb} with changes that are not in it")
    assert (macros["TrainingDevices"], macros["TrainingThreads"]) == (r"CPU\_1 and GPU", "1 and 2 threads")
    nowhere = PROVENANCE | {"commit": [None], "modified": [None]}
    assert numbers.provenance_macros(nowhere)["TrainingCode"] == "code of no recorded commit"
