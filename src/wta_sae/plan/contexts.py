"""Which sets of contexts a run's text is packed into, and which caches of activations its SAEs train on."""

from collections.abc import Iterable, Mapping
from typing import Any

from wta_sae.plan.saes import SAESpec

CONCATENATED = {"packing": "concatenated", "prepend_bos": True}


def contexts_name(spec: SAESpec) -> str:
    """Of the contexts that an SAE's activations are of; the language model trains on `train`."""
    if (spec.packing, spec.prepend_bos) == tuple(CONCATENATED.values()):
        return "train"
    return f"train-{spec.packing}" if spec.prepend_bos else f"train-{spec.packing}-without-bos"


def cache_name(config: Mapping[str, Any], spec: SAESpec) -> str:
    """The folder of the activations that an SAE trains on: the run's own, or one that only ablations train on."""
    own = config["activations"]["packing"], config["activations"]["prepend_bos"]
    return "activations" if (spec.packing, spec.prepend_bos) == own else f"activations-{contexts_name(spec)}"


def requested_contexts(config: Mapping[str, Any], specs: Iterable[SAESpec]) -> dict[str, dict[str, Any]]:
    """Each set of contexts by its name, with the options of the stage `tokenize` that make it."""
    text = config["text"]
    training = {"split": "train", "contexts": text["train_contexts"], "contexts_key": "text.train_contexts", **CONCATENATED}
    found: dict[str, dict[str, Any]] = {"train": training}
    for spec in sorted(specs, key=lambda spec: spec.ablation is not None):
        needed = {"tokens": config["activations"]["tokens"]}
        if spec.ablation is not None:
            needed["asked_by"] = f"ablations: {spec.ablation}"
        # Packed first, how many contexts there are is the documents' own number.
        packed_first = {"split": "train", "packing": spec.packing, "prepend_bos": spec.prepend_bos}
        options = found.setdefault(contexts_name(spec), packed_first)
        if "tokens" not in options:
            options |= needed
        if spec.packing == "concatenated":
            options |= {key: training[key] for key in ("contexts", "contexts_key")}
    return found | {
        "evaluation": {
            "split": "evaluation",
            "contexts": text["evaluation_contexts"],
            "contexts_key": "text.evaluation_contexts",
            **CONCATENATED,
        },
        "calibration": {
            "split": "evaluation",
            "skip": text["evaluation_contexts"],
            "contexts": text["calibration_contexts"],
            "contexts_key": "text.calibration_contexts beside text.evaluation_contexts",
            **CONCATENATED,
        },
    }
