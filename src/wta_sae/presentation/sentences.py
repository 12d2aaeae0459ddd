"""Sentences about a run that take their words from it, for the paper and the report alike.

Plain text as `markdown` makes it: names in backticks. `markdown.to_latex` turns it into LaTeX.
"""

from wta_sae.plan.ablations import ALL_ABLATIONS
from wta_sae.plan.labelled_sets import DOCSTRINGS, FILES, HUB, concept_pairs, drawn_datasets
from wta_sae.plan.papers_variants import WTA
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation.estimates import Estimate, change_word
from wta_sae.presentation.gap import gap
from wta_sae.presentation.markdown import number, rate
from wta_sae.presentation.measured_run import MeasuredRun
from wta_sae.presentation.metrics_table import SCR, budgets_of, why_undefined
from wta_sae.presentation.papers_readouts import WTA_READOUTS, WTA_RELEASED
from wta_sae.presentation.settings import papers_model, setting
from wta_sae.variants.readout import Readout

WHAT_THE_CODE_DOES = {
    "gate": "The text lets θ gate the activations in the initial phase of training, the released code only after it",
    "encoder_bias": "The released code leaves WTA's encoder bias unscaled when it saves an SAE, where the baselines' is "
    "scaled, so that the published bias is about {scale} times too small",
    "packing": "The released code trains on the first tokens of each document without BOS, and evaluates on packed contexts "
    "that start with it",
}
"""The ablations, each with what the released code does otherwise; {scale}: the norm factor in the authors' log."""


