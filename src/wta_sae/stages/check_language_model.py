"""Loads a language model and says what it is: whether its residual stream can be read and continued, and at which width."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.language_model.model import load_language_model
from wta_sae.machine.devices import best_device
from wta_sae.machine.files import write_json


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--lm", type=Path, required=True, help="transformers directory")
    parser.add_argument("--layer", type=int, required=True, help="block whose output the SAEs read, from 0")
    parser.add_argument("--context-length", type=int, required=True, help="tokens a context")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    lm = load_language_model(arguments.lm, arguments.layer, best_device())
    lm.check_context(arguments.context_length)
    found = {
        "model": lm.source,
        "family": lm.model.config.model_type,
        "blocks": len(lm.stream.blocks),
        "width": lm.width,
        "vocabulary": lm.vocabulary,
        "hook_name": lm.hook_name,
    }
    write_json(arguments.out, found)
    print(", ".join(f"{key}: {value}" for key, value in found.items()))
