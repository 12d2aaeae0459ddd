"""What the stages share that run a language model: its arguments, and the model itself.

Shape suffixes: C contexts, L positions.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from torch import Tensor

from wta_sae.language_model.model import LanguageModel, load_language_model
from wta_sae.machine.devices import DTYPES, best_device, dtype_named, prepare_to_compute
from wta_sae.stages.options import add_threads
from wta_sae.text.token_files import read_tokens


def add_language_model_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--lm", type=Path, required=True, help="transformers directory")
    parser.add_argument("--layer", type=int, required=True, help="block whose output the SAE reads, from 0")
    parser.add_argument(
        "--lm-dtype", choices=list(DTYPES), default="float32", help="what the model computes in (default: float32)"
    )
    add_threads(parser)


def add_token_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    parser.add_argument("--token-file", type=Path, required=True, help=".safetensors or .npy of (contexts, length), BOS first")
    parser.add_argument("--batch-contexts", type=int, default=16, help="contexts a batch")


def load_language_model_of(arguments: Namespace) -> LanguageModel:
    """The language model, with everything seeded."""
    prepare_to_compute(getattr(arguments, "seed", 0), arguments.threads)
    return load_language_model(arguments.lm, arguments.layer, best_device(), dtype_named(arguments.lm_dtype))


def load_tokens_of(arguments: Namespace) -> tuple[LanguageModel, Tensor]:
    """The same, and the tokens (C, L). Raises UserError where the model cannot take such contexts."""
    lm = load_language_model_of(arguments)
    tokens_CL = read_tokens(arguments.token_file, lm.tokenizer)
    lm.check_context(tokens_CL.shape[1])
    return lm, tokens_CL
