r"""Every number of the paper's prose as a LaTeX macro, made from the run's config, its metrics, and the published numbers.

Names: \WtaReleasedEvCentred is a readout and a row of `paper/published.yaml`; \PublishedTopkCeScore the printed one;
a config's value is named after its key. What the run did not measure is an em dash.
"""

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from wta_sae.machine.files import write_text
from wta_sae.plan.labelled_sets import class_sets, concept_pairs
from wta_sae.plan.papers_variants import WTA
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation import sentences
from wta_sae.presentation.divergence_numbers import divergence_macros
from wta_sae.presentation.latex import MISSING, count, escape, listing, number, rate, shortest
from wta_sae.presentation.markdown import to_latex
from wta_sae.presentation.measured_run import MeasuredRun, run_of
from wta_sae.presentation.metrics_table import SCR, budgets_of, readout_value, readouts_in, weights_value
from wta_sae.presentation.papers_readouts import (
    BASELINE_READOUTS,
    PAPERS_READOUTS,
    WTA_DESCRIBED,
    WTA_PER_LATENT,
    WTA_READOUTS,
    WTA_RELEASED,
)
from wta_sae.presentation.settings import Scale, setting
from wta_sae.variants.registry import variant_named

FIGURE_ROWS = (("kl_div_score", "KlScore", 2), ("l1", "LOne", 1), ("frac_alive", "Alive", 4))
"""Metrics of Figure 2 that Table 1 lacks: name, part of the macro's name, digits."""
MEDIAN_COSINE = "encoder_decoder_cosine_sim_median"
Macros = dict[str, str]


def numbers_tex(config: dict[str, Any], metrics: pd.DataFrame, published: dict[str, Any], provenance: dict[str, Any]) -> str:
    r"""The text of numbers.tex: one \newcommand a line.

    config: the run's configuration, as the workflow validated it; metrics: `read_metrics`; published: `read_published`;
    provenance: of `record-provenance`. Raises UserError naming a config key that is missing.
    """
    run = run_of(config, metrics, published)
    table_rate, k = run.scale.table_rate, run.scale.k
    macros = (
        run_macros(config, run.scale)
        | sentence_macros(run)
        | training_phrases(config)
        | sweep_macros(run)
        | table_macros(metrics, published, table_rate, k)
        | curve_macros(metrics, published, k)
        | comparison_macros(metrics, table_rate, k)
        | divergence_macros(run)
        | published_macros(published)
        | provenance_macros(provenance)
    )
    lines = ["% Generated: an edit here is lost at the next build."]
    lines += [rf"\newcommand{{\{name}}}{{{text}}}" for name, text in macros.items()]
    return "\n".join(lines) + "\n"


def run_macros(config: dict[str, Any], scale: Scale) -> Macros:
    """Sizes and settings of the run (the paper's section 5.1), and phrases that say on what text and model it ran."""
    get = lambda key: setting(config, key)  # noqa: E731
    steps = int(get("activations.tokens")) * int(get("training.epochs")) // scale.batch_tokens
    return {
        "RunName": escape(get("run")),
        "TextDescription": text_description(config),
        "ModelDescription": model_description(config),
        "ContextLength": count(scale.context_length),
        "HookBlock": str(get("language_model.layer")),
        "CachedTokens": count(get("activations.tokens")),
        "Latents": count(scale.latents),
        "BatchTokens": count(scale.batch_tokens),
        "TrainingSteps": count(steps),
        "LearningRate": f"{float(get('training.learning_rate')):g}",
        "WarmupSteps": count(get("training.warmup_steps")),
        "DecaySteps": count(get("training.decay_steps")),
        "ThresholdStart": count(get("training.threshold_start_step")),
        "ThresholdBeta": f"{float(get('training.threshold_beta')):g}",
        "TableK": count(scale.k),
        "TopkKs": listing([count(k) for k in sorted({*get("saes.topk.k"), scale.k})]),
        "BatchTopkKs": listing([count(k) for k in sorted({*get("saes.batch_topk.k"), scale.k})]),
        "KShare": f"1/{count(scale.latents // scale.k)}" if scale.latents % scale.k == 0 else rate(scale.matched_rate),
        "EvaluationContexts": count(get("text.evaluation_contexts")),
        "CalibrationContexts": count(get("text.calibration_contexts")),
        "EvaluationSequences": count(scale.batch_contexts),
        "EvaluationTexts": count(get("evaluation.batch_texts")),
        "ReleasedLZero": shortest(scale.latents / scale.context_length, 1),
        "LabelledCounts": labelled_counts(config),
    }


