"""The measured sections of the reproduction report: what each divergence of text and code does to a run's numbers.

Every function returns a section of Markdown, its title first. What the run decided is a number or stands in bold.
"""

from wta_sae.plan.papers_variants import WTA
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation import sentences
from wta_sae.presentation.estimates import Estimate, Sweep, estimate, sweep
from wta_sae.presentation.gap import gap
from wta_sae.presentation.markdown import MISSING, number, rate, rates, table
from wta_sae.presentation.measured_run import MeasuredRun
from wta_sae.presentation.metrics_table import MATCHED_RULES, budget_of, weights_value, winners_by_rate
from wta_sae.presentation.papers_readouts import (
    BASELINE_READOUTS,
    PAPERS_READOUTS,
    PAPERS_TITLES,
    WTA_DESCRIBED,
    WTA_PER_LATENT,
    WTA_READOUTS,
    WTA_RELEASED,
)
from wta_sae.presentation.settings import setting
from wta_sae.variants.readout import Readout
from wta_sae.variants.registry import variant_named

WTA_HEADINGS = [readout.heading for readout in WTA_READOUTS]
MATCHED_HEADINGS = {
    "matched_topk": "k largest of a token",
    "matched_threshold": "one cut",
    "matched_per_latent": "a cut a latent",
}
SCORES = (("explained_variance", "explained variance"), ("ce_loss_score", "CE loss score"))
CORE = (("l0", "L0", 1), ("explained_variance", "EV", 3), ("ce_loss_score", "CE score", 3))


def readout(run: MeasuredRun) -> str:
    groups, s = run.records(), run.scale
    activity = s.latents / s.context_length
    activity_words = sentences.released_activity(run)
    sparsity = table(
        ["rate", "winners a batch", "budget", *(f"L0 {heading}" for heading in WTA_HEADINGS), "F/L times winners a sequence"],
        [
            [
                rates(group),
                number(run.winners(group[0]), 0),
                number(run.budget(group[0]), 1),
                *_cells(run, WTA_READOUTS, "l0", group[0], 2),
                number(winners_per_latent(group[0], s.batch_contexts) * activity, 2),
            ]
            for group in groups
        ],
    )
    scores = table(
        ["rate", *(f"{short} {heading}" for _, short, _ in CORE[1:] for heading in WTA_HEADINGS)],
        [
            [
                rates(group),
                *(cell for metric, _, digits in CORE[1:] for cell in _cells(run, WTA_READOUTS, metric, group[0], digits)),
            ]
            for group in groups
        ],
    )
    best = _best(sweep(run.metrics, "released", "explained_variance"))
    nearest = min(groups, key=lambda group: abs(run.budget(group[0]) - activity))
    setup = run.published["setup"]
    return f"""The released readout of WTA

- *Text* (section 3.1): at inference "the WTA step is removed entirely"; what is above the threshold θ stays.
- *Code*: θ is ignored. Of the S sequences in a batch, each latent keeps its max(1, ⌊rate · S⌋) largest activations within
  each sequence of L tokens; S is {s.batch_contexts} here.
- *Effect*: L0 is set by the evaluation, F/L for one winner a sequence, whatever an SAE was trained for; here
  it means {activity_words}. {sentences.released_against_formula(run)} The paper's
  F/L is {number(setup["latents"] / setup["context_length"], 0)}; its Table 1 has {number(_printed(run, "l0"), 2)}.

{sparsity}

{scores}

An SAE is so read out at an activity for which it was not trained, unless its budget happens to be near it; the budget
nearest to F/L = {number(activity, 1)} is the one of rate {rates(nearest)}. Explained variance is largest at rate
{rates(best)} as released, and at rate {rates(_best(sweep(run.metrics, "per_latent", "explained_variance")))} per latent,
where a higher rate is also a larger budget."""


def alive(run: MeasuredRun) -> str:
    rows = [[rates(group), *_cells(run, WTA_READOUTS, "frac_alive", group[0], 4)] for group in run.records()]
    batch_topk, topk = _cells(run, BASELINE_READOUTS, "frac_alive", run.scale.table_rate, 4)
    return f"""Fraction alive

- *Text* (section 5.2): WTA keeps every latent alive.
- *Code*: under the released readout each latent wins in every sequence in which it is positive at all, so that it counts as
  alive as soon as it is positive on one evaluation token. Under the other two it has to pass a threshold.
- *Effect*: as released a fraction near 1 is made by the rule. It says nothing about the rate, and little about the training.

{table(["rate", *WTA_HEADINGS], rows)}

The baselines at k = {run.scale.k}, each read out by its own rule: BatchTopK {batch_topk}, TopK {topk}."""


