"""Trains sparse autoencoders on cached activations, each into an SAELens directory; several share one pass over their cache."""

from argparse import REMAINDER, ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from wta_sae.activations.cache import MANIFEST_FILE, ActivationCache, Manifest
from wta_sae.base.errors import UserError
from wta_sae.base.progress import progress
from wta_sae.machine.devices import best_device, prepare_to_compute
from wta_sae.machine.files import file_sha256
from wta_sae.machine.origin import computed_by
from wta_sae.machine.provenance import provenance
from wta_sae.plan.schedule import steps_of
from wta_sae.sae.save import save_sae
from wta_sae.stages.options import add_options, add_threads, read_options
from wta_sae.training.checkpoints import Checkpoints, stopping_at_leisure
from wta_sae.training.loop import CURVE_COLUMNS, TrainingRun, train
from wta_sae.training.trainer import Trainer, TrainingOptions, new_rule
from wta_sae.variants.loading import rule_module, spec_of

LOG_EVERY = 10
NOT_OF_THE_RESULT = ("activations", "out", "further", "checkpoint_seconds")  # arguments that another job may change


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, nargs="+", required=True, help="directory to write; with --and, one for each SAE in their order"
    )
    add_options(parser, TrainingOptions)
    add_threads(parser)
    parser.add_argument("--checkpoint-seconds", type=float, default=300, help="between two checkpoints", metavar="X")
    _add_sae_arguments(parser)


def _add_sae_arguments(parser: ArgumentParser, first: Namespace | None = None) -> None:
    """first: the arguments of the first SAE, which has its cache and seed said; the others have the same unless told."""
    required, cache, seed = first is None, getattr(first, "activations", None), getattr(first, "seed", None)
    parser.add_argument("--activations", type=Path, required=required, default=cache, help="directory of the activation cache")
    parser.add_argument("--seed", type=int, required=required, default=seed)
    parser.add_argument("--variant", required=True, help="a folder of wta_sae.variants: topk, wta, ...")
    parser.add_argument(
        "--k", type=int, required=True, help="active latents a token; where its budget is rates, winners a latent"
    )
    parser.add_argument("--rates", type=float, nargs="*", default=[], help="nominal rates that give these winners")
    parser.add_argument(
        "--options", nargs="*", default=[], metavar="NAME=VALUE", help="the variant's own, as gate=late of wta; see its spec"
    )
    parser.add_argument("--ablation", metavar="NAME", help="what this SAE is trained to show, recorded with it")
    parser.add_argument(
        "--and",
        dest="further",
        nargs=REMAINDER,
        default=[],
        help="another SAE: all flags from --variant on, once more for it; trained in the same pass over the cache, unless it "
        "has --activations or --seed of its own",
    )


class Job(NamedTuple):
    """What one SAE's training is made of. arguments: as if this SAE were trained alone."""

    arguments: Namespace
    run: TrainingRun
    checkpoints: Checkpoints

    def save_checkpoint(self) -> None:
        trainer = self.run.trainer
        self.checkpoints.save(trainer.steps, trainer.state(), self.run.curve)


def run(arguments: Namespace) -> None:
    options = read_options(arguments, TrainingOptions)
    device = best_device()
    streams: dict[tuple[Path, int], list[Namespace]] = {}
    for one in _arguments_of_each(arguments):
        streams.setdefault((one.activations, one.seed), []).append(one)
    jobs = [job for saes in streams.values() for job in _train_together(saes, options, device)]
    for job in jobs:  # only now: a job killed before its last SAE was saved makes all of them again
        job.checkpoints.clear()


