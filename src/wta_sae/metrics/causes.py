"""What it probably means where a run's numbers are not the expected ones."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wta_sae.base.errors import several
from wta_sae.metrics.expected import Deviation

ON_TEXTS = ("sae_", "scr_", "tpp_")  # metrics of labelled texts
FEW, NEAR = 0.02, 1.5  # a share of the numbers, and tolerances: what chance may do
PACKAGES = {"sklearn": "scikit-learn"}  # of the text, by their distributions' names


def differences_of_run(
    provenance: Mapping[str, Any] | None, config: Mapping[str, Any], pins: Mapping[str, str]
) -> Iterator[str]:
    """In what a run is another than the one that numbers are expected of.

    provenance: of `record-provenance`, where there is one; config: the expected run's; pins: library -> version.
    """
    if provenance is None or "config" not in provenance:  # before it had all
        yield "No provenance.json of this version beside the metrics: what configuration and versions they are of is unknown."
        return
    if keys := [key for key in _differing_keys(provenance["config"], config) if key != "run"]:
        yield f"The configuration is another, in {several(keys, 5)}: other numbers are right."
    found = {name: versions for name, versions in provenance["versions"].items() if name in pins}
    for of_file in provenance["tokens"].values():
        packages = of_file.get("text", {}).get("dataset", {}).get("packages", {})
        found |= {PACKAGES.get(name, name): [version] for name, version in packages.items()}
    others = [
        f"{name} {version} (pinned: {pins[name]})"
        for name, versions in found.items()
        for version in versions
        if name in pins and version.split("+")[0] != pins[name]
    ]
    if others:
        yield (
            f"Versions are not the pinned ones: {several(others, 5)}. The packages' documentation is the text, so that another "
            "version is another text; ./run installs the pinned ones."
        )
    if True in provenance["modified"]:
        yield "SAEs were trained by code with changes that are in no commit."


def probable_causes(off: Sequence[Deviation], compared: int) -> Iterator[str]:
    """What the pattern of the numbers that are off says. compared: how many were looked at."""
    if not off:
        return
    saes, metrics = {one.sae for one in off}, {one.metric for one in off}
    if "ce_loss_without_sae" in metrics:
        yield (
            "The language model itself is another (ce_loss_without_sae is of no SAE), so all that follows may be: other text, "
            "other pins, or another training of it. Compare its checksum in provenance.json with that of another machine."
        )
        return
    if len(off) <= FEW * compared and max(one.tolerances for one in off) <= NEAR:
        yield f"{len(off)} of {compared}, each beyond its tolerance by half of it at the most: chance, or another processor."
        return
    if any(one.metric == "l0" and one.tolerances > NEAR for one in off):
        yield "L0 is off: the budget is another, or the inference rule is not what it was; other numbers of those SAEs follow."
    if all(metric.startswith(ON_TEXTS) for metric in metrics):
        yield "Only metrics of labelled texts are off: the texts, the probes or how they are pooled changed, not the SAEs."
    elif all("zipf" in sae for sae in saes):
        yield "Only SAEs on synthetic activations are off: the section `synthetic`, or the code of synthetic/."
    elif all(one.inference.startswith("matched_") for one in off):
        yield "Only the comparison at equal L0 is off: the calibration of thresholds, not the SAEs."
    elif len(variants := {sae.split("-k")[0] for sae in saes}) == 1:
        yield f"Only {variants.pop()} is off: its rule, its options or its readouts, not what the variants share."
    else:
        yield "Several variants are off, and the language model is not: activations, the trainer, or an evaluation they share."


def _differing_keys(one: Any, other: Any, within: str = "") -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            yield from _differing_keys(one.get(key), other.get(key), f"{within}.{key}" if within else str(key))
    elif one != other:
        yield within
