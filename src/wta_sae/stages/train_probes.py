"""Trains the probes on a language model's residuals of labelled texts that the metrics of every SAE need."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from wta_sae.activations.text_cache import TextCache
from wta_sae.machine.devices import best_device, prepare_to_compute
from wta_sae.metrics.pooling import pool_texts
from wta_sae.metrics.probe_files import ModelProbes, write_probes
from wta_sae.metrics.probing import probing_baseline
from wta_sae.metrics.scr import train_set_probes
from wta_sae.metrics.tpp import train_class_probes
from wta_sae.stages.options import add_threads

FAMILIES: dict[str, Callable[..., Any]] = {"probing": probing_baseline, "tpp": train_class_probes, "scr": train_set_probes}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--residuals", type=Path, required=True, help="directory of cache-texts")
    parser.add_argument(
        "--families",
        nargs="+",
        choices=FAMILIES,
        required=True,
        help="of metrics: probing, tpp of classes, scr of quadrants",
    )
    parser.add_argument("--seed", type=int, default=42)
    add_threads(parser)
    parser.add_argument("--out", type=Path, required=True, help="safetensors to write")


@torch.no_grad()
def run(arguments: Namespace) -> None:
    prepare_to_compute(arguments.seed, arguments.threads)
    cache = TextCache(arguments.residuals, best_device())
    train, test = (pool_texts(cache, {}, cache.description.groups[split]) for split in ("train", "test"))
    found = {family: FAMILIES[family](train, test, seed=arguments.seed) for family in arguments.families}
    write_probes(arguments.out, ModelProbes(cache.sha256(), **found))
