r"""The paper's tables: each function returns a complete LaTeX table, ready for \input, that needs booktabs and xcolor."""

from pathlib import Path
from typing import Any

import pandas as pd

from wta_sae.files import write_text
from wta_sae.presentation.cells import BEST, arrow, over_seeds, row_cells
from wta_sae.presentation.estimates import readout_estimate
from wta_sae.presentation.latex import MISSING, count, escape, listing, number, rate, table_environment
from wta_sae.presentation.metrics_table import (
    BASELINE_READOUTS,
    MATCHED_READOUTS,
    READOUTS,
    WTA_READOUTS,
    readout_value,
    weights_value,
    why_undefined,
    winners_by_rate,
)

APPROXIMATE = r"\ensuremath{\approx}"
RULE_WORDS = {
    "matched_topk": "the $k$ largest of each token",
    "matched_threshold": "all above one cut",
    "matched_per_latent": "all above their latent's cut",
}
"""What each rule of the matched comparison keeps of a token's activations."""
MATCHED_METRICS = (
    ("l0", "$L_0$", "none", 2),
    ("explained_variance", "Explained variance (centred)", "higher", 3),
    ("ce_loss_score", "CE loss score", "higher", 3),
    ("kl_div_score", "KL score", "higher", 3),
)
"""Its columns: metric, label, better direction, digits."""


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
        values = [readout_estimate(metrics, readout, row["metric"], table_rate, k) for readout in READOUTS]
        cells = row_cells(values, row["digits"], row["direction"])
        head = row["category"] if row["category"] != category else ""
        body.append(" & ".join([escape(head), row["label"] + arrow(row["direction"]), *cells]) + r" \\")
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
        columns="@{}ll" + "r" * len(READOUTS) + "@{}",
        head=[
            r" & & \multicolumn{3}{c}{WTA} & & \\",
            r"\cmidrule(lr){3-5}",
            " & Metric & " + " & ".join(readout.heading for readout in READOUTS) + r" \\",
        ],
        body=body,
    )


def _undefined_rows(metrics: pd.DataFrame, published: dict[str, Any]) -> str:
    """Why a row has dashes, where it is not that it was not measured."""
    found = [(row["label"], why_undefined(metrics, row["metric"])) for row in published["rows"]]
    reasons = [f"{label} where {reason}" for label, reason in found if reason]
    return f" Undefined, and so a dash or left out of a mean: {listing(reasons)}." if reasons else ""


def table_matched(metrics: pd.DataFrame, matched_rate: float, k: int) -> str:
    """The comparison at equal cost: WTA, BatchTopK and TopK, each read out so that k latents a token are active on average.

    metrics: `read_metrics`; matched_rate: WTA's nominal rate whose budget is k. The rows of a rule stand together;
    the best of a rule is bold. What the run did not measure is an em dash.
    """
    body = []
    for rule, words in RULE_WORDS.items():
        readouts = [readout for readout in MATCHED_READOUTS if readout.inference == rule]
        columns = [
            row_cells([readout_estimate(metrics, readout, metric, matched_rate, k) for readout in readouts], digits, direction)
            for metric, _, direction, digits in MATCHED_METRICS
        ]
        body += [r"\midrule"] if body else []
        for head, readout, cells in zip((words, "", ""), readouts, zip(*columns, strict=True), strict=True):
            body.append(" & ".join([head, readout.heading, *cells]) + r" \\")
    caption = (
        f"Equal cost: three SAEs read out at $L_0={k}$ by the same rule, for three rules. BatchTopK and TopK are trained with "
        f"$k={k}$, WTA at the rate of the same budget, {rate(matched_rate)}. The one cut, and the one factor that scales every "
        "latent's trained threshold, are calibrated on other held-out tokens than those of the $L_0$ shown. "
        f"{over_seeds(metrics)} {BEST} Each rule is compared within itself."
    )
    return table_environment(
        caption=caption,
        label="tab:matched",
        columns="@{}ll" + "r" * len(MATCHED_METRICS) + "@{}",
        head=[" & ".join(["Kept", "SAE", *(label + arrow(direction) for _, label, direction, _ in MATCHED_METRICS)]) + r" \\"],
        body=body,
    )


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


def write_table_matched(path: Path, metrics: pd.DataFrame, matched_rate: float, k: int) -> None:
    """`table_matched` into a file."""
    write_text(path, table_matched(metrics, matched_rate, k))


def write_table2(path: Path, contributions: dict[str, Any]) -> None:
    """`table2` into a file."""
    write_text(path, table2(contributions))