def sentence_macros(run: MeasuredRun) -> Macros:
    """What of the prose depends on more than a number (`wta_sae.presentation.sentences`)."""
    questions = sentences.open_questions(run)
    left_open = f"This run leaves open: {' '.join(questions)}" if questions else "Nothing of this waits for another scale."
    plain = {
        "ScaleComparison": sentences.comparison(run),
        "WithSeeds": sentences.with_seeds(run),
        "SeedsSentence": sentences.seeds(run),
        "SpreadOfLabelled": sentences.spread_of_labelled(run),
        "SharedRatesSentence": sentences.shared_rates(run),
        "ReleasedActivity": sentences.released_activity(run),
        "LabelledTexts": sentences.labelled_texts(run),
        "AblationsMeasured": sentences.measured_ablations(run),
        "ReadoutsPartOfTheGap": sentences.readouts_part(run, "explained_variance", "the gap"),
        "ReadoutsPartOfTheFirst": sentences.readouts_part(run, "explained_variance", "the first gap"),
        "ReadoutsPartOfTheSecond": sentences.readouts_part(run, "ce_loss_score", "the second"),
        "RestOfTheGap": sentences.rest_of_the_gap(run, "explained_variance"),
        "LeftOpen": left_open,
        "ForeignSaes": sentences.foreign(run),
    }
    return {name: to_latex(text) for name, text in plain.items()} | {"ScrValues": scr_values(run.metrics)}


def training_phrases(config: dict[str, Any]) -> Macros:
    """What of the training the config can set as the text or as the released code has it, as parts of sentences."""
    wta, contexts = setting(config, "saes.wta"), setting(config, "activations")
    gate = {
        "never": "No threshold gates WTA's training",
        "early": r"$\theta$ gates WTA's training up to that step",
        "late": r"$\theta$ gates WTA's training after that step",
    }
    return {
        "GateDescription": gate[wta["gate"]],
        "BiasFolding": "the biases included"
        if wta["rescale_encoder_bias"]
        else "the biases included but for WTA's in the encoder",
        "ContextDescription": (
            ("packed contexts" if contexts["packing"] == "concatenated" else "contexts of each document's first tokens")
            + (" that start with BOS" if contexts["prepend_bos"] else " without BOS")
        ),
    }


def text_description(config: dict[str, Any]) -> str:
    """What the language model and the SAEs read, as a phrase."""
    source = setting(config, "text.source")
    if source == "docstrings":
        packages = [rf"\texttt{{{escape(name)}}}" for name in setting(config, "text.docstrings.packages")]
        return f"the documentation strings of installed Python packages ({listing(packages)})"
    if source == "hub":
        return rf"the dataset \texttt{{{escape(setting(config, 'text.hub.name'))}}}"
    return "files of our own"


def labelled_counts(config: dict[str, Any]) -> str:
    """How much labelled data there is, as a phrase."""
    classes, pairs = sum(len(one.classes) for one in class_sets(config)), len(concept_pairs(config))
    return f"{count(classes)} classes and {count(pairs) if pairs else 'no'} pair{'' if pairs == 1 else 's'} of classes"


def scr_values(metrics: pd.DataFrame) -> str:
    """SCR of Table 1's SAEs as a clause, which may be that there is none."""
    if not metrics.loc[metrics["metric"] == SCR, "value"].notna().any():
        return "SCR has no value in this run"
    wta, baselines = ([rf"\{readout.macro}Scr{{}}" for readout in readouts] for readouts in (WTA_READOUTS, BASELINE_READOUTS))
    return f"SCR is {listing(wta)} for WTA, {listing(baselines)} for the baselines"


def model_description(config: dict[str, Any]) -> str:
    """The language model, as a phrase."""
    source = setting(config, "language_model.source")
    if source == "train":
        size = {
            name: count(setting(config, f"language_model.train.{name}")) for name in ("blocks", "width", "vocabulary", "steps")
        }
        return (
            f"a GPT-NeoX model of {size['blocks']} blocks, width {size['width']} and a vocabulary of {size['vocabulary']}, "
            f"which the workflow trains for {size['steps']} steps"
        )
    if source == "hub":
        return rf"the language model \texttt{{{escape(setting(config, 'language_model.hub.name'))}}}"
    return rf"the language model \texttt{{{escape(PurePath(setting(config, 'language_model.path')).name)}}}"


