"""Loads a language model and says what it is: whether its residual stream can be read and continued, and at which width."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_json
from wta_sae.stages.language_model_inputs import add_language_model_arguments, load_language_model_of


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    parser.add_argument("--context-length", type=int, required=True, help="tokens a context")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    lm = load_language_model_of(arguments)
    lm.check_context(arguments.context_length)
    found = {
        "model": lm.source,
        "family": lm.model.config.model_type,
        "blocks": len(lm.stream.blocks),
        "width": lm.width,
        "vocabulary": lm.vocabulary,
        "dtype": lm.dtype,
        "hook_name": lm.hook_name,
    }
    write_json(arguments.out, found)
    print(", ".join(f"{key}: {value}" for key, value in found.items()))
