r"""Published against rebuilt numbers: a complete LaTeX table, ready for \input."""

from typing import Any

import pandas as pd

from wta_sae.presentation.latex import MISSING, escape, number, rate, table_environment
from wta_sae.presentation.metrics_table import BASELINE_READOUTS, WTA_READOUTS, readout_value, weights_value

APPROXIMATE = r"\ensuremath{\approx}"


def table_published(metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> str:
    """Published against rebuilt: Table 1, then what section 5.2 states about Figures 1 and 2, at the rates it states it for.

    table_rate: WTA's rate of this run for Table 1; the statements name their own. k: the baselines' active latents a token.
    Rebuilt numbers are means over seeds. An em dash: not printed, or not measured.
    """
    body = [rf"\multicolumn{{9}}{{@{{}}l}}{{\emph{{Table 1, at rate {rate(published['setup']['table_rate'])}}}}} \\"]
    for row in published["rows"]:
        if "published" in row:
            body.append(_published_row(row["label"], row["published"], metrics, row["metric"], table_rate, k, row["digits"]))
    body += [r"\midrule", r"\multicolumn{9}{@{}l}{\emph{Figure 2, as section 5.2 describes it}} \\"]
    for entry in published["figure2"]:
        for point in (point for point in entry["points"] if point["source"] != "Table 1"):
            body.append(_figure2_row(entry, point, metrics, k))
    body += [r"\midrule", r"\multicolumn{9}{@{}l}{\emph{Figure 1, as section 5.2 describes it}} \\"]
    for statement in published["figure1"]["medians"]:
        sign = "<" if statement["bound"] == "below" else ">"
        for at in statement["rates"]:
            median = number(weights_value(metrics, WTA_READOUTS[0], published["figure1"]["metric"], at, k), 2)
            baselines = [
                f"{MISSING} & " + number(weights_value(metrics, readout, published["figure1"]["metric"], at, k), 2)
                for readout in BASELINE_READOUTS
            ]
            head = f"Median cosine, rate {rate(at)} & ${{{sign}}}\\,{statement['value']}$"
            body.append(" & ".join([head, rf"\multicolumn{{3}}{{c}}{{{median}}}", *baselines]) + r" \\")
    caption = (
        f"Published against rebuilt. The paper's numbers are those of {escape(published['setup']['model'])}; a run on another "
        "model compares with them in pattern, not in digits, and $L_1$ is in units of each model's activations. "
        "The paper read WTA out by the released rule. A rebuilt SAE that was trained with several seeds has their mean."
    )
    return table_environment(
        caption=caption,
        label="tab:published",
        columns="@{}l" + "r" * 8 + "@{}",
        head=[
            r" & \multicolumn{4}{c}{WTA} & \multicolumn{2}{c}{BatchTopK} & \multicolumn{2}{c}{TopK} \\",
            r"\cmidrule(lr){2-5} \cmidrule(lr){6-7} \cmidrule(l){8-9}",
            " & published & "
            + " & ".join(readout.heading for readout in WTA_READOUTS)
            + r" & published & rebuilt & published & rebuilt \\",
        ],
        body=body,
    )


def _published_row(
    label: str, printed: dict[str, float], metrics: pd.DataFrame, metric: str, table_rate: float, k: int, digits: int
) -> str:
    cells = [number(printed.get("wta"), digits)]
    cells += [number(readout_value(metrics, readout, metric, table_rate, k), digits) for readout in WTA_READOUTS]
    for readout in BASELINE_READOUTS:
        cells += [
            number(printed.get(readout.published), digits),
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
