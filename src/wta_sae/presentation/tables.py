r"""The paper's tables as LaTeX: each function returns a complete table environment, ready for \input; booktabs is needed."""

from pathlib import Path
from typing import Any

import pandas as pd

from wta_sae.files import write_text
from wta_sae.presentation.latex import MISSING, count, escape, number, rate, table_environment
from wta_sae.presentation.metrics_table import (
    BASELINE_READOUTS,
    READOUTS,
    WTA_READOUTS,
    readout_value,
    weights_value,
    winners_by_rate,
)

APPROXIMATE = r"\ensuremath{\approx}"


def table1(metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> str:
    """Table 1, rebuilt: the paper's rows, then the same quantities as its text defines them; a column a readout.

    metrics: `read_metrics`; published: `read_published`, whose rows name metric, direction and digits; table_rate: WTA's rate.
    The best value of a row, as printed, is bold, with all that tie with it; rows without a direction have none. What the run
    did not measure is an em dash.
    """
    body = []
    block = category = None
    for row in published["rows"]:
        if block is not None and row["block"] != block:
            body.append(r"\midrule")
            category = None
        values = [readout_value(metrics, readout, row["metric"], table_rate, k) for readout in READOUTS]
        cells = bold_best([number(value, row["digits"]) for value in values], values, row["direction"])
        head = row["category"] if row["category"] != category else ""
        body.append(" & ".join([escape(head), row["label"], arrow(row["direction"]), *cells]) + r" \\")
        block, category = row["block"], row["category"]
    winners = winners_by_rate(metrics).get(table_rate)
    trained = f" ({count(winners)} winners per latent and batch)" if winners is not None else ""
    clean = next(
        (
            found
            for readout in READOUTS
            if (found := readout_value(metrics, readout, "ce_loss_without_sae", table_rate, k)) is not None
        ),
        None,
    )
    caption = (
        f"Table 1 of the paper, rebuilt. WTA is trained at rate {rate(table_rate)}{trained} and read out by each of the three "
        "inference rules. Above the line: the paper's rows, by the definitions that its evaluation used; below it: the same "
        "quantities as its text defines them. Best value of a row in bold, ties included. "
        "The paper lists a low "
        r"$L_0$ as ideal, but it is a budget that the rule sets and not a result, so none is marked; "
        "values at different $L_0$ are not at equal cost. "
        f"Cross-entropy without an SAE: {number(clean, 2)}."
    )
    return table_environment(
        caption=caption,
        label="tab:comparison",
        columns=r"@{}lll" + "r" * len(READOUTS) + "@{}",
        head=[
            r" & & & \multicolumn{3}{c}{WTA} & & \\",
            r"\cmidrule(lr){4-6}",
            " & Metric & & " + " & ".join(readout.heading for readout in READOUTS) + r" \\",
        ],
        body=body,
    )


def bold_best(cells: list[str], values: list[float | None], direction: str) -> list[str]:
    """`cells` with the best in bold, and every cell that reads the same. direction: higher, lower, or none (nothing is bold).

    A row with fewer than two values has no best.
    """
    present = [i for i, cell in enumerate(cells) if cell != MISSING]
    if direction == "none" or len(present) < 2:
        return list(cells)
    pick = max if direction == "higher" else min
    best = cells[pick(present, key=lambda i: values[i])]
    return [rf"\textbf{{{cell}}}" if cell == best else cell for cell in cells]


def arrow(direction: str) -> str:
    """The better direction, as an arrow for a narrow column."""
    return {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "none": ""}[direction]


def table_published(metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> str:
    """Published against rebuilt: Table 1, then what section 5.2 states about Figures 1 and 2, at the rates it states it for.

    table_rate: WTA's rate of this run for Table 1; the statements name their own. An em dash: not printed, or not measured.
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
        "The paper read WTA out by the released rule."
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


def table2(contributions: dict[str, Any]) -> str:
    """Table 2: the published work's author contributions (`read_contributions`)."""
    body = [
        rf"\textbf{{{escape(person['name'])}}} & {escape(person['contributions'])} \\"
        for person in contributions["contributors"]
    ]
    return table_environment(
        caption=escape(contributions["caption"]),
        label="tab:contributions",
        columns=r"@{}lp{0.66\columnwidth}@{}",
        head=[r"Contributor & Contributions \\"],
        body=body,
        environment="table",
    )


def write_table1(path: Path, metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> None:
    """`table1` into a file."""
    write_text(path, table1(metrics, published, table_rate, k))


def write_table_published(path: Path, metrics: pd.DataFrame, published: dict[str, Any], table_rate: float, k: int) -> None:
    """`table_published` into a file."""
    write_text(path, table_published(metrics, published, table_rate, k))


def write_table2(path: Path, contributions: dict[str, Any]) -> None:
    """`table2` into a file."""
    write_text(path, table2(contributions))
