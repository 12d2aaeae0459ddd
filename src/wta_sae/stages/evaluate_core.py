"""KL, cross-entropy, sparsity, reconstruction, shrinkage and densities of one SAE: SAEBench's core evaluation."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.metrics.core import evaluate_core
from wta_sae.stages.evaluating import (
    add_language_model_arguments,
    add_sae_arguments,
    add_token_arguments,
    load_inputs_on_tokens,
    write_results,
)
from wta_sae.stages.evaluation_results import write_latents


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    add_sae_arguments(parser, "--out")
    add_token_arguments(parser)
    parser.add_argument("--latents-out", type=Path, help="safetensors of the per-latent densities")


def run(arguments: Namespace) -> None:
    inputs, tokens_CL = load_inputs_on_tokens(arguments)
    results = evaluate_core(inputs.lm, inputs.saes, tokens_CL, arguments.batch_contexts)
    write_results(arguments.out, arguments.sae, results, inputs)
    if arguments.latents_out:
        write_latents(arguments.latents_out, arguments.sae.name, results)
