r"""The measured divergences of the paper's text and code, and the verdicts on its conclusions, as LaTeX macros.

Names: \GapOwnCeScore is a gap and a metric; \ClaimsReleasedStand a reading and a verdict.
"""

from wta_sae.plan.papers_variants import WTA
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation.claims import FAILS, NOISE, STANDS, UNKNOWN, paper_claims, tally
from wta_sae.presentation.estimates import Estimate, estimate, sweep
from wta_sae.presentation.gap import gap
from wta_sae.presentation.latex import count, number, shortest
from wta_sae.presentation.markdown import to_latex
from wta_sae.presentation.measured_run import MeasuredRun
from wta_sae.presentation.metrics_table import budget_of, weights_value, winners_by_rate
from wta_sae.presentation.papers_readouts import BASELINE_READOUTS, PAPERS_READOUTS, WTA_DESCRIBED, WTA_READOUTS
from wta_sae.variants.registry import variant_named

SCORES = (("explained_variance", "EvCentred"), ("ce_loss_score", "CeScore"))
MATCHED_OWN = {WTA: "matched_per_latent", "batch_topk": "matched_threshold", "topk": "matched_topk"}
VERDICTS = {STANDS: "Stand", FAILS: "Fail", NOISE: "Noise", UNKNOWN: "Unknown"}


def divergence_macros(run: MeasuredRun) -> dict[str, str]:
    """What section "Divergences, measured", the comparison at equal L0 and the conclusions need."""
    return readout_macros(run) | gap_macros(run) | claim_macros(run)


def readout_macros(run: MeasuredRun) -> dict[str, str]:
    """The released L0 along the sweep, the least fraction alive, the threshold against the latents' own, the third variance."""
    released = sweep(run.metrics, "released", "l0").means
    described = run.at_rate(WTA_DESCRIBED, "l0", run.scale.table_rate).mean
    paper = run.published["setup"]["batch_tokens"]
    macros = {
        "LowestBudget": shortest(run.budget(min(winners_by_rate(run.metrics))), 1),
        "HighestBudget": shortest(run.budget(max(winners_by_rate(run.metrics))), 1),
        "ReleasedLZeroLeast": number(min(released, default=None), 2),
        "ReleasedLZeroMost": number(max(released, default=None), 2),
        "DescribedOverBudget": number(None if described is None else described / run.budget(run.scale.table_rate), 1),
        "PublishedSaeCount": count(len({winners_per_latent(nominal, paper) for nominal in winners_by_rate(run.metrics)})),
    }
    for readout in WTA_READOUTS:
        alive = sweep(run.metrics, readout.inference, "frac_alive").means
        macros[f"{readout.macro}AliveLeast"] = number(min(alive, default=None), 4)
    for readout in PAPERS_READOUTS:
        legacy = run.at_rate(readout, "explained_variance_legacy", run.scale.table_rate).mean
        macros[f"{readout.macro}EvLegacy"] = number(legacy, 3)
    for readout in (WTA_DESCRIBED, *BASELINE_READOUTS):
        ratio = weights_value(run.metrics, readout, "threshold_ratio_median", run.scale.table_rate, run.scale.k)
        macros[f"{variant_named(readout.variant).macro}ThresholdRatio"] = number(ratio, 2)
    return macros


def gap_macros(run: MeasuredRun) -> dict[str, str]:
    """WTA and the baselines at equal L0, each by its own kind of cut, and what the released readout adds to the gap."""
    macros = {}
    for metric, part in SCORES:
        found = gap(run.scale, run.metrics, metric)
        macros[f"GapReleased{part}"] = to_latex(found.released.text(3))
        macros[f"GapOwn{part}"] = to_latex(found.own.text(3))
        for variant, rule in MATCHED_OWN.items():
            macros[f"Matched{variant_named(variant).macro}{part}"] = to_latex(_matched(run, variant, rule, metric).text(3))
    macros["MatchedWtaLZero"] = number(_matched(run, WTA, MATCHED_OWN[WTA], "l0").mean, 1)
    return macros


def claim_macros(run: MeasuredRun) -> dict[str, str]:
    """How many of the paper's conclusions have each verdict, by reading."""
    claims = paper_claims(run.scale, run.metrics, run.published)
    macros = {"ClaimCount": count(len(claims))}
    for reading, part in (("released", "Released"), ("per_latent", "PerLatent")):
        verdicts = tally(claims, reading)
        macros[f"Claims{part}Count"] = count(verdicts.total())
        macros |= {f"Claims{part}{word}": count(verdicts[verdict]) for verdict, word in VERDICTS.items()}
    return macros


def _matched(run: MeasuredRun, variant: str, rule: str, metric: str) -> Estimate:
    budget = budget_of(variant, run.scale.matched_rate, run.scale.k)
    return estimate(run.metrics, variant=variant, inference=rule, metric=metric, **budget)