def listed(items: list[str]) -> str:
    """As a sentence lists them: "a, b and c"."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


# The run beside the paper's


def training_tokens(run: MeasuredRun) -> int:
    return int(setting(run.config, "activations.tokens")) * int(setting(run.config, "training.epochs"))


def foreign(run: MeasuredRun) -> str:
    """Which marks of Figure 3 are SAEs from elsewhere; empty where there are none."""
    names = list(setting(run.config, "foreign_saes"))
    return f" Trained elsewhere, read out by their own rule: {listed(_code(names))}." if names else ""


def papers_scale(run: MeasuredRun) -> bool:
    """Whether the SAEs are the paper's in size, on as much of its model's activations."""
    setup, own = run.published["setup"], run.scale
    same_sizes = (own.latents, own.batch_tokens, own.context_length, own.k) == tuple(
        setup[key] for key in ("latents", "batch_tokens", "context_length", "k")
    )
    return papers_model(run.config, run.published) and same_sizes and training_tokens(run) == setup["tokens"]


def comparison(run: MeasuredRun) -> str:
    """In what published and rebuilt numbers are to be compared."""
    if papers_scale(run):
        return (
            "This run has the paper's model, layer and sizes, so that published and rebuilt values may be compared in their "
            "digits."
        )
    return (
        "The scale is that of this run, not the paper's, so that published and rebuilt values are to be compared in their "
        "pattern, not in their digits."
    )


def papers_datasets(run: MeasuredRun) -> bool:
    return set(_dataset_names(run)) == set(run.published["setup"]["labelled_datasets"])


def labelled_texts(run: MeasuredRun) -> str:
    """What sparse probing, SCR and TPP run on, as the object of a sentence."""
    theirs = run.published["setup"]["labelled_datasets"]
    names = _dataset_names(run)
    shared = [name for name in names if name in theirs]
    if setting(run.config, "labelled_texts.source") == DOCSTRINGS:
        return "the documentation of installed packages, labelled by package, and not on SAEBench's datasets"
    if setting(run.config, "labelled_texts.source") == FILES:
        own = drawn_datasets(run.config, FILES)
        return f"labelled texts of this run's own, {listed(_code(own))}, and not on SAEBench's datasets"
    if papers_datasets(run):
        return f"labelled sets of SAEBench's datasets, {listed(_code(names))}"
    if shared == names:
        return f"labelled sets of {len(names)} of SAEBench's {len(theirs)} datasets, {listed(_code(names))}"
    return f"labelled sets of {listed(_code(names))}, and not on SAEBench's datasets alone"


def open_questions(run: MeasuredRun) -> list[str]:
    """What the paper's numbers depend on and this run cannot tell; none where the run has the paper's scale and data."""
    setup, tokens = run.published["setup"], training_tokens(run)
    steps = tokens // run.scale.batch_tokens
    same_model = papers_model(run.config, run.published)
    asked = {
        f"The size of every gap on {setup['model']}, layer {setup['layer']}, with {number(setup['latents'], 0)} latents: the "
        "verdicts above are for this run's model and schedule.": not papers_scale(run),
        f"Whether latents die in a long training. In the paper's code a latent is dead after "
        f"{number(setup['dead_after_tokens'], 0)} tokens without firing; here all of training is {number(tokens, 0)} tokens.": (
            tokens <= setup["dead_after_tokens"]
        ),
        "What the unscaled encoder bias costs there: it depends on the model's norm factor, "
        f"{number(setup['scale'], 1)} in the authors' log.": not (same_model and "encoder_bias" in run.config["ablations"]),
        f"Whether θ and θ_j, moving averages, settle closer to the budgets over {number(setup['steps'], 0)} steps.": (
            steps < setup["steps"]
        ),
        "Sparse probing, SCR and TPP on SAEBench's datasets.": not papers_datasets(run),
        "How much of the published differences is noise between seeds: the paper has one seed.": (
            not papers_scale(run) or len(run.scale.seeds) < 2
        ),
    }
    return [question for question, is_open in asked.items() if is_open]


def _dataset_names(run: MeasuredRun) -> list[str]:
    names = [run.config["labelled_texts"]["hub"]["datasets"][name]["name"] for name in drawn_datasets(run.config, HUB)]
    return list(dict.fromkeys(names))


def _code(names: list[str]) -> list[str]:
    return [f"`{name}`" for name in names]


# Seeds


def with_seeds(run: MeasuredRun) -> str:
    count = len(run.scale.seeds)
    return "with one seed" if count == 1 else f"with {count} seeds"


def seeds(run: MeasuredRun) -> str:
    """Which SAEs are trained with which seeds, and what counts as a difference."""
    first, *further = map(str, run.scale.seeds)
    if not further:
        return (
            f"The seed of every SAE is {first}. With one seed nothing is known of the spread between trainings, so that no "
            "difference can be told from noise."
        )
    return (
        f"The seeds are {listed([first, *further])}. The SAEs of the tables are trained with each of them; their values are "
        "means over seeds, ± is the standard deviation, and a difference counts where it is more than twice its standard "
        "deviation. All are evaluated on the same texts, so that this is the spread of training and not of drawing texts. All "
        f"other SAEs have seed {first}."
    )


def spread_of_labelled(run: MeasuredRun) -> str:
    """How far the scores on labelled texts can be trusted, and why one is not there."""
    one_seed = len(run.scale.seeds) == 1
    trust = "With one seed their noise is not known." if one_seed else "The tables have their spreads over training seeds."
    if not concept_pairs(run.config):
        return f"{trust} SCR is not measured: it needs texts with a second label, and this run's config names no pairs."
    reason = why_undefined(run.metrics, SCR)
    return f"{trust} SCR is undefined where {reason}." if reason else trust


# Rates and the released readout


def shared_rates(run: MeasuredRun) -> str:
    """Which nominal rates are one experiment."""
    sentences = [
        f"The {len(group)} rates {listed([rate(value) for value in group])} have {_winners(run.winners(group[0]))} each and "
        "share one trained SAE."
        for group in run.groups()
        if len(group) > 1
    ]
    nominal, trained = len(budgets_of(run.metrics, WTA)), len(run.groups())
    if not sentences:
        return f"In this run no two rates share an SAE: the {nominal} nominal rates are {trained} SAEs."
    return f"In this run: {' '.join(sentences)} The {nominal} nominal rates are {trained} SAEs."


def released_activity(run: MeasuredRun) -> str:
    """What the released rule reads every rate out at, whatever it was trained for."""
    winners = sorted({winners_per_latent(value, run.scale.batch_contexts) for value in budgets_of(run.metrics, WTA)})
    activity = run.scale.latents / run.scale.context_length
    if len(winners) == 1:
        gives = number(winners[0] * activity, 1)
        return f"{_winners(winners[0])} a sequence at every rate, which gives {gives} active latents a token"
    return (
        f"{winners[0]} to {winners[-1]} winners a sequence, by the rate, each of which gives F/L = {number(activity, 1)} "
        "active latents a token"
    )


def released_against_formula(run: MeasuredRun) -> str:
    """The measured activity as a share of the formula's, over the rates."""
    activity = run.scale.latents / run.scale.context_length
    shares = []
    for value in budgets_of(run.metrics, WTA):
        measured = run.at_rate(WTA_RELEASED, "l0", value).mean
        if measured is not None:
            shares.append(measured / (activity * winners_per_latent(value, run.scale.batch_contexts)))
    if not shares:
        return "It was not measured in this run."
    least, most = number(min(shares), 2), number(max(shares), 2)
    measured = f"{least} times" if least == most else f"{least} to {most} times"
    return (
        f"Measured it is {measured} that: neither special tokens nor winners at them are counted, and a latent that is "
        "positive nowhere in a sequence wins nothing."
    )


