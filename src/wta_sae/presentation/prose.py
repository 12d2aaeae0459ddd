"""The paper's numbers and conclusions, and the report on text against code: their templates with a run's values in them."""

from functools import partial
from pathlib import Path
from typing import Any

from wta_sae.metrics.columns import FOUND_FROM
from wta_sae.plan.ablations import LARGE_WITHOUT_AUXILIARY
from wta_sae.plan.labelled_sets import class_sets, concept_pairs
from wta_sae.presentation.claims import CLAIMS, PER_LATENT, READINGS, RELEASED, VERDICTS, decided, tally
from wta_sae.presentation.estimates import CONFIDENCE, LESS_CONFIDENT, MORE_CONFIDENT, comparing_word, trend
from wta_sae.presentation.notation import LATEX, MARKDOWN, Notation
from wta_sae.presentation.outlook_claims import better_in, expectations_decided, standing
from wta_sae.presentation.outlook_figure import SMALLEST_CLASS
from wta_sae.presentation.outlook_metrics import MEASURES
from wta_sae.presentation.papers_readouts import NAMED, PAPERS_TITLES
from wta_sae.presentation.run import Run
from wta_sae.presentation.run_metrics import SCR
from wta_sae.presentation.templates import filled, render
from wta_sae.presentation.truth_claims import ahead_at_every_exponent, equal_rate_hypothesis
from wta_sae.variants.registry import variant_named

OUTLOOK = {
    "measures": {one.metric: one for one in MEASURES},
    "standing": standing,
    "better_in": better_in,
    "smallest_class": SMALLEST_CLASS,
    "scr": SCR,
    "ahead_of_baselines": ahead_at_every_exponent,
    "variant_named": variant_named,
    "verdicts": VERDICTS,
}
LEVELS = {"confidence": CONFIDENCE, "less_confident": LESS_CONFIDENT, "more_confident": MORE_CONFIDENT}


def numbers_tex(template: Path, run: Run, provenance: dict[str, Any]) -> str:
    r"""numbers.tex: every number of the paper's prose, one \newcommand a line. provenance: of `record-provenance`.

    Raises UserError naming a config key that is missing.
    """
    return render(template, LATEX, provenance=provenance, **_values(run, LATEX))


def reproduction_report(template: Path, run: Run) -> str:
    """The report, as Markdown. What the run did not measure is an em dash."""
    return filled(render(template, MARKDOWN, **_values(run, MARKDOWN)))


def truth_section(template: Path, run: Run) -> str:
    """The section on true features, in LaTeX; empty where the run has no synthetic activations."""
    synthetic = run.metrics.synthetic
    values = {"metrics": synthetic, "hypothesis": equal_rate_hypothesis(synthetic), "found_from": FOUND_FROM}
    return render(template, LATEX, run=run, verdicts=VERDICTS, ahead=partial(ahead_at_every_exponent, synthetic), **values)


def outlook_section(template: Path, run: Run) -> str:
    """The section on the variants beyond the paper, in LaTeX."""
    values = {"outlook": run.outlook, "decided": expectations_decided(run.outlook)}
    return render(template, LATEX, run=run, without_auxiliary=LARGE_WITHOUT_AUXILIARY, **values, **OUTLOOK, **LEVELS)


def table_claims(template: Path, run: Run) -> str:
    """A LaTeX table of the paper's conclusions: each statement, then its readings."""
    return render(template, LATEX, findings=decided(run, LATEX), **LEVELS)


def _values(run: Run, notation: Notation) -> dict[str, Any]:
    return {
        **NAMED,
        **LEVELS,
        **OUTLOOK,
        "run": run,
        "published": run.published,
        "printed": {row["metric"]: row for row in run.published["rows"]},
        "figure2": {entry["metric"]: entry for entry in run.published["figure2"]},
        "titles": PAPERS_TITLES,
        "claims": CLAIMS,
        "findings": decided(run, notation),
        "readings": READINGS,
        "as_released": RELEASED,
        "as_per_latent": PER_LATENT,
        "tally": tally,
        "class_count": sum(len(one.classes) for one in class_sets(run.config)),
        "pair_count": len(concept_pairs(run.config)),
        "comparing_word": comparing_word,
        "trend": trend,
    }
