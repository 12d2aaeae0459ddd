"""The report on where the paper's text and its released code part, and what each divergence does to the numbers of a run.

Markdown. What the run decided is a number or stands in bold; all else is the same for every run.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from wta_sae.machine.files import write_text
from wta_sae.presentation import divergences, sentences
from wta_sae.presentation.claims import FAILS, NOISE, READINGS, STANDS, UNKNOWN, Claim, paper_claims, tally
from wta_sae.presentation.claims_table import markdown_claims
from wta_sae.presentation.gap import gap
from wta_sae.presentation.markdown import MISSING, number, rate, table, wrapped
from wta_sae.presentation.measured_run import MeasuredRun, run_of
from wta_sae.presentation.settings import setting

MEASURED = (
    divergences.readout,
    divergences.alive,
    divergences.collapse,
    divergences.threshold,
    divergences.each_ablation,
    divergences.variances,
    divergences.at_the_matched_rate,
    divergences.equal_l0,
)


def reproduction_report(config: dict[str, Any], metrics: pd.DataFrame, published: dict[str, Any]) -> str:
    """The whole document.

      config: as `record-config` wrote it; metrics: `read_metrics`; published: `read_published`. What the run did not measure
    is
      an em dash. Raises UserError naming a config key that is missing.
    """
    run = run_of(config, metrics, published)
    decided = paper_claims(run.scale, metrics, published)
    sections = [section(run) for section in MEASURED] + [followed(run), conclusions(run, decided), left_open(run)]
    numbered = [f"## {i}. {section}" for i, section in enumerate(sections, start=1)]
    return wrapped("\n\n".join([introduction(run), summary(run, decided), *numbered])) + "\n"


def write_reproduction(path: Path, config: dict[str, Any], metrics: pd.DataFrame, published: dict[str, Any]) -> None:
    """`reproduction_report` into a file."""
    write_text(path, reproduction_report(config, metrics, published))


def introduction(run: MeasuredRun) -> str:
    own, paper = run.scale, run.published["setup"]
    sizes = table(
        ["", "latents F", "tokens a batch B", "tokens a context L", "k", "tokens in training"],
        [
            [
                f"run `{setting(run.config, 'run')}`",
                *_counts(own.latents, own.batch_tokens, own.context_length, own.k, sentences.training_tokens(run)),
            ],
            ["the paper", *_counts(*(paper[key] for key in ("latents", "batch_tokens", "context_length", "k", "tokens")))],
        ],
    )
    return f"""# Where the paper's text and its code part, and what it does to the numbers

The paper's text and its released code differ. Each section says what the one says, what the other does, and what that does to
the numbers here. `python -m wta_sae reproduction` writes the document: every number, and every word in **bold**, is computed
from one run. {sentences.seeds(run)} A value without a spread is of one seed. EV is explained variance, the centred one
unless a table says otherwise; CE score is SAEBench's CE loss score. Described, released and per latent are three readouts of
one trained WTA SAE: by one threshold θ, by the winners of each sequence, by a threshold θ_j a latent.

{sizes}"""


def summary(run: MeasuredRun, decided: list[Claim]) -> str:
    rows = []
    for name, reading in READINGS.items():
        verdicts = tally(decided, name)
        rows.append([reading.label, *(number(verdicts[verdict], 0) for verdict in (STANDS, FAILS, NOISE, UNKNOWN))])
    percents = {label: gap(run.scale, run.metrics, metric).readout_percent for metric, label in divergences.SCORES}
    parts = [
        f"how much the released readout makes in {label} cannot be told"
        if percent is None
        else f"the released readout makes {number(percent, 0)} % in {label}"
        for label, percent in percents.items()
    ]
    return f"""## In short

How many of the paper's conclusions stand, by how the SAEs are read out (section {len(MEASURED) + 2} has each of them):

{table(["read out", STANDS, FAILS, NOISE, UNKNOWN], rows)}

Of WTA's gap to BatchTopK at the matched rate, {", ".join(parts)} (section {len(MEASURED)}); what is left when WTA is
read out by a cut a latent at equal L0 belongs to the training."""


def followed(run: MeasuredRun) -> str:
    rows = [
        [
            "training text",
            "OpenWebText",
            "`monology/pile-uncopyrighted`, streamed in order",
            "one source for all, split by document",
        ],
        [
            "stream",
            MISSING,
            "the rates of one job saw consecutive, different slices",
            "every SAE of a seed sees the same tokens in the same order"
            + (", but for those of the ablation `packing`" if "packing" in run.config["ablations"] else ""),
        ],
        ["input of the encoder", "x", "x - b_dec", "x - b_dec"],
        [
            "auxiliary loss",
            MISSING,
            "TopK and BatchTopK have it; WTA has none, though its config records a coefficient",
            "the same, and WTA's `cfg.json` records a coefficient of zero",
        ],
        [
            "SCR and TPP",
            "subspace cosine and projection percentage",
            "Table 1 holds SAEBench's metrics of these initials",
            "both pairs, named apart in Table 1",
        ],
        [
            "sparse probing",
            MISSING,
            "the full probe's epoch is chosen on the test set",
            "the same; beside it `sae_test_accuracy_validated`, chosen on training data",
        ],
        ["labelled texts", "SAEBench's datasets", "SAEBench's datasets", sentences.labelled_texts(run)],
        ["WTA's explained variance", *_two_minds(run), "both are marked in Figure 2"],
    ]
    return f"""Followed or mended, and not measured here

{table(["", "text", "released code, or table", "this workflow"], rows)}"""


def conclusions(run: MeasuredRun, decided: list[Claim]) -> str:
    return f"""The paper's conclusions, decided on this run

A statement stands, or does not, where the margin by which it holds or fails counts against the spread over seeds; rates that
were trained with one seed borrow the largest spread of those with several. It cannot be told where something was not
measured, or no spread is known. The baselines are read out by their own rules; at equal L0, WTA is that of the matched rate.
What "similar", "marginally", "nearly every" and "near" mean is set by tolerances in `paper/published.yaml`, for the paper
does not say.

{markdown_claims(decided)}"""


def left_open(run: MeasuredRun) -> str:
    questions = sentences.open_questions(run)
    if not questions:
        return """What this run leaves open

It has the paper's model, layer, sizes and labelled texts, and several seeds: nothing of the above waits for another scale."""
    return "What this run cannot tell of the paper's\n\n" + "\n".join(f"- {question}" for question in questions)


def _counts(*values: int) -> list[str]:
    return [number(count, 0) for count in values]


def _two_minds(run: MeasuredRun) -> list[str]:
    """The printed explained variance at the rate of the text, and at the rate of Table 1."""
    points = next(entry["points"] for entry in run.published["figure2"] if entry["metric"] == "explained_variance_saebench")
    by_source = {"table" if point["source"] == "Table 1" else "text": point for point in points}
    return [f"{by_source[source]['value']} at rate {rate(by_source[source]['rate'])}" for source in ("text", "table")]
