r"""The comparison of SAEs at equal cost: a complete LaTeX table, ready for \input."""

import pandas as pd

from wta_sae.presentation.cells import BEST, arrow, over_seeds, row_cells
from wta_sae.presentation.estimates import estimate
from wta_sae.presentation.latex import escape, listing, rate, table_environment
from wta_sae.presentation.metrics_table import budget_of, variants_in

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


def table_matched(metrics: pd.DataFrame, matched_rate: float, k: int) -> str:
    """The comparison at equal cost: every variant's SAE, read out so that k latents a token are active on average.

    metrics: `read_metrics`; matched_rate: the nominal rate whose budget is k. The rows of a rule stand together;
    the best of a rule is bold. What the run did not measure is an em dash.
    """
    body, variants = [], variants_in(metrics)
    for rule, words in RULE_WORDS.items():
        columns = []
        for metric, _, direction, digits in MATCHED_METRICS:
            values = [
                estimate(metrics, variant=one.name, inference=rule, metric=metric, **budget_of(one.name, matched_rate, k))
                for one in variants
            ]
            columns.append(row_cells(values, digits, direction))
        body += [r"\midrule"] if body else []
        heads = [words] + [""] * (len(variants) - 1)
        for head, variant, cells in zip(heads, variants, zip(*columns, strict=True), strict=True):
            body.append(" & ".join([head, escape(variant.title), *cells]) + r" \\")
    budgets = {"k": f"with $k={k}$", "rates": f"at the rate of the same budget, {rate(matched_rate)}"}
    titles = {words: [escape(one.title) for one in variants if one.budget == key] for key, words in budgets.items()}
    how = ", ".join(
        f"{listing(names)} {'are' if len(names) > 1 else 'is'} trained {words}" for words, names in titles.items() if names
    )
    caption = (
        f"Equal cost: all SAEs read out at $L_0={k}$ by the same rule, for three rules. "
        f"{how}. The one cut, and the one factor that scales every "
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