def sweep_macros(run: MeasuredRun) -> Macros:
    """WTA's rates, of how many SAEs they are, and what Table 1's and the matched rate give."""
    rates = budgets_of(run.metrics, WTA)
    medians = [weights_value(run.metrics, WTA_DESCRIBED, MEDIAN_COSINE, value, run.scale.k) for value in rates]
    return {
        "Rates": listing([rate(value) for value in rates]),
        "RateCount": count(len(rates)),
        "WtaSaeCount": count(len(run.groups())),
        "LowestRate": rate(rates[0]),
        "HighestRate": rate(rates[-1]),
        "MatchedRate": rate(run.scale.matched_rate),
        "MatchedBudget": shortest(run.budget(run.scale.matched_rate), 1),
        "TableRate": rate(run.scale.table_rate),
        "TableWinners": count(run.winners(run.scale.table_rate)),
        "TableBudget": shortest(run.budget(run.scale.table_rate), 1),
        "MedianCosineLowest": number(medians[0], 2),
        "MedianCosineHighest": number(medians[-1], 2),
        "MedianCosineTrend": trend(medians, 2),
    }


def trend(values: list[float | None], digits: int) -> str:
    """How a sequence moves, in words, at the precision that is printed."""
    if any(value is None for value in values) or len(values) < 2:
        return "was not measured at every rate"
    steps = np.diff(np.round(np.array(values, dtype=float), digits))
    if not steps.any():
        return "stays the same"
    if (steps >= 0).all():
        return "never falls as the rate grows"
    if (steps <= 0).all():
        return "never rises as the rate grows"
    return "rises and falls along the sweep"


