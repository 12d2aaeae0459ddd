"""Sets an SAE's inference thresholds so that it reaches a wanted L0, whatever it was trained for; an SAELens directory."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from wta_sae.base.progress import progress
from wta_sae.language_model.model import check_tokens
from wta_sae.sae.calibration import at_equal_l0, check_reached
from wta_sae.sae.compatibility import check_saes, checked_differences, starts_with_bos
from wta_sae.sae.load import load_sae
from wta_sae.sae.saelens_config import read_metadata
from wta_sae.sae.save import save_sae
from wta_sae.stages.language_model_inputs import add_token_arguments, load_tokens_of
from wta_sae.stages.sae_inputs import add_mismatch_argument


def add_arguments(parser: ArgumentParser) -> None:
    add_token_arguments(parser)
    parser.add_argument("--sae", type=Path, required=True, help="directory of train-sae")
    add_mismatch_argument(parser)
    parser.add_argument("--l0", type=int, required=True, help="active latents a token")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    lm, tokens_CL = load_tokens_of(arguments)
    metadata, hook = read_metadata(arguments.sae), lm.hook()
    contexts = tokens_CL.shape[1], starts_with_bos(lm.bos_id, tokens_CL)
    differences = checked_differences(arguments.sae, metadata, hook, *contexts, arguments.allow_mismatch)
    sae = load_sae(arguments.sae, "per_latent").to(lm.device)
    check_tokens(lm, tokens_CL)
    check_saes(lm.width, {sae.inference: sae})
    valid = int(lm.valid(tokens_CL).sum())

    def batches() -> Iterator[Tensor]:
        parts = tokens_CL.split(arguments.batch_contexts)
        for batch_SL in progress(parts, "calibrating", len(parts), "batches"):
            tokens_SL = batch_SL.to(lm.device).long()
            yield lm.residual(tokens_SL)[lm.valid(tokens_SL)]

    rules, reached = at_equal_l0(sae, arguments.l0, batches, valid)
    check_reached(arguments.l0, reached)
    thresholds = {rule: one.threshold for rule, one in rules.items() if one.threshold is not None}
    metadata |= {"matched_l0": arguments.l0, "reached_l0": reached, "calibrated_with_differences": differences}
    save_sae(arguments.out, rules["matched_threshold"].to(torch.device("cpu")), thresholds, metadata)
    print(", ".join(f"{rule}: L0 {l0:.3f}" for rule, l0 in reached.items()))
