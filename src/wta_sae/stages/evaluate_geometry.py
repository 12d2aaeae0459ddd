"""Encoder against decoder directions and the thresholds of one SAE; depends on no data."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.files import read_tensors
from wta_sae.metrics.geometry import encoder_decoder_geometry, threshold_ratio
from wta_sae.sae import THRESHOLDS_FILE, load_sae
from wta_sae.stages.evaluation_results import write_latents, write_results


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument("--out", type=Path, required=True, help="JSON of metrics")
    parser.add_argument("--latents-out", type=Path, help="safetensors of the per-latent values")


def run(arguments: Namespace) -> None:
    file = arguments.sae / THRESHOLDS_FILE
    thresholds = read_tensors(file)[0] if file.exists() else {}
    results = {None: encoder_decoder_geometry(load_sae(arguments.sae)) | threshold_ratio(thresholds)}
    write_results(arguments.out, arguments.sae, results)
    if arguments.latents_out:
        write_latents(arguments.latents_out, results)
