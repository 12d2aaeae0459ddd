"""The paper text's subspace cosine and projection percentage of one SAE."""

from argparse import ArgumentParser, Namespace

from wta_sae.metrics.subspace import evaluate_subspace
from wta_sae.stages.evaluating import (
    add_language_model_arguments,
    add_sae_arguments,
    add_token_arguments,
    load_inputs_on_tokens,
    write_results,
)


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    add_sae_arguments(parser, "--out")
    add_token_arguments(parser)


def run(arguments: Namespace) -> None:
    inputs, tokens_CL = load_inputs_on_tokens(arguments)
    results = evaluate_subspace(inputs.lm, inputs.saes, tokens_CL, arguments.batch_contexts)
    write_results(arguments.out, arguments.sae, results, inputs)
