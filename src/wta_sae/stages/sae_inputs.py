"""What the stages share that evaluate an SAE: its arguments, and the SAE under each inference rule."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from wta_sae.language_model.hook import Hook
from wta_sae.plan.winners import rates_of_equal_winners
from wta_sae.sae.compatibility import checked_differences
from wta_sae.sae.differences import Differences
from wta_sae.sae.load import load_sae
from wta_sae.sae.sae import INFERENCE_RULES, SAE
from wta_sae.sae.saelens_config import read_saelens_config


class Inputs(NamedTuple):
    """The SAE of an evaluation.

    saes: a label -> the SAE under an inference rule; the label is the rule's name, of `released` with the largest of its
    rates where several have a record each. rates: label -> the nominal rates that the record holds for. differences: in what
    the SAE was trained otherwise than it is evaluated.
    """

    saes: dict[str, SAE]
    rates: dict[str, tuple[float, ...]]
    differences: Differences


def add_sae_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument(
        "--inference",
        nargs="+",
        default=[None],
        metavar="RULE",
        help=f"how to read it out (the SAE's own rule unless told): {', '.join(INFERENCE_RULES)}, as far as the SAE has it",
    )
    add_mismatch_argument(parser)
    parser.add_argument("--out", type=Path, required=True, help="JSON: one rule's metrics, or a list of several rules'")


def add_mismatch_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--allow-mismatch",
        action="store_true",
        help="use the SAE although it says that it was trained at another hook or model; the results record it",
    )


def load_inputs(
    arguments: Namespace, hook: Hook, device: torch.device, sizes: Iterable[int], context_size: int, prepend_bos: bool
) -> Inputs:
    """The SAE under each inference rule that was asked for; they share their weights' tensors.

    hook: where the activations are from. sizes: of the batches, on which the winners of `released` depend: rates that share an
    SAE, for they have the same winners in training, need not have them there. context_size, prepend_bos: of the contexts that
    are evaluated. Raises UserError where the SAE says that it was trained elsewhere, unless that is allowed.
    """
    metadata = read_saelens_config(arguments.sae).metadata
    allow = arguments.allow_mismatch
    differences = checked_differences(arguments.sae, metadata, hook, context_size, prepend_bos, allow)
    saes: dict[str, SAE] = {}
    rates: dict[str, tuple[float, ...]] = {}
    shared: SAE | None = None
    for rule in arguments.inference:
        groups = rates_of_equal_winners(metadata.get("rates", []), sizes) if rule == "released" else []
        for group in groups or [()]:
            sae = load_sae(arguments.sae, rule, max(group, default=None)).to(device)
            shared = shared or sae
            label = f"released at {max(group)!r}" if len(groups) > 1 else sae.inference
            saes[label] = replace(shared, inference=sae.inference, k=sae.k, threshold=sae.threshold, rate=sae.rate)
            rates[label] = group
    return Inputs(saes, rates, differences)
