r"""The paper's conclusions as predicates on a run's metrics: each can come out either way.

`paper/published.yaml` lists them under `claims`: statement, section, the predicate here that decides it, metric, readings.
A predicate measures a margin, by how much a statement holds (below zero: by how much it fails), and sets it against the
seeds' noise (`wta_sae.presentation.estimates`).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from wta_sae.base.errors import UserError
from wta_sae.presentation import markdown
from wta_sae.presentation.estimates import Estimate, Sweep, beyond_noise, estimate, joint_noise, sweep
from wta_sae.presentation.metrics_table import budget_of
from wta_sae.presentation.papers_readouts import PAPERS_TITLES
from wta_sae.presentation.settings import Scale

STANDS, FAILS, NOISE, UNKNOWN = "stands", "does not stand", "within noise", "cannot be told"


@dataclass(frozen=True)
class Reading:
    """How the SAEs are read out where a statement is asked. rules: variant -> inference; matched: WTA at the matched rate."""

    label: str
    rules: dict[str, str | None]
    matched: bool = False


_OWN = {"batch_topk": "threshold", "topk": "topk"}
READINGS = {
    "released": Reading("as released", {"wta": "released", **_OWN}),
    "per_latent": Reading("per latent", {"wta": "per_latent", **_OWN}),
    "equal_own": Reading(
        "equal $L_0$, own cuts",
        {"wta": "matched_per_latent", "batch_topk": "matched_threshold", "topk": "matched_topk"},
        matched=True,
    ),
    "equal_same": Reading("equal $L_0$, $k$ largest", dict.fromkeys(PAPERS_TITLES, "matched_topk"), matched=True),
    "weights": Reading("weights", dict.fromkeys(PAPERS_TITLES)),
}


class Margin(NamedTuple):
    """By how much a statement holds, the noise of that, and what was measured, in words."""

    value: float | None
    noise: float | None
    measured: str

    @property
    def verdict(self) -> str:
        """Cannot be told: a value was not measured, or its noise is not known, with one seed."""
        if self.value is None or self.noise is None:
            return UNKNOWN
        if not beyond_noise(self.value, self.noise):
            return NOISE
        return STANDS if self.value > 0 else FAILS


class Finding(NamedTuple):
    """One statement in one reading: what was measured, and the verdict."""

    reading: Reading
    measured: str
    verdict: str


class Claim(NamedTuple):
    """A statement of the paper, and its findings."""

    statement: str
    section: str
    findings: list[Finding]


@dataclass(frozen=True)
class Measurement:
    """What a predicate may ask: one metric in one reading of a run's SAEs."""

    metrics: pd.DataFrame
    scale: Scale
    metric: str
    digits: int
    reading: Reading

    def of(self, variant: str) -> Estimate:
        rate = self.scale.matched_rate if self.reading.matched else self.scale.table_rate
        budget = budget_of(variant, rate, self.scale.k)
        return estimate(self.metrics, variant=variant, inference=self.reading.rules[variant], metric=self.metric, **budget)

    def sweep(self) -> Sweep:
        return sweep(self.metrics, self.reading.rules["wta"], self.metric)

    def number(self, value: float | None) -> str:
        return markdown.number(value, self.digits)


def paper_claims(scale: Scale, metrics: pd.DataFrame, published: dict[str, Any]) -> list[Claim]:
    """Every claim of `published`, decided on `metrics`. Raises UserError for a predicate or reading that does not exist."""
    claims = []
    for entry in published["claims"]:
        predicate = _named(entry["predicate"], PREDICATES, "predicate")
        options = {"tolerance": float(entry["tolerance"])} if "tolerance" in entry else {}
        findings = []
        for name in entry["readings"]:
            reading = _named(name, READINGS, "reading")
            margin = predicate(Measurement(metrics, scale, entry["metric"], entry["digits"], reading), **options)
            findings.append(Finding(reading, margin.measured, margin.verdict))
        claims.append(Claim(entry["statement"], entry["section"], findings))
    return claims


def tally(claims: list[Claim], reading: str) -> Counter[str]:
    """How many statements have each verdict in a reading of READINGS."""
    return Counter(finding.verdict for claim in claims for finding in claim.findings if finding.reading == READINGS[reading])


def _named(name: str, known: dict[str, Any], kind: str) -> Any:
    if name not in known:
        raise UserError(f"claims: unknown {kind} {name!r}; use one of: {', '.join(known)}")
    return known[name]


# Predicates on the SAEs of Table 1, or of the matched comparison