def collapse(run: MeasuredRun) -> str:
    setup, winners = run.published["setup"], winners_by_rate(run.metrics)
    paper = setup["batch_tokens"]
    there = {nominal: winners_per_latent(nominal, paper) for nominal in winners}
    distinct_there = len(set(there.values()))
    rows = [[rate(nominal), number(here, 0), number(there[nominal], 0)] for nominal, here in winners.items()]
    return f"""Rates that are one experiment

- *Text* (section 5.1): sparsity rates from {rate(setup["lowest_rate"])} to {rate(setup["highest_rate"])}.
- *Code*: max(1, ⌊rate · B⌋) winners a latent. All rates below 2/B have one winner: they are one experiment.
- *Effect*: at this run's B = {number(run.scale.batch_tokens, 0)} the {len(winners)} nominal rates are {len(run.groups())}
  SAEs; at the paper's B = {number(paper, 0)} they are {distinct_there}. Differences inside such a group in the paper's
  figures are noise, or come from the different text that each of its SAEs saw. Here each group is trained once and shown at
  each of its rates.

{table(["rate", "winners here", "winners in the paper"], rows)}"""


def threshold(run: MeasuredRun) -> str:
    rows = []
    for group in run.groups():
        l0, budget = run.at_rate(WTA_DESCRIBED, "l0", group[0]), run.budget(group[0])
        rows.append([f"WTA, {rates(group)}", *_sparsity(l0, budget), number(_ratio(run, WTA_DESCRIBED, group[0]), 2)])
    for baseline in BASELINE_READOUTS:
        l0 = run.at_rate(baseline, "l0", run.scale.table_rate)
        rows.append([baseline.heading, *_sparsity(l0, run.scale.k), number(_ratio(run, baseline, run.scale.table_rate), 2)])
    return f"""θ is an extreme statistic

- *Text* (section 3.1): θ follows the minimum positive activation observed across training batches.
- *Code*: a moving average of the ONE smallest winner of a whole batch, over all latents.
- *Effect*: where all latents share one cut, as in BatchTopK, the smallest winner is that cut. In WTA every latent has its
  own, θ_j, and the smallest says little about the others: the described readout then lets through more than was trained for,
  as L0 / budget tells. The last column is the median over latents of θ_j/θ: where it is near 1, one cut serves all.

{table(["SAE", "budget", "L0 described", "L0 / budget", "median θ_j/θ"], rows)}

BatchTopK is read out by its θ, TopK by its k largest."""


def each_ablation(run: MeasuredRun) -> str:
    names, table_rate = sentences.ablations(run), run.scale.table_rate
    columns = [(metric, digits, readout) for metric, _, digits in CORE for readout in WTA_READOUTS]
    rows = [
        [label, *(number(run.ablated(readout, metric, name), digits) for metric, digits, readout in columns)]
        for label, name in [("as this run trains it", None), *((sentences.ablation_title(run, name), name) for name in names)]
    ]
    spreads = [number(run.at_rate(readout, metric, table_rate).spread, digits) for metric, digits, readout in columns]
    rows.append(["spread over seeds", *spreads])
    changes = [
        f"- {sentences.ablation_title(run, name)}: {', '.join(_change(run, readout, name) for readout in WTA_READOUTS)}."
        for name in names
    ]
    wta, contexts = setting(run.config, "saes.wta"), setting(run.config, "activations")
    parts = table(
        ["", "text", "released code", "this run"],
        [
            [
                "`gate`",
                'θ gates the activations "during the initial training phase"',
                "no gate at first, later a gate in every step, under which θ can only rise",
                f"**{wta['gate']}**",
            ],
            [
                "`encoder_bias`",
                MISSING,
                "WTA's is saved without the norm factor, "
                f"{number(run.published['setup']['scale'], 1)} times too small; the baselines' is saved with it",
                f"**{'with it' if wta['rescale_encoder_bias'] else 'without it'}**",
            ],
            [
                "`packing`",
                MISSING,
                "trained on each document's first L tokens, without BOS, the rest thrown away; evaluated on packed contexts",
                f"**{contexts['packing']}, {'with' if contexts['prepend_bos'] else 'without'} BOS**",
            ],
        ],
    )
    heads = [f"{short} {heading}" for _, short, _ in CORE for heading in WTA_HEADINGS]
    if not names:
        return f"""Gate, encoder bias, contexts

{parts}

This run trains no SAE again to measure what each of these does."""
    alone = sentences.listed([sentences.ablation_title(run, name) for name in run.config["ablations"]])
    together = f", each alone, and with {sentences.ablation_title(run, names[-1])}" if len(names) > 1 else ""
    return f"""Gate, encoder bias, contexts

{parts}

Table 1's WTA SAE (rate {rate(table_rate)}, seed {run.scale.seeds[0]}) is trained again with {alone} as the released code
has it{together}. All are evaluated on the same contexts.

{table(["trained", *heads], rows)}

What that does to explained variance:

{chr(10).join(changes)}"""


