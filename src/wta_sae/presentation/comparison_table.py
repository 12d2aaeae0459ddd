r"""Table 1 of the paper, rebuilt: a complete LaTeX table, ready for \input, that needs booktabs and xcolor."""

from typing import Any

import pandas as pd

from wta_sae.presentation.cells import BEST, arrow, over_seeds, row_cells
from wta_sae.presentation.estimates import readout_estimate
from wta_sae.presentation.latex import column_groups, count, escape, listing, number, rate, table_environment
from wta_sae.presentation.metrics_table import readout_value, why_undefined, winners_by_rate
from wta_sae.presentation.papers_readouts import BASELINE_READOUTS, PAPERS_READOUTS, WTA_READOUTS


def table1(metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> str:
    """Table 1, rebuilt: the paper's rows, then the same quantities as its text defines them; a column a readout.

    metrics: `read_metrics`; published: `read_published`, whose rows name metric, direction and digits; table_rate: WTA's rate;
    k: the baselines' active latents a token. A cell is the mean and standard deviation over seeds; the best of a row is bold
    (`bold_best`), rows without a direction have none. What the run did not measure is an em dash.
    """
    body = []
    block = category = None
    for row in published["rows"]:
        if block is not None and row["block"] != block:
            body.append(r"\midrule")
            category = None
        values = [readout_estimate(metrics, readout, row["metric"], table_rate, k) for readout in PAPERS_READOUTS]
        cells = row_cells(values, row["digits"], row["direction"])
        head = row["category"] if row["category"] != category else ""
        body.append(" & ".join([escape(head), row["label"] + arrow(row["direction"]), *cells]) + r" \\")
        block, category = row["block"], row["category"]
    winners = winners_by_rate(metrics).get(table_rate)
    trained = f" ({count(winners)} winners per latent and batch)" if winners is not None else ""
    clean = next(
        (
            found
            for readout in PAPERS_READOUTS
            if (found := readout_value(metrics, readout, "ce_loss_without_sae", table_rate, k)) is not None
        ),
        None,
    )
    caption = (
        f"Table 1 of the paper, rebuilt. WTA is trained at rate {rate(table_rate)}{trained} and read out by each of the three "
        "inference rules. Above the line: the paper's rows, by the definitions that its evaluation used; below it: the same "
        f"quantities as its text defines them. {over_seeds(metrics)} {BEST} "
        "The paper lists a low "
        r"$L_0$ as ideal, but it is a budget that the rule sets and not a result, so none is marked; "
        "values at different $L_0$ are not at equal cost. "
        f"Cross-entropy without an SAE: {number(clean, 2)}."
        f"{_undefined_rows(metrics, published)}"
    )
    return table_environment(
        caption=caption,
        label="tab:comparison",
        columns="@{}ll" + "r" * len(PAPERS_READOUTS) + "@{}",
        head=[
            *column_groups([("", 2), ("WTA", len(WTA_READOUTS)), ("", len(BASELINE_READOUTS))]),
            " & Metric & " + " & ".join(readout.heading for readout in PAPERS_READOUTS) + r" \\",
        ],
        body=body,
    )


def _undefined_rows(metrics: pd.DataFrame, published: dict[str, Any]) -> str:
    """Why a row has dashes, where it is not that it was not measured."""
    found = [(row["label"], why_undefined(metrics, row["metric"])) for row in published["rows"]]
    reasons = [f"{label} where {reason}" for label, reason in found if reason]
    return f" Undefined, and so a dash or left out of a mean: {listing(reasons)}." if reasons else ""
