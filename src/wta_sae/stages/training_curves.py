"""Draws the training curves of all SAEs of a run."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from wta_sae.plan.sae_files import CURVE_FILE
from wta_sae.presentation.curves_figure import TrainingCurve, draw_training_curves
from wta_sae.presentation.drawing import save_figure
from wta_sae.sae.saelens_config import read_metadata


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--saes", type=Path, nargs="+", required=True, help="SAE directories of train-sae")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    save_figure(draw_training_curves([training_curve(sae) for sae in arguments.saes]), arguments.pdf, arguments.png)


def training_curve(sae: Path) -> TrainingCurve:
    """Its kind is its name without the variant and the seed."""
    metadata = read_metadata(sae)
    variant = metadata["variant"]
    kind = sae.name.removeprefix(f"{variant}-").removesuffix(f"-seed{metadata['seed']}")
    rows = pd.read_csv(sae / CURVE_FILE)
    return TrainingCurve(variant, kind, metadata["training"]["latents"], "synthetic" in metadata, rows)
