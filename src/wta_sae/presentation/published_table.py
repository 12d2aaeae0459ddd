r"""Published against rebuilt numbers: a complete LaTeX table, ready for \input."""

from typing import Any

import pandas as pd

from wta_sae.plan.papers_variants import WTA
from wta_sae.presentation.latex import MISSING, column_groups, escape, number, rate, table_environment
from wta_sae.presentation.metrics_table import readout_value, weights_value
from wta_sae.presentation.papers_readouts import BASELINE_READOUTS, WTA_DESCRIBED, WTA_READOUTS

GROUPS = [("", 1), ("WTA", 1 + len(WTA_READOUTS)), *((readout.heading, 2) for readout in BASELINE_READOUTS)]
COLUMNS = sum(width for _, width in GROUPS)
APPROXIMATE = r"\ensuremath{\approx}"


def table_published(metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> str:
    """Published against rebuilt: Table 1, then what section 5.2 states about Figures 1 and 2, at the rates it states it for.

    table_rate: WTA's rate of this run for Table 1; the statements name their own. k: the baselines' active latents a token.
    Rebuilt numbers are means over seeds. An em dash: not printed, or not measured.
    """
    body = [_whole_row(f"Table 1, at rate {rate(published['setup']['table_rate'])}")]
    for row in published["rows"]:
        if "published" in row:
            body.append(_published_row(row["label"], row["published"], metrics, row["metric"], table_rate, k, row["digits"]))
    body += [r"\midrule", _whole_row("Figure 2, as section 5.2 describes it")]
    for entry in published["figure2"]:
        for point in (point for point in entry["points"] if point["source"] != "Table 1"):
            body.append(_figure2_row(entry, point, metrics, k))
    body += [r"\midrule", _whole_row("Figure 1, as section 5.2 describes it")]
    for statement in published["figure1"]["medians"]:
        sign = "<" if statement["bound"] == "below" else ">"
        for at in statement["rates"]:
            median = number(weights_value(metrics, WTA_DESCRIBED, published["figure1"]["metric"], at, k), 2)
            baselines = [
                f"{MISSING} & " + number(weights_value(metrics, readout, published["figure1"]["metric"], at, k), 2)
                for readout in BASELINE_READOUTS
            ]
            head = f"Median cosine, rate {rate(at)} & ${{{sign}}}\\,{statement['value']}$"
            body.append(" & ".join([head, rf"\multicolumn{{{len(WTA_READOUTS)}}}{{c}}{{{median}}}", *baselines]) + r" \\")
    caption = (
        f"Published against rebuilt. The paper's numbers are those of {escape(published['setup']['model'])}; a run on another "
        "model compares with them in pattern, not in digits, and $L_1$ is in units of each model's activations. "
        "The paper read WTA out by the released rule. A rebuilt SAE that was trained with several seeds has their mean."
    )
    return table_environment(
        caption=caption,
        label="tab:published",
        columns="@{}l" + "r" * (COLUMNS - 1) + "@{}",
        head=[
            *column_groups(GROUPS),
            " & published & "
            + " & ".join(readout.heading for readout in WTA_READOUTS)
            + " & published & rebuilt" * len(BASELINE_READOUTS)
            + r" \\",
        ],
        body=body,
    )


def _whole_row(text: str) -> str:
    return rf"\multicolumn{{{COLUMNS}}}{{@{{}}l}}{{\emph{{{text}}}}} \\"


def _published_row(
    label: str, printed: dict[str, float], metrics: pd.DataFrame, metric: str, table_rate: float, k: int, digits: int
) -> str:
    cells = [number(printed.get(WTA), digits)]
    cells += [number(readout_value(metrics, readout, metric, table_rate, k), digits) for readout in WTA_READOUTS]
    for readout in BASELINE_READOUTS:
        cells += [
            number(printed.get(readout.variant), digits),
            number(readout_value(metrics, readout, metric, table_rate, k), digits),
        ]
    return " & ".join([label, *cells]) + r" \\"


def _figure2_row(entry: dict[str, Any], point: dict[str, Any], metrics: pd.DataFrame, k: int) -> str:
    digits = entry["digits"]
    printed = f"{APPROXIMATE}{point['value']:g}" if point["approximate"] else number(point["value"], digits)
    rebuilt = [number(readout_value(metrics, readout, entry["metric"], point["rate"], k), digits) for readout in WTA_READOUTS]
    baselines = []
    for readout in BASELINE_READOUTS:
        baselines += [MISSING, number(readout_value(metrics, readout, entry["metric"], point["rate"], k), digits)]
    return " & ".join([f"{entry['label']}, rate {rate(point['rate'])}", printed, *rebuilt, *baselines]) + r" \\"