def table_macros(metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> Macros:
    """Every value of Table 1, and of Figure 2 at Table 1's rate; of a variant beyond the paper the same."""
    rows = [(row["metric"], row["macro"], row["digits"]) for row in published["rows"]]
    macros = {
        readout.macro + part: number(readout_value(metrics, readout, metric, table_rate, k), digits)
        for readout in dict.fromkeys((*PAPERS_READOUTS, *readouts_in(metrics)))
        for metric, part, digits in (*rows, *FIGURE_ROWS)
    }
    for name, metric in (("CeWithoutSae", "ce_loss_without_sae"), ("CeAblated", "ce_loss_with_ablation")):
        macros[name] = number(_first(lambda readout, metric=metric: readout_value(metrics, readout, metric, table_rate, k)), 2)
    macros["LlmProbing"] = number(
        _first(lambda readout: readout_value(metrics, readout, "llm_test_accuracy", table_rate, k)), 3
    )
    return macros


def _first(measure: Callable[..., float | None]) -> float | None:
    """A number that is the same for every SAE, from the first readout that has it."""
    return next((found for readout in PAPERS_READOUTS if (found := measure(readout)) is not None), None)


def curve_macros(metrics: pd.DataFrame, published: dict[str, Any], k: int) -> Macros:
    """Figure 2 in words: each line's value at the lowest and highest rate, and its peak."""
    rates = budgets_of(metrics, WTA)
    digits_of = {row["metric"]: row["digits"] for row in published["rows"]}
    shown = (*FIGURE_ROWS, ("explained_variance", "EvCentred", digits_of.get("explained_variance", 3)))
    macros = {}
    for readout in WTA_READOUTS:
        for metric, part, digits in shown:
            values = [readout_value(metrics, readout, metric, value, k) for value in rates]
            measured = [(found, at) for found, at in zip(values, rates, strict=True) if found is not None]
            peak, at = max(measured, key=lambda pair: pair[0]) if measured else (None, None)
            macros |= {
                f"{readout.macro}{part}Lowest": number(values[0], digits),
                f"{readout.macro}{part}Highest": number(values[-1], digits),
                f"{readout.macro}{part}Peak": number(peak, digits),
                f"{readout.macro}{part}PeakRate": MISSING if at is None else rate(at),
            }
    return macros


def comparison_macros(metrics: pd.DataFrame, table_rate: float, k: int) -> Macros:
    """Comparing words and differences at Table 1's rate, so that no sentence asserts what another run could contradict."""
    macros = {}
    for metric, part in (("explained_variance", "EvCentred"), ("ce_loss_score", "CeScore")):
        of = {readout: readout_value(metrics, readout, metric, table_rate, k) for readout in PAPERS_READOUTS}
        macros[f"{part}PerLatentAgainstReleased"] = comparing_word(of[WTA_PER_LATENT], of[WTA_RELEASED], 3)
        macros[f"{part}PerLatentAgainstDescribed"] = comparing_word(of[WTA_PER_LATENT], of[WTA_DESCRIBED], 3)
        for baseline in BASELINE_READOUTS:
            for readout in WTA_READOUTS:
                low, high = of[readout], of[baseline]
                difference = None if low is None or high is None else high - low
                macros[f"{part}{baseline.macro}Minus{readout.macro}"] = number(difference, 3)
    return macros


def comparing_word(left: float | None, right: float | None, digits: int) -> str:
    """ "above", "below" or "equal to", as the printed digits show it."""
    if left is None or right is None:
        return "not comparable with"
    left, right = round(left, digits), round(right, digits)
    return "equal to" if left == right else "above" if left > right else "below"


def published_macros(published: dict[str, Any]) -> Macros:
    """The numbers that the paper prints: its set-up (section 5.1), Table 1, and what section 5.2 states about the figures."""
    setup = published["setup"]
    macros = {
        "PublishedModel": escape(setup["model"]),
        "PublishedLayer": str(setup["layer"]),
        "PublishedLatents": count(setup["latents"]),
        "PublishedTokens": count(setup["tokens"]),
        "PublishedBatchTokens": count(setup["batch_tokens"]),
        "PublishedSteps": count(setup["steps"]),
        "PublishedK": count(setup["k"]),
        "PublishedContextLength": count(setup["context_length"]),
        "PublishedTableRate": rate(setup["table_rate"]),
        "PublishedTableWinners": count(winners_per_latent(setup["table_rate"], setup["batch_tokens"])),
        "PublishedMatchedRate": rate(setup["k"] / setup["latents"]),
        "PublishedReleasedLZero": count(setup["latents"] // setup["context_length"]),
        "PublishedCeWithoutSae": number(setup["ce_loss_without_sae"], 2),
        "PublishedScale": number(setup["scale"], 1),
        "PublishedLowestRate": rate(setup["lowest_rate"]),
        "PublishedHighestRate": rate(setup["highest_rate"]),
    }
    for row in published["rows"]:
        for variant, printed in row.get("published", {}).items():
            macros[f"Published{variant_named(variant).macro}{row['macro']}"] = number(printed, row["digits"])
    figure2 = {entry["metric"]: entry for entry in published["figure2"]}
    peak = figure2["kl_div_score"]["points"][0]
    macros |= {"PublishedKlPeak": number(peak["value"], 2), "PublishedKlPeakRate": rate(peak["rate"])}
    ends = (("l1", "LOne", 0), ("frac_alive", "Alive", 4))
    for metric, part, digits in ends:
        points = sorted(figure2[metric]["points"], key=lambda point: point["rate"])
        macros[f"Published{part}Lowest"] = number(points[0]["value"], digits)
        macros[f"Published{part}Highest"] = number(points[-1]["value"], digits)
    for statement in published["figure1"]["medians"]:
        macros[f"PublishedMedian{statement['bound'].capitalize()}"] = f"{statement['value']:g}"
    return macros


def provenance_macros(provenance: dict[str, Any]) -> Macros:
    """What the SAEs were computed on and by, as phrases: `wta_sae.sae.joint_provenance.joint_provenance`."""
    commits = [rf"commit \texttt{{{commit[:12]}}}" for commit in provenance["commit"] if commit is not None]
    code = listing(commits) if commits else "code of no recorded commit"
    threads = listing([count(number) for number in provenance["threads"]])
    versions = [f"{name} {listing(found)}" for name, found in provenance["versions"].items()]
    return {
        "TrainingDevices": listing([escape(name) for name in provenance["device"]]),
        "TrainingPrecisions": listing(provenance["product_precision"]),
        "TrainingThreads": f"{threads} thread" + ("" if provenance["threads"] == [1] else "s"),
        "TrainingCode": code + (" with changes that are not in it" if True in provenance["modified"] else ""),
        "TrainingVersions": listing([escape(text) for text in versions]),
    }


def write_numbers(
    path: Path, config: dict[str, Any], metrics: pd.DataFrame, published: dict[str, Any], provenance: dict[str, Any]
) -> None:
    """`numbers_tex` into a file."""
    write_text(path, numbers_tex(config, metrics, published, provenance))
