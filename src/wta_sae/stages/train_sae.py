"""Trains one sparse autoencoder on cached activations and writes it as an SAELens directory."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path

import pandas as pd

from wta_sae.activations import MANIFEST_FILE, ActivationCache
from wta_sae.checkpoints import Checkpoints, stopping_at_leisure
from wta_sae.devices import best_device, make_repeatable
from wta_sae.errors import UserError
from wta_sae.files import file_sha256
from wta_sae.options import add_options, read_options
from wta_sae.progress import progress
from wta_sae.sae import save_sae
from wta_sae.training import GATES, Curve, Trainer, TrainingOptions, train
from wta_sae.variants import VARIANTS, l0_budget, variant_named
from wta_sae.workflow import source_files

LOG_EVERY = 10
NOT_OF_THE_RESULT = ("activations", "out", "checkpoint_seconds")  # arguments that another job may change


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--activations", type=Path, required=True, help="directory of the activation cache")
    parser.add_argument("--variant", required=True, help=f"one of: {', '.join(VARIANTS)}")
    parser.add_argument("--k", type=int, required=True, help="active latents a token; for wta: winners a latent and batch")
    parser.add_argument("--rates", type=float, nargs="*", default=[], help="nominal rates that give wta these winners")
    add_options(parser, TrainingOptions)
    parser.add_argument(
        "--gate",
        choices=GATES,
        default="never",
        help="wta only: drop what is not above the global threshold before taking winners, until or after its start step",
    )
    parser.add_argument(
        "--rescale-encoder-bias",
        action=BooleanOptionalAction,
        default=True,
        help="wta only: whether the saved encoder bias is folded by the norm factor, which the released code forgets",
    )
    parser.add_argument("--ablation", metavar="NAME", help="what this SAE is trained to show, recorded with it")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--checkpoint-seconds", type=float, default=300, help="between two checkpoints", metavar="X")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    make_repeatable(arguments.seed)
    options = read_options(arguments, TrainingOptions)
    cache = ActivationCache(arguments.activations)
    manifest = cache.manifest
    steps = manifest.rows * options.epochs // max(options.batch_tokens, 1)
    if steps == 0:
        raise UserError(
            f"training.batch_tokens: {options.batch_tokens:,}, but the cache holds {manifest.rows:,} tokens; lower it"
        )
    variant = variant_named(arguments.variant)
    switches = {"gate": arguments.gate, "rescale_encoder_bias": arguments.rescale_encoder_bias}
    trainer = Trainer(arguments.variant, arguments.k, manifest.width, options, steps, arguments.seed, best_device(), **switches)
    origin = {name: str(value) for name, value in vars(arguments).items() if name not in NOT_OF_THE_RESULT}
    origin["activations"] = file_sha256(arguments.activations / MANIFEST_FILE)
    origin["code"] = [file_sha256(Path(file)) for file in source_files("train-sae")]
    checkpoints = Checkpoints(arguments.out, origin, arguments.checkpoint_seconds)
    curve = None
    if (found := checkpoints.latest()) is not None:
        state, curve = found
        trainer.restore(state)
    batches = cache.batches(options.batch_tokens, arguments.seed, options.epochs, skip=trainer.steps)
    batches = progress(batches, f"training {arguments.out.name}", steps, "step", trainer.steps)
    with stopping_at_leisure() as stop_if_told:

        def after_step(curve: Curve) -> None:
            if checkpoints.due():
                checkpoints.save(trainer.steps, trainer.state(), curve)
            stop_if_told(lambda: checkpoints.save(trainer.steps, trainer.state(), curve))

        curve = train(trainer, batches, manifest.norm_factor, LOG_EVERY, curve, after_step)
    rates = tuple(arguments.rates)
    sae, thresholds = trainer.trained(manifest.norm_factor, rates)
    metadata = {
        "model_name": manifest.model,
        "model_commit": manifest.tokens.get("model", {}).get("commit"),
        "hook_name": manifest.hook_name,
        "hook_head_index": None,
        "context_size": manifest.context_size,
        "prepend_bos": manifest.tokens.get("prepend_bos", True),
        "dataset_path": str(manifest.tokens.get("text", {}).get("dataset", "")),
        "variant": arguments.variant,
        "k": arguments.k,
        "rates": list(rates),
        **(switches if variant.budget == "rates" else {}),
        "ablation": arguments.ablation,
        "l0_budget": l0_budget(arguments.variant, arguments.k, options.latents, options.batch_tokens),
        "steps": steps,
        "seed": arguments.seed,
        "norm_factor": manifest.norm_factor,
        "training": vars(options) | ({} if variant.auxiliary_loss else {"auxiliary_coefficient": 0.0}),
    }
    save_sae(arguments.out, sae, thresholds, metadata, curve=pd.DataFrame(curve))
    checkpoints.clear()
