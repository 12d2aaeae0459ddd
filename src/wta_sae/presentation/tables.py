r"""The tables as complete LaTeX, ready for \input: their templates with a run's values. They need booktabs and xcolor."""

from pathlib import Path
from typing import Any

from wta_sae.metrics.columns import FOUND_AGAIN_FROM
from wta_sae.presentation.cells import BEST_IN_WORDS, arrow, column_groups, over_seeds, row_cells
from wta_sae.presentation.estimates import Estimate
from wta_sae.presentation.notation import LATEX
from wta_sae.presentation.outlook_metrics import MEASURES, Outlook
from wta_sae.presentation.papers_readouts import BASELINE_READOUTS, PAPERS_READOUTS, WTA_READOUTS
from wta_sae.presentation.run_metrics import MATCHED_RULES, RunMetrics, budget_of
from wta_sae.presentation.synthetic_metrics import SyntheticMetrics
from wta_sae.presentation.templates import render

PARTS = {
    "arrow": arrow,
    "best_in_words": BEST_IN_WORDS,
    "column_groups": column_groups,
    "over_seeds": over_seeds,
    "row_cells": row_cells,
    "wta_readouts": WTA_READOUTS,
}


def table1(template: Path, metrics: RunMetrics, published: dict[str, Any], table_rate: float, k: int) -> str:
    """Table 1, rebuilt: the rows of `read_published`, with their metric, direction and digits; a column a readout.

    table_rate: WTA's rate; k: the baselines' active latents a token. What the run did not measure is an em dash.
    """

    def estimates(metric: str) -> list[Estimate]:
        return [metrics.at(readout, metric, table_rate, k) for readout in PAPERS_READOUTS]

    reasons = ((row["label"], metrics.why_undefined(row["metric"])) for row in published["rows"])
    undefined = [f"{label} where {reason}" for label, reason in reasons if reason]
    values = {"metrics": metrics, "published": published, "table_rate": table_rate, "undefined": undefined}
    return render(template, LATEX, readouts=PAPERS_READOUTS, estimates=estimates, **values, **PARTS)


def table_published(template: Path, metrics: RunMetrics, published: dict[str, Any], table_rate: float, k: int) -> str:
    """Published against rebuilt: Table 1 at WTA's rate of this run, and what the text states, at the rates that it names.

    Rebuilt numbers are means over seeds. An em dash: not printed, or not measured.
    """
    values = {"metrics": metrics, "published": published, "table_rate": table_rate, "k": k}
    return render(template, LATEX, baselines=BASELINE_READOUTS, **values, **PARTS)


def table_truth(template: Path, metrics: SyntheticMetrics) -> str:
    """What each variant gives back and finds of true features, by their exponent."""

    def estimates(metric: str, exponent: float) -> list[Estimate]:
        return [metrics.of(one.name, metric, exponent) for one in metrics.variants]

    def groups(shown: list[tuple[str, str]]) -> list[tuple[str, int]]:
        return [(title, len(metrics.exponents)) for _, title in shown]

    return render(template, LATEX, metrics=metrics, estimates=estimates, groups=groups, **PARTS)


def table_outlook(template: Path, outlook: Outlook) -> str:
    """What tells variants apart at equal L0, each read out in the form of its own rule."""

    def estimates(metric: str) -> list[Estimate]:
        return [outlook.of(one.name, metric) for one in outlook.variants]

    values = {"outlook": outlook, "measures": MEASURES, "found_again_from": FOUND_AGAIN_FROM}
    return render(template, LATEX, estimates=estimates, **values, **PARTS)


def table_matched(template: Path, metrics: RunMetrics, matched_rate: float, k: int) -> str:
    """The comparison at equal cost of every variant in the table. matched_rate: the nominal rate whose budget is k."""
    variants = metrics.variants()

    def estimates(rule: str, metric: str) -> list[Estimate]:
        return [metrics.of(one.name, rule, metric, budget_of(one.name, matched_rate, k)) for one in variants]

    values = {"metrics": metrics, "matched_rate": matched_rate, "k": k, "matched_rules": MATCHED_RULES, "variants": variants}
    return render(template, LATEX, estimates=estimates, **values, **PARTS)
