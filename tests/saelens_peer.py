"""SAELens' side of test_saelens.py, which runs `benchmarks/peers python tests/saelens_peer.py FOLDER`.

Saves SAEs of SAELens' own in FOLDER/theirs, and in FOLDER/refused those that the package cannot read. Then loads FOLDER/ours/*
and FOLDER/theirs/* from disk and writes, beside the weights, what SAELens makes of the activations in FOLDER/x.safetensors.
"""

import sys
from dataclasses import replace
from pathlib import Path

import sae_lens
import torch
from sae_lens import SAE, SAEConfig, TrainingSAEConfig
from safetensors.torch import load_file, save_file


def plain(sizes: dict[str, int]) -> dict[str, SAEConfig]:
    topk = sae_lens.TopKSAEConfig(**sizes, k=5)
    configs = {
        "standard": sae_lens.StandardSAEConfig(**sizes),
        "jumprelu": sae_lens.JumpReLUSAEConfig(**sizes),
        "topk": topk,
        "topk-rescaled": replace(topk, rescale_acts_by_decoder_norm=True),
    }
    return configs | {f"{name}-uncentred": replace(config, apply_b_dec_to_input=False) for name, config in configs.items()}


def trained(sizes: dict[str, int]) -> dict[str, TrainingSAEConfig]:
    return {
        "trained-standard": sae_lens.StandardTrainingSAEConfig(**sizes),
        "trained-jumprelu": sae_lens.JumpReLUTrainingSAEConfig(**sizes),
        "trained-topk": sae_lens.TopKTrainingSAEConfig(**sizes, k=5),
        "trained-batchtopk": sae_lens.BatchTopKTrainingSAEConfig(**sizes, k=5),
    }


def refused(sizes: dict[str, int]) -> dict[str, SAEConfig]:
    standard = sae_lens.StandardSAEConfig(**sizes)
    normalisations = ("expected_average_only_in", "layer_norm", "constant_norm_rescale", "covariance_whitening")
    return {
        "gated": sae_lens.GatedSAEConfig(**sizes),
        "hook_z": replace(standard, reshape_activations="hook_z"),
    } | {name: replace(standard, normalize_activations=name) for name in normalisations}


def with_random_weights(sae: SAE) -> SAE:
    """Weights and biases of either sign, decoder rows of unequal length, thresholds among the activations."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in [*sae.named_parameters(), *sae.named_buffers()]:
        drawn = torch.randn(tensor.shape, generator=generator)
        if name.endswith("threshold"):
            drawn = drawn.abs()
        tensor.data.copy_(drawn / 8 if tensor.ndim == 2 else drawn)
    return sae


def save_saes(folder: Path, width: int) -> None:
    sizes = {"d_in": width, "d_sae": 48}
    for kind, configs in {"theirs": plain(sizes), "refused": refused(sizes)}.items():
        for name, config in configs.items():
            sae = with_random_weights(SAE.get_sae_class_for_architecture(config.architecture())(config))
            sae.save_model(folder / kind / name)
            if name in ("standard", "jumprelu", "topk"):
                sae.to(dtype=torch.bfloat16).save_model(folder / kind / f"{name}-bfloat16")
                sae.to(dtype=torch.float16).save_model(folder / kind / f"{name}-float16")
    for name, config in trained(sizes).items():
        sae = sae_lens.TrainingSAE.get_sae_class_for_architecture(config.architecture())(config)
        with_random_weights(sae).save_inference_model(folder / "theirs" / name)


@torch.no_grad()
def main() -> None:
    folder = Path(sys.argv[1])
    x = load_file(folder / "x.safetensors")["x"]
    save_saes(folder, x.shape[-1])
    for directory in [*folder.glob("ours/*"), *folder.glob("theirs/*")]:
        sae = SAE.load_from_disk(directory, dtype="float32")
        acts = sae.encode(x)
        save_file({"acts": acts, "reconstruction": sae.decode(acts)}, directory / "saelens.safetensors")


if __name__ == "__main__":
    main()
