"""The paper's conclusions as functions of a run's metrics: each can come out either way.

A function measures a margin, by how much a statement holds (below zero: by how much it fails), and sets it against the seeds'
noise (`wta_sae.presentation.estimates`). What "similar", "marginal" and the like are taken to mean is a tolerance here; the
paper does not say.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from wta_sae.plan.papers_variants import WTA
from wta_sae.presentation.estimates import Contrast, Estimate, Sweep
from wta_sae.presentation.notation import Notation
from wta_sae.presentation.papers_readouts import PAPERS_TITLES
from wta_sae.presentation.run import Run

STANDS, FAILS, NOISE, UNKNOWN = VERDICTS = ("stands", "does not stand", "within noise", "cannot be told")


@dataclass(frozen=True)
class Reading:
    """How the SAEs are read out where a statement is asked. rules: variant -> inference; matched: WTA at the matched rate."""

    label: str
    rules: dict[str, str | None]
    matched: bool = False


_OWN: dict[str, str | None] = {"batch_topk": "threshold", "topk": "topk"}
_OWN_CUTS: dict[str, str | None] = {WTA: "matched_per_latent", "batch_topk": "matched_threshold", "topk": "matched_topk"}
RELEASED = Reading("as released", {WTA: "released", **_OWN})
PER_LATENT = Reading("per latent", {WTA: "per_latent", **_OWN})
EQUAL_OWN = Reading("equal $L_0$, own cuts", _OWN_CUTS, matched=True)
EQUAL_SAME = Reading("equal $L_0$, $k$ largest", dict.fromkeys(PAPERS_TITLES, "matched_topk"), matched=True)
WEIGHTS = Reading("weights", dict.fromkeys(PAPERS_TITLES))
READINGS = (RELEASED, PER_LATENT, EQUAL_OWN, EQUAL_SAME, WEIGHTS)


class Margin(NamedTuple):
    """By how much a statement holds, and what was measured, in words."""

    value: Contrast
    measured: str = ""

    @property
    def verdict(self) -> str:
        """Cannot be told: a value was not measured, or its noise is not known, with one seed."""
        if not self.value.known:
            return UNKNOWN
        if not self.value.counts():
            return NOISE
        return STANDS if self.value.mean > 0 else FAILS


@dataclass(frozen=True)
class Measurement:
    """What a claim may ask: one metric in one reading of a run's SAEs, and how it is written."""

    run: Run
    notation: Notation
    metric: str
    digits: int
    reading: Reading

    def of(self, variant: str) -> Estimate:
        if self.reading.matched:
            return self.run.matched(variant, self.reading.rules[variant], self.metric)
        return self.run.at_rule(variant, self.reading.rules[variant], self.metric)

    def sweep(self) -> Sweep:
        return self.run.metrics.sweep(self.reading.rules[WTA], self.metric)

    def number(self, value: float) -> str:
        return self.notation.number(value, self.digits)

    def trio(self) -> str:
        """The three variants' values."""
        named = ((name, self.of(variant)) for variant, name in PAPERS_TITLES.items())
        return ", ".join(f"{name} {self.notation.estimate(value, self.digits)}" for name, value in named)

    def ends(self, line: Sweep) -> str:
        """The values at the lowest and at the highest rate."""
        if not line.means:
            return self.notation.missing
        return "; ".join(f"{self.number(line.means[i])} at {self.notation.rates(line.rates[i])}" for i in (0, -1))


# On the SAEs of Table 1, or of the matched comparison


def similar(asked: Measurement, tolerance: float) -> Margin:
    """WTA differs from TopK by at most `tolerance` of TopK's value."""
    wta, topk = asked.of(WTA), asked.of("topk")
    difference = wta - topk
    return Margin(difference._replace(mean=tolerance * abs(topk.mean) - abs(difference.mean)), asked.trio())


def lags(asked: Measurement) -> Margin:
    """WTA lies below both baselines."""
    return Margin(_baseline(asked, min) - asked.of(WTA), asked.trio())


def leads(asked: Measurement) -> Margin:
    """WTA lies above both baselines."""
    return Margin(asked.of(WTA) - _baseline(asked, max), asked.trio())


def marginal(asked: Measurement, tolerance: float) -> Margin:
    """WTA differs from the better baseline by at most `tolerance`."""
    difference = _baseline(asked, max) - asked.of(WTA)
    return Margin(difference._replace(mean=tolerance - abs(difference.mean)), asked.trio())


def _baseline(asked: Measurement, pick: Callable) -> Estimate:
    baselines = [asked.of("batch_topk"), asked.of("topk")]
    unmeasured = [found for found in baselines if math.isnan(found.mean)]
    return unmeasured[0] if unmeasured else pick(baselines, key=lambda found: found.mean)


# Along WTA's rates


def rises(asked: Measurement, sign: int = 1) -> Margin:
    """The highest rate lies above the lowest, and no step back is more than noise."""
    line = asked.sweep()
    if len(line.means) < 2:
        return Margin(line.of_two(math.nan), asked.ends(line))
    values = [sign * mean for mean in line.means]
    back = line.of_two(max(max(values[:i]) - values[i] for i in range(1, len(values))))
    gain = line.of_two(values[-1] - values[0])
    word = "drop" if sign > 0 else "rise"
    measured = f"{asked.ends(line)}; largest {word} on the way {asked.number(max(back.mean, 0.0))}"
    return Margin(back._replace(mean=-back.mean) if back.mean > 0 and back.counts() else gain, measured)


falls = partial(rises, sign=-1)
"""The highest rate lies below the lowest, and no step back is more than noise."""