def variances(run: MeasuredRun) -> str:
    metrics = ("explained_variance", "explained_variance_saebench", "explained_variance_legacy")
    rows = [
        [
            f"WTA, {readout.heading}" if readout in WTA_READOUTS else readout.heading,
            *(run.at_rate(readout, metric, run.scale.table_rate).text(3) for metric in metrics),
        ]
        for readout in PAPERS_READOUTS
    ]
    return f"""Three explained variances

- *Text* (section 3.2): 1 - MSE / Var(X), with the global mean: `explained_variance` here, the centred one.
- *Code* (SAEBench): what Table 1 prints subtracts the squared mean SQUARE where the squared mean is meant, so that in
  practice it is 1 - SSE / E|x|², not centred: `explained_variance_saebench`. Its older form is a token mean of ratios, with
  each batch's own mean: `explained_variance_legacy`.
- *Effect*: a large mean activation makes the second look better than the first.

{table(["SAE of Table 1", "centred", "SAEBench", "legacy"], rows)}"""


def at_the_matched_rate(run: MeasuredRun) -> str:
    setup = run.published["setup"]
    rows = []
    for nominal in (run.scale.table_rate, run.scale.matched_rate):
        cells = [
            run.at_rate(readout, metric, nominal).text(digits)
            for readout in (WTA_RELEASED, WTA_PER_LATENT)
            for metric, _, digits in CORE
        ]
        rows.append([rate(nominal), number(run.winners(nominal), 0), number(run.budget(nominal), 1), *cells])
    heads = [f"{short} {readout.heading}" for readout in (WTA_RELEASED, WTA_PER_LATENT) for _, short, _ in CORE]
    theirs = winners_per_latent(setup["table_rate"], setup["batch_tokens"])
    budget = variant_named(WTA).l0_budget(theirs, setup["latents"], setup["batch_tokens"])
    return f"""Rate {rate(setup["table_rate"])} is not the matched rate

- *Text* (section 5.3): at rate {rate(setup["table_rate"])} WTA's sparsity matches the baselines' k = {setup["k"]}.
- *Code*: that rate gives {theirs} winners, a budget of {number(budget, 1)} active latents a token; the rate whose budget is k
  is k/F = {rate(setup["k"] / setup["latents"])} in the paper and {rate(run.scale.matched_rate)} here. The released readout
  hides the difference.

{table(["rate", "winners", "budget", *heads], rows)}"""


def equal_l0(run: MeasuredRun) -> str:
    rows = []
    for variant, name in PAPERS_TITLES.items():
        budget = budget_of(variant, run.scale.matched_rate, run.scale.k)
        for rule in MATCHED_RULES:
            cells = [
                estimate(run.metrics, variant=variant, inference=rule, metric=metric, **budget).text(digits)
                for metric, _, digits in CORE
            ]
            rows.append([name, MATCHED_HEADINGS[rule], *cells])
    gaps = []
    for metric, label in SCORES:
        found = gap(run.scale, run.metrics, metric)
        part = MISSING if found.readout_percent is None else f"{number(found.readout_percent, 0)} %"
        gaps.append([label, found.released.text(3), found.own.text(3), part])
    released = run.at_rate(WTA_RELEASED, "l0", run.scale.matched_rate).text(1)
    return f"""WTA and the baselines at equal L0

All are trained at a budget of {run.scale.k} (WTA at rate {rate(run.scale.matched_rate)}:
{number(run.budget(run.scale.matched_rate), 1)}), and read out by cuts that other held-out text calibrated to L0 =
{run.scale.k}: the k largest of a token, one cut for all latents, or each latent's own
trained threshold times one factor.

{table(["trained", "read out by", *(short for _, short, _ in CORE)], rows)}

BatchTopK's value (one cut) less WTA's, where WTA is read out as released (at L0 = {released}) or by a cut a latent; the part
of the gap that the readout makes, and that the better one closes:

{table(["", "gap as released", "gap at equal L0, a cut a latent", "made by the readout"], gaps)}"""


def _cells(run: MeasuredRun, readouts: tuple[Readout, ...], metric: str, nominal: float, digits: int) -> list[str]:
    return [run.at_rate(readout, metric, nominal).text(digits) for readout in readouts]


def _best(line: Sweep) -> tuple[float, ...]:
    """The rates whose SAE has the largest value; none where nothing was measured."""
    return line.rates[line.means.index(max(line.means))] if line.means else ()


def _sparsity(l0: Estimate, budget: float) -> list[str]:
    return [number(budget, 1), l0.text(1), number(None if l0.mean is None else l0.mean / budget, 2)]


def _ratio(run: MeasuredRun, readout: Readout, nominal: float) -> float | None:
    return weights_value(run.metrics, readout, "threshold_ratio_median", nominal, run.scale.k)


def _printed(run: MeasuredRun, metric: str) -> float:
    return next(row["published"][WTA] for row in run.published["rows"] if row["metric"] == metric)


def _change(run: MeasuredRun, readout: Readout, name: str) -> str:
    value, word = sentences.change(run, readout, name)
    return f"{readout.heading} {value} (**{word}**)"
