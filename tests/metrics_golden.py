"""The golden model, SAEs and references of tests/data/golden, each loaded once, and small stand-ins for worked examples."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from wta_sae.activations.text_caching import CONTEXT, ComputedTexts
from wta_sae.language_model.model import LanguageModel, load_language_model
from wta_sae.metrics.pooling import BATCH_TEXTS, Pooled, pool_texts
from wta_sae.sae.sae import SAE
from wta_sae.text.labelled_groups import numbered, set_groups

FOLDER = Path(__file__).parent / "data" / "golden"
NAMES = ("topk", "batchtopk")


@cache
def language_model() -> LanguageModel:
    return load_language_model(FOLDER / "lm", 2, torch.device("cpu"))


@cache
def saes() -> dict[str, SAE]:
    rules = {"topk": "topk", "batchtopk": "threshold"}
    found = {}
    for name, rule in rules.items():
        weights = load_file(FOLDER / f"sae_{name}.safetensors")
        names = ("W_enc", "b_enc", "W_dec", "b_dec")
        found[name] = SAE(*(weights[n] for n in names), inference=rule, k=8, threshold=weights["threshold"])
    return found


@cache
def tokens() -> Tensor:
    return torch.from_numpy(np.load(FOLDER / "tokens.npy").astype(np.int64))


@cache
def reference(name: str) -> dict:
    return json.loads((FOLDER / f"reference_{name}.json").read_text())


@cache
def stages(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"stages_{name}.safetensors")


@cache
def texts() -> dict:
    return json.loads((FOLDER / "probing_texts.json").read_text())


@cache
def quadrants() -> dict:
    return json.loads((FOLDER / "scr_quadrants.json").read_text())


def pooled(
    splits: dict, saes: dict[str, SAE], context_length: int = CONTEXT, batch_texts: int = BATCH_TEXTS
) -> tuple[Pooled, ...]:
    """Of each split of labelled groups, read by the golden model."""
    every, groups = numbered(splits)
    residuals = ComputedTexts(language_model(), every, context_length)
    return tuple(pool_texts(residuals, saes, groups[split], batch_texts) for split in splits)


@cache
def pooled_classes() -> tuple[Pooled, Pooled]:
    return pooled(texts(), saes())


@cache
def pooled_sets() -> tuple[Pooled, Pooled]:
    return pooled(set_groups(FOLDER / "scr_quadrants.json", quadrants(), 42), saes())


@dataclass(frozen=True)
class TableModel:
    """A stand-in for a LanguageModel whose residual stream is a table: token t lies at table[t]. Token 0 is special."""

    table: Tensor

    @property
    def vocabulary(self) -> int:
        return len(self.table)

    @property
    def device(self) -> torch.device:
        return self.table.device

    @property
    def width(self) -> int:
        return self.table.shape[1]

    def valid(self, tokens: Tensor) -> Tensor:
        return tokens != 0

    def residual(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]


def identity_sae(width: int) -> SAE:
    """Reconstructs everything: a latent for each direction and one for its opposite."""
    eye = torch.eye(width)
    both = torch.cat([eye, -eye])
    return SAE(both.T.contiguous(), torch.zeros(2 * width), both, torch.zeros(width), "relu")


def permuted(sae: SAE, order: Tensor) -> SAE:
    """The same SAE with its latents in another order."""
    weights = (sae.W_enc_DF[:, order], sae.b_enc_F[order], sae.W_dec_FD[order], sae.b_dec_D)
    return SAE(*weights, sae.inference, sae.k, sae.threshold, sae.rate)