def _train_together(saes: list[Namespace], options: TrainingOptions, device: torch.device) -> list[Job]:
    """Trains and saves SAEs that see the same batches in the same order."""
    first = saes[0]
    prepare_to_compute(first.seed, first.threads)
    cache = ActivationCache(first.activations)
    norm_factor = cache.manifest.norm_factor
    steps = steps_of(cache.manifest.rows, options.epochs, options.batch_tokens)
    jobs = [_job(one, options, cache.manifest, steps, device) for one in saes]
    done = min(job.run.trainer.steps for job in jobs)
    batches = cache.batches(options.batch_tokens, first.seed, options.epochs, done, device)
    names = jobs[0].run.name + (f" and {len(jobs) - 1} more" if len(jobs) > 1 else "")
    batches = progress(batches, f"training {names}", steps, "step", done)
    with stopping_at_leisure() as stop_if_told:

        def save_checkpoints() -> None:
            for job in jobs:
                job.save_checkpoint()

        def after_step() -> None:
            if jobs[0].checkpoints.due():
                save_checkpoints()
            stop_if_told(save_checkpoints)

        train([job.run for job in jobs], batches, norm_factor, LOG_EVERY, after_step)
    for job in jobs:
        sae, thresholds = job.run.trainer.trained(norm_factor, tuple(job.arguments.rates))
        metadata = _metadata(job, options, cache.manifest, steps)
        curve = pd.DataFrame(job.run.curve, columns=CURVE_COLUMNS)
        save_sae(job.arguments.out, sae, thresholds, metadata, curve, provenance(device))
    return jobs


def _arguments_of_each(arguments: Namespace) -> list[Namespace]:
    """The arguments with which each of the SAEs asked for would be trained alone."""
    parser = ArgumentParser(prog="python -m wta_sae train-sae ... --and", add_help=False)
    _add_sae_arguments(parser, arguments)
    saes = [arguments]
    while saes[-1].further:
        saes.append(parser.parse_args(saes[-1].further))
    outs = arguments.out
    if not len(set(outs)) == len(outs) == len(saes):
        raise UserError(f"--out: {' '.join(map(str, outs))}, but {len(saes)} SAEs are asked for; name one folder for each")
    return [Namespace(**vars(arguments) | vars(own) | {"out": out}) for own, out in zip(saes, outs, strict=True)]


def _job(arguments: Namespace, options: TrainingOptions, manifest: Manifest, steps: int, device: torch.device) -> Job:
    """An SAE at its last checkpoint, or at its beginning."""
    own = spec_of(arguments.variant).options.from_words(arguments.options)
    rule = new_rule(arguments.variant, arguments.k, options, steps, device, own)
    trainer = Trainer(rule, manifest.width, options, steps, arguments.seed, device)
    origin = {name: str(value) for name, value in vars(arguments).items() if name not in NOT_OF_THE_RESULT}
    origin["activations"] = file_sha256(arguments.activations / MANIFEST_FILE)
    origin |= computed_by("train-sae", rule_module(arguments.variant))
    checkpoints = Checkpoints(arguments.out, origin, arguments.checkpoint_seconds)
    run = TrainingRun(arguments.out.name, trainer)
    if (found := checkpoints.latest()) is not None:
        state, run.curve = found
        trainer.restore(state)
    return Job(arguments, run, checkpoints)


def _metadata(job: Job, options: TrainingOptions, manifest: Manifest, steps: int) -> dict[str, Any]:
    """What is recorded with a trained SAE."""
    arguments, rule = job.arguments, job.run.trainer.rule
    return {
        "model_name": manifest.model,
        "model_sha256": manifest.model_sha256,
        "model_dtype": manifest.model_dtype,
        "model_commit": manifest.tokens.get("model", {}).get("commit"),
        "hook_name": manifest.hook_name,
        "hook_head_index": None,
        "context_size": manifest.context_size,
        "prepend_bos": manifest.tokens.get("prepend_bos", True),
        "dataset_path": str(manifest.tokens.get("text", {}).get("dataset", "")),
        **({"synthetic": manifest.tokens["synthetic"]} if "synthetic" in manifest.tokens else {}),
        "variant": arguments.variant,
        "k": arguments.k,
        "rates": arguments.rates,
        "options": asdict(rule.options),
        "ablation": arguments.ablation,
        "l0_budget": spec_of(arguments.variant).l0_budget(arguments.k, options.latents, options.batch_tokens),
        "steps": steps,
        "seed": arguments.seed,
        "norm_factor": manifest.norm_factor,
        "training": vars(options) | ({} if rule.auxiliary_loss else {"auxiliary_coefficient": 0.0}),
    }