def similar(asked: Measurement, tolerance: float) -> Margin:
    """WTA differs from TopK by at most `tolerance` of TopK's value."""
    wta, topk = asked.of("wta"), asked.of("topk")
    if wta.mean is None or topk.mean is None:
        return Margin(None, None, _trio(asked))
    margin = tolerance * abs(topk.mean) - abs(wta.mean - topk.mean)
    return Margin(margin, joint_noise(wta.spread, topk.spread), _trio(asked))


def lags(asked: Measurement) -> Margin:
    """WTA lies below both baselines."""
    return _against(asked, pick=min, sign=1)


def leads(asked: Measurement) -> Margin:
    """WTA lies above both baselines."""
    return _against(asked, pick=max, sign=-1)


def marginal(asked: Measurement, tolerance: float) -> Margin:
    """WTA differs from the better baseline by at most `tolerance`."""
    gap = _against(asked, pick=max, sign=1)
    return gap._replace(value=None if gap.value is None else tolerance - abs(gap.value))


def _against(asked: Measurement, pick: Callable, sign: int) -> Margin:
    wta, baselines = asked.of("wta"), [asked.of("batch_topk"), asked.of("topk")]
    if None in (wta.mean, *(baseline.mean for baseline in baselines)):
        return Margin(None, None, _trio(asked))
    baseline = pick(baselines, key=lambda found: found.mean)
    return Margin(sign * (baseline.mean - wta.mean), joint_noise(wta.spread, baseline.spread), _trio(asked))


def _trio(asked: Measurement) -> str:
    return ", ".join(f"{name} {asked.of(variant).text(asked.digits)}" for variant, name in PAPERS_TITLES.items())


# Predicates along WTA's rates


def rises(asked: Measurement) -> Margin:
    """The highest rate lies above the lowest, and no step back is more than noise."""
    return _trend(asked, sign=1)


def falls(asked: Measurement) -> Margin:
    """The highest rate lies below the lowest, and no step back is more than noise."""
    return _trend(asked, sign=-1)


def _trend(asked: Measurement, sign: int) -> Margin:
    line = asked.sweep()
    if len(line.means) < 2:
        return Margin(None, None, _ends(asked, line))
    noise = joint_noise(line.noise, line.noise)
    values = [sign * mean for mean in line.means]
    back = max(max(values[:i]) - values[i] for i in range(1, len(values)))
    gain = values[-1] - values[0]
    word = "drop" if sign > 0 else "rise"
    measured = f"{_ends(asked, line)}; largest {word} on the way {asked.number(max(back, 0.0))}"
    return Margin(-back if back > 0 and beyond_noise(back, noise) else gain, noise, measured)


def peaks_inside(asked: Measurement) -> Margin:
    """A rate between the lowest and the highest lies above both."""
    line = asked.sweep()
    if len(line.means) < 3:
        return Margin(None, None, _ends(asked, line))
    between = max(line.means[1:-1])
    at = line.rates[line.means.index(between, 1)]
    measured = f"{_ends(asked, line)}; between them at most {asked.number(between)}, at {markdown.rates(at)}"
    return Margin(between - max(line.means[0], line.means[-1]), joint_noise(line.noise, line.noise), measured)


def negative_at_lowest(asked: Measurement) -> Margin:
    """The value at the lowest rate is below zero."""
    line = asked.sweep()
    return Margin(-line.means[0] if line.means else None, line.noise, _ends(asked, line))


def always_at_least(asked: Measurement, tolerance: float) -> Margin:
    """No rate lies below `tolerance`."""
    line = asked.sweep()
    if not line.means:
        return Margin(None, None, _ends(asked, line))
    lowest = min(line.means)
    at = line.rates[line.means.index(lowest)]
    return Margin(lowest - tolerance, line.noise, f"lowest {asked.number(lowest)}, at {markdown.rates(at)}")


def near_best(asked: Measurement, tolerance: float) -> Margin:
    """Table 1's rate lies at most `tolerance` below the best rate."""
    line, table = asked.sweep(), asked.of("wta")
    if not line.means or table.mean is None:
        return Margin(None, None, markdown.MISSING)
    best = max(line.means)
    at = line.rates[line.means.index(best)]
    here = f"{table.text(asked.digits)} at {markdown.rate(asked.scale.table_rate)}"
    measured = f"{here}; best {asked.number(best)}, at {markdown.rates(at)}"
    return Margin(tolerance - (best - table.mean), joint_noise(line.noise, line.noise), measured)


def _ends(asked: Measurement, line: Sweep) -> str:
    if not line.means:
        return markdown.MISSING
    first, last = (f"{asked.number(line.means[i])} at {markdown.rates(line.rates[i])}" for i in (0, -1))
    return f"{first}; {last}"


PREDICATES: dict[str, Callable[..., Margin]] = {
    function.__name__: function
    for function in (similar, lags, leads, marginal, rises, falls, peaks_inside, negative_at_lowest, always_at_least, near_best)
}
