"""Encoder against decoder directions and the thresholds of one SAE; depends on no data."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.devices import make_repeatable
from wta_sae.machine.tensor_files import read_tensors
from wta_sae.metrics.geometry import encoder_decoder_geometry, threshold_ratio
from wta_sae.plan.sae_files import THRESHOLDS_FILE
from wta_sae.sae.directory import load_sae
from wta_sae.stages.evaluation_results import record, write_latents, write_records
from wta_sae.stages.options import add_threads


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument("--out", type=Path, required=True, help="JSON of metrics")
    parser.add_argument("--latents-out", type=Path, help="safetensors of the per-latent values")
    add_threads(parser)


def run(arguments: Namespace) -> None:
    make_repeatable(0, arguments.threads)
    file = arguments.sae / THRESHOLDS_FILE
    thresholds = read_tensors(file)[0] if file.exists() else {}
    evaluation = encoder_decoder_geometry(load_sae(arguments.sae)) | threshold_ratio(thresholds)
    write_records(arguments.out, [record(arguments.sae.name, None, evaluation)])
    if arguments.latents_out:
        write_latents(arguments.latents_out, arguments.sae.name, {None: evaluation})
