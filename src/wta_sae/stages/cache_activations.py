"""Writes the residual stream after one block of a language model to shuffled safetensors shards."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field
from pathlib import Path

from wta_sae.activations.caching import cache_activations
from wta_sae.machine.devices import DTYPES, dtype_named
from wta_sae.machine.origin import computed_by
from wta_sae.stages.language_model_inputs import add_language_model_arguments, load_language_model_of
from wta_sae.stages.options import add_options, read_options
from wta_sae.text.token_files import read_tokens, token_metadata


@dataclass(frozen=True)
class CachingOptions:
    """The `activations` section of config.yaml."""

    tokens: int = field(metadata={"help": "tokens to cache, special ones not counted"})
    dtype: str = field(metadata={"help": f"on disk: {' or '.join(DTYPES)}"})
    shard_tokens: int = field(metadata={"help": "tokens a shard"})
    batch_contexts: int = field(metadata={"help": "contexts a forward pass"})


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    parser.add_argument("--token-file", type=Path, required=True, help="safetensors of (contexts, length)")
    add_options(parser, CachingOptions)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    options = read_options(arguments, CachingOptions)
    lm = load_language_model_of(arguments)
    tokens_CL = read_tokens(arguments.token_file, lm.tokenizer)
    lm.check_context(tokens_CL.shape[1])
    manifest = cache_activations(
        arguments.out,
        lm,
        tokens_CL,
        token_metadata(arguments.token_file),
        rows=options.tokens,
        dtype=dtype_named(options.dtype),
        shard_rows=options.shard_tokens,
        batch_contexts=options.batch_contexts,
        seed=arguments.seed,
        computed_by=computed_by("cache-activations"),
    )
    print(f"{manifest.rows:,} tokens in {len(manifest.shards)} shards, norm factor {manifest.norm_factor:.4f}")
