"""Encoder against decoder directions of one SAE; depends on its weights alone."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.metrics.geometry import encoder_decoder_geometry
from wta_sae.sae import load_sae
from wta_sae.stages.evaluation_results import write_latents, write_results


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument("--out", type=Path, required=True, help="JSON of metrics")
    parser.add_argument("--latents-out", type=Path, help="safetensors of the per-latent values")


def run(arguments: Namespace) -> None:
    results = {None: encoder_decoder_geometry(load_sae(arguments.sae))}
    write_results(arguments.out, arguments.sae, results)
    if arguments.latents_out:
        write_latents(arguments.latents_out, results)