def _winners(count: int) -> str:
    return "one winner" if count == 1 else f"{count} winners"


# Ablations


def ablations(run: MeasuredRun) -> list[str]:
    """Those that this run measures, the one of all of them together where there are several."""
    names = list(run.config["ablations"])
    return names + ([ALL_ABLATIONS] if len(names) > 1 else [])


def ablation_title(run: MeasuredRun, name: str) -> str:
    return f"{listed(_code(run.config['ablations']))} together" if name == ALL_ABLATIONS else f"`{name}`"


def change(run: MeasuredRun, readout: Readout, name: str) -> tuple[str, str]:
    """What an ablation does to centred explained variance, and whether it counts."""
    before, after = (run.ablated(readout, "explained_variance", ablation) for ablation in (None, name))
    spread = run.at_rate(readout, "explained_variance", run.scale.table_rate).spread
    return number(None if None in (before, after) else after - before, 3), change_word(before, after, spread)


def measured_ablations(run: MeasuredRun) -> str:
    """What the released code does otherwise in training WTA, and what each of it does to centred explained variance here."""
    own = run.config["ablations"]
    said = [text.format(scale=number(run.published["setup"]["scale"], 1)) for text in WHAT_THE_CODE_DOES.values()]
    parts = [
        f"({numeral}) {text}" + (f": {_changes(run, name)}." if name in own else "; this run does not measure it.")
        for numeral, name, text in zip(("i", "ii", "iii"), WHAT_THE_CODE_DOES, said, strict=True)
    ]
    if not own:
        return " ".join(parts)
    parts.insert(
        0,
        f"We train WTA at rate {rate(run.scale.table_rate)} again with what the released code does otherwise, and give the "
        "change in centred explained variance as described, as released and per latent.",
    )
    if len(own) > 1:
        parts.append(f"With {ablation_title(run, ALL_ABLATIONS)}: {_changes(run, ALL_ABLATIONS)}.")
    return " ".join(parts)


def _changes(run: MeasuredRun, name: str) -> str:
    return listed([f"{value} ({word})" for value, word in (change(run, readout, name) for readout in WTA_READOUTS)])


# The gap to BatchTopK


def readouts_part(run: MeasuredRun, metric: str, whole: str) -> str:
    """Which part of WTA's gap to BatchTopK the released readout makes. whole: what the gap is called in the sentence."""
    percent = gap(run.scale, run.metrics, metric).readout_percent
    if percent is None:
        return f"which part of {whole} the readout makes cannot be told"
    return f"the readout makes {number(percent, 0)} % of {whole}"


def rest_of_the_gap(run: MeasuredRun, metric: str) -> str:
    """What is left of the gap at equal L0."""
    own: Estimate = gap(run.scale, run.metrics, metric).own
    if own.mean is None:
        return "What is left at equal activity was not measured."
    if own.mean <= 0:
        return f"At equal activity nothing of the gap is left ({own.text(3)})."
    return f"What is left at equal activity, {own.text(3)}, is the training's, whose rule has every latent fire equally often."
