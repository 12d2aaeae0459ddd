"""Draws Figure 1: the distribution of encoder-decoder cosines at each sparsity rate, of the first SAE given for it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from wta_sae.base.errors import UserError
from wta_sae.machine.tensor_files import read_tensors
from wta_sae.presentation.cosine_figure import draw_figure1
from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.published import read_published
from wta_sae.sae.saelens_config import read_metadata

COSINE = "encoder_decoder_cosine_sim"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--saes", type=Path, nargs="+", required=True, help="directories of WTA SAEs; the first of a rate is drawn"
    )
    parser.add_argument("--latent-files", type=Path, nargs="+", required=True, help="their safetensors of evaluate tokens")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    cosines_by_rate: dict[float, np.ndarray] = {}
    winners: dict[float, int] = {}
    if len(arguments.saes) != len(arguments.latent_files):
        raise UserError(
            f"--latent-files: {len(arguments.latent_files)} files for {len(arguments.saes)} SAEs; give one for each, in order"
        )
    for sae, latents in zip(arguments.saes, arguments.latent_files, strict=True):
        metadata, (tensors, of) = read_metadata(sae), read_tensors(latents)
        if of.get("sae") != sae.name:
            raise UserError(f"{latents}: is of the SAE {of.get('sae')!r}, not of {sae.name!r}; give them in the SAEs' order")
        if COSINE not in tensors:
            raise UserError(f"{latents}: holds no {COSINE}; give what `evaluate tokens` wrote")
        for rate in metadata["rates"]:
            cosines_by_rate.setdefault(rate, tensors[COSINE].numpy())
            winners[rate] = metadata["k"]
    figure = draw_figure1(cosines_by_rate, read_published(arguments.published), winners)
    save_figure(figure, arguments.pdf, arguments.png)
