"""Spurious correlation removal (SCR) of one SAE: the mean over pairs of concepts."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.metrics.evaluation import mean_evaluation
from wta_sae.metrics.scr import QUADRANTS, evaluate_scr
from wta_sae.stages.evaluation import (
    add_language_model_arguments,
    add_perturbation_arguments,
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
        "--quadrants",
        type=Path,
        nargs="+",
        required=True,
        help='JSON: {"train": {"pos_pos": [text, ...], "pos_neg", "neg_pos", "neg_neg"}, "test": {...}}, attribute_concept',
    )
    add_text_arguments(parser)
    add_perturbation_arguments(parser)


def run(arguments: Namespace) -> None:
    lm, saes = load_inputs(arguments)
    lm.check_context(arguments.context_length)
    evaluated = [
        evaluate_scr(
            lm,
            saes,
            read_texts(path, QUADRANTS),
            n_values=arguments.perturbed_latents,
            seed=arguments.seed,
            context=arguments.context_length,
            batch_texts=arguments.batch_texts,
        )
        for path in arguments.quadrants
    ]
    results = {rule: mean_evaluation([evaluation[rule] for evaluation in evaluated]) for rule in saes}
    write_results(arguments.out, arguments.sae, results)
