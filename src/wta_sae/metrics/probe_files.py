"""Probes of the language model on one set of labelled texts, on disk: trained once, and read by each SAE's evaluation.

Shape suffixes: P probes, D model width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.machine.files import anew
from wta_sae.machine.tensor_files import read_tensors, write_tensors
from wta_sae.metrics.probes import Probe
from wta_sae.metrics.probing import ProbingBaseline
from wta_sae.metrics.tpp import ClassProbes


@dataclass(frozen=True)
class ModelProbes:
    """What each family of metrics asks of the language model on a set of texts, or None where it is not measured there.

    texts_sha256: of the texts' residuals, `TextCache.sha256`.
    """

    texts_sha256: str
    probing: ProbingBaseline | None = None
    tpp: ClassProbes | None = None
    scr: dict[str, Probe] | None = None


def write_probes(path: Path, found: ModelProbes) -> None:
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, Any] = {"texts_sha256": found.texts_sha256}
    if found.probing is not None:
        tensors["probing.generator_state"] = found.probing.generator_state
        metadata["probing"] = {"metrics": found.probing.metrics, "seed": found.probing.seed}
    if found.tpp is not None:
        tensors |= _stacked("tpp", found.tpp.probes) | {"tpp.generator_state": found.tpp.generator_state}
        metadata["tpp"] = {"probes": list(found.tpp.probes), "accuracies": found.tpp.accuracies}
    if found.scr is not None:
        tensors |= _stacked("scr", found.scr)
        metadata["scr"] = {"probes": list(found.scr)}
    write_tensors(path, tensors, metadata)


def read_probes(path: Path, device: torch.device) -> ModelProbes:
    """Raises UserError where the file is absent, damaged or no file of probes."""
    tensors, metadata = read_tensors(path)
    if "texts_sha256" not in metadata:
        raise UserError(f"{path}: holds no probes of train-probes; {anew(path)}")
    probing, tpp, scr = (metadata.get(family) for family in ("probing", "tpp", "scr"))
    return ModelProbes(
        metadata["texts_sha256"],
        probing and ProbingBaseline(probing["metrics"], tensors["probing.generator_state"], probing["seed"]),
        tpp and ClassProbes(_probes(tpp, tensors, "tpp", device), tpp["accuracies"], tensors["tpp.generator_state"]),
        scr and _probes(scr, tensors, "scr", device),
    )


def _stacked(family: str, probes: dict[str, Probe]) -> dict[str, Tensor]:
    return {
        f"{family}.weight": torch.stack([probe.weight_D for probe in probes.values()]),
        f"{family}.bias": torch.stack([probe.bias for probe in probes.values()]),
    }


def _probes(
    description: dict[str, list[str]], tensors: dict[str, Tensor], family: str, device: torch.device
) -> dict[str, Probe]:
    weight_PD, bias_P = (tensors[f"{family}.{part}"].to(device) for part in ("weight", "bias"))
    return {name: Probe(weight_PD[i], bias_P[i]) for i, name in enumerate(description["probes"])}
