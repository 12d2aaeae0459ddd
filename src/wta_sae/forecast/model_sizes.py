"""How large the language model is that a config names, before it is loaded, fetched or trained."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class ModelSizes(NamedTuple):
    """width: of the residual stream, D; vocabulary: rows of the embedding."""

    blocks: int
    width: int
    vocabulary: int

    @property
    def parameters(self) -> int:
        """About: twelve D² a block, an embedding and an unembedding."""
        return 12 * self.blocks * self.width**2 + 2 * self.vocabulary * self.width


# What the presets fetch, as the models' own config.json says it (EleutherAI's Pythia, Biderman et al. 2023, table 1).
ON_THE_HUB = {
    "EleutherAI/pythia-70m-deduped": ModelSizes(6, 512, 50304),
    "EleutherAI/pythia-410m-deduped": ModelSizes(24, 1024, 50304),
}
NAMES = {  # in config.json, by family
    "blocks": ("num_hidden_layers", "n_layer", "num_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "vocabulary": ("vocab_size",),
}


def model_sizes(language_model: Mapping[str, Any], fetched: Path) -> ModelSizes | None:
    """Of the config's section `language_model`; None where nobody knows until it has been fetched to the folder `fetched`."""
    match language_model["source"]:
        case "train":
            own = language_model["train"]
            return ModelSizes(own["blocks"], own["width"], own["vocabulary"])
        case "path":
            return _sizes_in(Path(language_model["path"]))
        case _:
            return _sizes_in(fetched) or ON_THE_HUB.get(language_model["hub"]["name"])


def _sizes_in(folder: Path) -> ModelSizes | None:
    try:
        known = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        known = known.get("text_config") or known
        return ModelSizes(*(next(int(known[name]) for name in names if name in known) for names in NAMES.values()))
    except (OSError, ValueError, AttributeError, StopIteration):
        return None