def peaks_inside(asked: Measurement) -> Margin:
    """A rate between the lowest and the highest lies above both."""
    line = asked.sweep()
    if len(line.means) < 3:
        return Margin(line.of_two(math.nan), asked.ends(line))
    between = max(line.means[1:-1])
    at = asked.notation.rates(line.rates[line.means.index(between, 1)])
    measured = f"{asked.ends(line)}; between them at most {asked.number(between)}, at {at}"
    return Margin(line.of_two(between - max(line.means[0], line.means[-1])), measured)


def negative_at_lowest(asked: Measurement) -> Margin:
    """The value at the lowest rate is below zero."""
    line = asked.sweep()
    return Margin(line.of_one(-line.means[0] if line.means else math.nan), asked.ends(line))


def always_at_least(asked: Measurement, tolerance: float) -> Margin:
    """No rate lies below `tolerance`."""
    line = asked.sweep()
    if not line.means:
        return Margin(line.of_one(math.nan), asked.ends(line))
    lowest = line.lowest()
    at = asked.notation.rates(line.rates_of(lowest))
    return Margin(line.of_one(lowest - tolerance), f"lowest {asked.number(lowest)}, at {at}")


def near_best(asked: Measurement, tolerance: float) -> Margin:
    """Table 1's rate lies at most `tolerance` below the best rate."""
    line, table, notation = asked.sweep(), asked.of(WTA), asked.notation
    if not line.means or math.isnan(table.mean):
        return Margin(line.of_two(math.nan), notation.missing)
    here = f"{notation.estimate(table, asked.digits)} at {notation.rate(asked.run.table_rate)}"
    best = line.highest()
    measured = f"{here}; best {asked.number(best)}, at {notation.rates(line.rates_of(best))}"
    return Margin(line.of_two(tolerance - (best - table.mean)), measured)


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, the function that decides it on one metric, and in which readings it is asked."""

    section: str
    statement: str
    decide: Callable[[Measurement], Margin]
    metric: str
    digits: int
    readings: Sequence[Reading]

    @property
    def place(self) -> str:
        return self.section if self.section.isalpha() else f"section {self.section}"


BOTH = (RELEASED, PER_LATENT)
ALL_FOUR = (*BOTH, EQUAL_OWN, EQUAL_SAME)
LOWEST_ALIVE_PRINTED = 0.9975
CLAIMS = (
    Claim("5.3", "All methods achieve similar $L_0$ levels.", partial(similar, tolerance=0.05), "l0", 1, BOTH),
    Claim(
        "5.3",
        "WTA has a lower reconstruction fidelity than the baselines (centred explained variance).",
        lags,
        "explained_variance",
        3,
        ALL_FOUR,
    ),
    Claim(
        "5.3",
        "WTA preserves the model's behaviour less than the baselines (CE loss score).",
        lags,
        "ce_loss_score",
        3,
        ALL_FOUR,
    ),
    Claim(
        "5.3",
        "WTA's sparse probing accuracy is only marginally lower.",
        partial(marginal, tolerance=0.01),
        "sae_test_accuracy",
        3,
        BOTH,
    ),
    Claim("5.3", "WTA's SCR is lower than the baselines'.", lags, "scr_metric_threshold_20", 3, BOTH),
    Claim("5.3", "WTA's TPP is lower than the baselines'.", lags, "tpp_threshold_20_total_metric", 3, BOTH),
    Claim("5.2", "The KL score peaks at a middle rate and drops at the highest.", peaks_inside, "kl_div_score", 3, BOTH),
    Claim("5.2", "Explained variance rises with the rate (the centred one).", rises, "explained_variance", 3, BOTH),
    Claim(
        "5.2",
        "Explained variance is highly negative at the lowest rates (SAEBench's, not centred).",
        negative_at_lowest,
        "explained_variance_saebench",
        3,
        BOTH,
    ),
    Claim("5.2", "$L_1$ falls as the rate grows (called counter-intuitive).", falls, "l1", 1, BOTH),
    Claim(
        "5.2",
        "Nearly every latent is alive at every rate.",
        partial(always_at_least, tolerance=LOWEST_ALIVE_PRINTED),
        "frac_alive",
        4,
        BOTH,
    ),
    Claim("abstract", "WTA eliminates the dead latents that the baselines may have.", leads, "frac_alive", 4, BOTH),
    Claim(
        "5.2",
        "The median cosine between encoder and decoder rises with the rate.",
        rises,
        "encoder_decoder_cosine_sim_median",
        3,
        (WEIGHTS,),
    ),
    Claim(
        "5.2",
        "0.01 is a good rate (its KL score is near the sweep's best).",
        partial(near_best, tolerance=0.02),
        "kl_div_score",
        3,
        (RELEASED,),
    ),
)


class Finding(NamedTuple):
    """One claim in one reading: what was measured, and the verdict."""

    claim: Claim
    reading: Reading
    measured: str
    verdict: str
    near_border: bool


def decided(run: Run, notation: Notation, claims: Iterable[Claim] = CLAIMS) -> list[Finding]:
    """Every claim in each of its readings, in order."""
    findings = []
    for claim in claims:
        for reading in claim.readings:
            margin = claim.decide(Measurement(run, notation, claim.metric, claim.digits, reading))
            findings.append(Finding(claim, reading, margin.measured, margin.verdict, margin.value.near_border))
    return findings


def tally(findings: Iterable[Finding], reading: Reading) -> Counter[str]:
    """How many statements have each verdict in a reading."""
    return Counter(finding.verdict for finding in findings if finding.reading is reading)
