"""Sets an SAE's inference thresholds so that it reaches a wanted L0, whatever it was trained for; an SAELens directory."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

import torch

from wta_sae.base.given import given
from wta_sae.sae.calibration import check_reached, reached_l0, thresholds_at_l0
from wta_sae.sae.compatibility import check_model, context_differences, starts_with_bos, warn_of
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
    differences = check_model(arguments.sae, metadata, hook, arguments.allow_mismatch)
    differences |= context_differences(metadata, hook, tokens_CL.shape[1], starts_with_bos(lm.bos_id, tokens_CL))
    warn_of(arguments.sae, differences)
    sae = load_sae(arguments.sae, "per_latent").to(lm.device)
    shapes = {
        "matched_threshold": torch.ones((), device=lm.device),
        "matched_per_latent": given(sae.threshold, "the SAE's threshold"),
    }
    thresholds = thresholds_at_l0(lm, sae, tokens_CL, arguments.l0, shapes, arguments.batch_contexts)
    rules = {rule: replace(sae, inference=rule, threshold=threshold) for rule, threshold in thresholds.items()}
    rules["matched_topk"] = replace(sae, inference="matched_topk", k=arguments.l0, threshold=None)
    reached = reached_l0(lm, rules, tokens_CL, arguments.batch_contexts)
    check_reached(arguments.l0, reached)
    metadata |= {"matched_l0": arguments.l0, "reached_l0": reached, "calibrated_with_differences": differences}
    save_sae(arguments.out, rules["matched_threshold"].to(torch.device("cpu")), thresholds, metadata)
    print(", ".join(f"{rule}: L0 {l0:.3f}" for rule, l0 in reached.items()))
