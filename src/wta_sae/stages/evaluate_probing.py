"""Sparse probing accuracy of one SAE: the mean over labelled sets of the mean over their classes."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.metrics.evaluation import mean_evaluation
from wta_sae.metrics.probing import evaluate_probing
from wta_sae.stages.evaluation import (
    add_language_model_arguments,
    add_sae_arguments,
    add_text_arguments,
    load_inputs,
    read_texts,
    write_results,
)


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    add_sae_arguments(parser)
    parser.add_argument(
        "--texts", type=Path, nargs="+", required=True, help='JSON: {"train": {class: [text, ...]}, "test": {...}}'
    )
    add_text_arguments(parser)


def run(arguments: Namespace) -> None:
    lm, saes = load_inputs(arguments)
    lm.check_context(arguments.context_length)
    evaluated = [
        evaluate_probing(
            lm,
            saes,
            read_texts(path),
            seed=arguments.seed,
            context=arguments.context_length,
            batch_texts=arguments.batch_texts,
        )
        for path in arguments.texts
    ]
    results = {rule: mean_evaluation([evaluation[rule] for evaluation in evaluated]) for rule in saes}
    write_results(arguments.out, arguments.sae, results)
