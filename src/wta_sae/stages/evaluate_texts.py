"""Sparse probing, targeted probe perturbation (TPP) and spurious correlation removal (SCR): an SAE on labelled texts.

Each is the mean over the sets of texts whose probes are of that family. The language model does not run: its residuals of the
texts are those of cache-texts, its probes those of train-probes.
"""

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from pathlib import Path

from wta_sae.activations.text_cache import TextCache
from wta_sae.base.errors import UserError
from wta_sae.machine.devices import best_device, prepare_to_compute
from wta_sae.metrics.ablation import N_VALUES
from wta_sae.metrics.evaluation import mean_evaluation
from wta_sae.metrics.pooling import BATCH_TEXTS, pool_texts
from wta_sae.metrics.probe_files import ModelProbes, read_probes
from wta_sae.metrics.probing import probing_metrics
from wta_sae.metrics.scr import scr_metrics
from wta_sae.metrics.tpp import tpp_metrics
from wta_sae.plan.winners import batch_sizes
from wta_sae.stages.evaluation_results import of_inputs, write_records
from wta_sae.stages.options import add_threads
from wta_sae.stages.sae_inputs import add_sae_arguments, load_inputs


def add_arguments(parser: ArgumentParser) -> None:
    add_sae_arguments(parser)
    parser.add_argument("--residual-folders", type=Path, nargs="+", required=True, help="directories of cache-texts")
    parser.add_argument(
        "--probe-files", type=Path, nargs="+", required=True, help="files of train-probes, of each in its order"
    )
    parser.add_argument("--batch-texts", type=int, default=BATCH_TEXTS, help="texts a batch, on which `released` depends")
    parser.add_argument(
        "--perturbed-latents", type=int, nargs="+", default=list(N_VALUES), metavar="N", help="how many latents are taken out"
    )
    add_threads(parser)


def run(arguments: Namespace) -> None:
    prepare_to_compute(0, arguments.threads)
    device = best_device()
    caches = [TextCache(directory, device) for directory in arguments.residual_folders]
    probes = _probes_of(arguments, caches)
    _check_alike(caches)
    description = caches[0].description
    counts = {len(rows) for cache in caches for groups in cache.description.groups.values() for rows in groups.values()}
    sizes = {size for count in counts for size in batch_sizes(count, arguments.batch_texts)}
    inputs = load_inputs(arguments, description.hook, device, sizes, description.context_length, prepend_bos=True)
    found = defaultdict(list)
    for cache, of_model in zip(caches, probes, strict=True):
        groups = cache.description.groups
        train, test = (pool_texts(cache, inputs.saes, groups[split], arguments.batch_texts) for split in ("train", "test"))
        if of_model.probing:
            found["probing"].append(probing_metrics(train, test, of_model.probing))
        if of_model.tpp:
            found["tpp"].append(tpp_metrics(inputs.saes, train, test, of_model.tpp, arguments.perturbed_latents))
        if of_model.scr:
            found["scr"].append(scr_metrics(inputs.saes, train, test, of_model.scr, arguments.perturbed_latents))
    families = [{label: mean_evaluation([one[label] for one in sets]) for label in inputs.saes} for sets in found.values()]
    write_records(arguments.out, of_inputs(arguments.sae.name, inputs, families)[1])


def _probes_of(arguments: Namespace, caches: list[TextCache]) -> list[ModelProbes]:
    """The probes of each cache. Raises UserError where they are not of it."""
    if len(caches) != len(arguments.probe_files):
        raise UserError(
            f"--probe-files: {len(arguments.probe_files)} given for {len(caches)} --residual-folders; give the probes of each"
        )
    found = [read_probes(path, cache.device) for path, cache in zip(arguments.probe_files, caches, strict=True)]
    for cache, path, probes in zip(caches, arguments.probe_files, found, strict=True):
        if probes.texts_sha256 != cache.sha256():
            raise UserError(f"{path}: trained on other texts than {cache.directory}; train probes on these anew")
    return found


def _check_alike(caches: list[TextCache]) -> None:
    first = caches[0].description
    for cache in caches[1:]:
        if (cache.description.hook, cache.description.context_length) != (first.hook, first.context_length):
            raise UserError(f"{cache.directory}: of another model, block or context length than {caches[0].directory}")
