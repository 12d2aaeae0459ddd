"""Takes an SAE from elsewhere, in SAELens' format, into a run: its files, once they are seen to be an SAE that can be read."""

import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import replacing
from wta_sae.plan.sae_files import CONFIG_FILE, THRESHOLDS_FILE, WEIGHTS_FILE
from wta_sae.sae.load import load_sae


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    sae = load_sae(arguments.sae)
    with replacing(arguments.out) as directory:
        directory.mkdir(exist_ok=True)
        for name in (CONFIG_FILE, WEIGHTS_FILE, THRESHOLDS_FILE):
            if (arguments.sae / name).is_file():
                shutil.copyfile(arguments.sae / name, directory / name)
    width, latents = sae.W_enc_DF.shape
    print(f"{latents:,} latents of width {width}, read out by {sae.inference!r}")
