"""Frees the disk of cached activations: the shards go, the manifest of what they were stays for the SAEs trained on them."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.activations.cache import ActivationCache


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("caches", type=Path, nargs="+", help="directories of cache-activations")


def run(arguments: Namespace) -> None:
    for directory in arguments.caches:
        freed = ActivationCache(directory).free()
        print(f"{directory}: {freed / 1e9:.1f} GB freed")
