"""The paper text's subspace cosine and projection percentage of one SAE."""

from argparse import ArgumentParser, Namespace

from wta_sae.metrics.subspace import evaluate_subspace
from wta_sae.stages.evaluation import (
    add_language_model_arguments,
    add_sae_arguments,
    add_token_arguments,
    load_inputs,
)
from wta_sae.stages.evaluation_results import write_results
from wta_sae.text.tokens import read_tokens


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    add_sae_arguments(parser, "--out")
    add_token_arguments(parser)


def run(arguments: Namespace) -> None:
    lm, saes = load_inputs(arguments)
    tokens_CL = read_tokens(arguments.tokens)
    lm.check_context(tokens_CL.shape[1])
    write_results(arguments.out, arguments.sae, evaluate_subspace(lm, saes, tokens_CL, arguments.batch_contexts))
