"""Sets an SAE's inference thresholds so that it reaches a wanted L0, whatever it was trained for; an SAELens directory."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

import torch

from wta_sae.calibration import thresholds_at_l0
from wta_sae.devices import best_device, make_repeatable
from wta_sae.language_model import load_language_model
from wta_sae.sae import load_sae, read_metadata, save_sae
from wta_sae.stages.evaluation import add_language_model_arguments, add_token_arguments
from wta_sae.text.tokens import read_tokens


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    parser.add_argument("--sae", type=Path, required=True, help="directory of train-sae")
    add_token_arguments(parser)
    parser.add_argument("--l0", type=int, required=True, help="active latents a token")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    make_repeatable(0)
    lm = load_language_model(arguments.lm, arguments.layer, best_device())
    tokens_CL = read_tokens(arguments.tokens)
    lm.check_context(tokens_CL.shape[1])
    sae = load_sae(arguments.sae, "per_latent").to(lm.device)
    shapes = {"matched_threshold": torch.ones((), device=lm.device), "matched_per_latent": sae.threshold}
    thresholds = thresholds_at_l0(lm, sae, tokens_CL, arguments.l0, shapes, arguments.batch_contexts)
    metadata = read_metadata(arguments.sae) | {"matched_l0": arguments.l0}
    calibrated = replace(sae, inference="matched_threshold", threshold=thresholds["matched_threshold"])
    save_sae(arguments.out, calibrated.to(torch.device("cpu")), thresholds, metadata)
