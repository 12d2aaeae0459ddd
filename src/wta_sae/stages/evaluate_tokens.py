"""What an SAE does to held-out text, by one pass over its tokens, and what its weights say of themselves.

core: KL, cross-entropy, sparsity, reconstruction, shrinkage and densities, SAEBench's core evaluation. subspace: the paper
text's subspace cosine and projection percentage. geometry: encoder against decoder directions, and the thresholds.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.metrics.core import ModelBehaviour, Reconstruction
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.geometry import encoder_decoder_geometry, threshold_ratio
from wta_sae.metrics.subspace import Subspace
from wta_sae.metrics.token_pass import Measure, measure_tokens
from wta_sae.metrics.training_curve import dead_at_end
from wta_sae.plan.winners import batch_sizes
from wta_sae.sae.compatibility import starts_with_bos
from wta_sae.sae.load import load_sae, read_thresholds
from wta_sae.stages.evaluation_results import of_inputs, record, write_latents, write_records
from wta_sae.stages.language_model_inputs import add_token_arguments, load_tokens_of
from wta_sae.stages.sae_inputs import add_sae_arguments, load_inputs

MEASURES: dict[str, tuple[type[Measure], ...]] = {"core": (ModelBehaviour, Reconstruction), "subspace": (Subspace,)}
FAMILIES = (*MEASURES, "geometry")  # the last needs no token


def add_arguments(parser: ArgumentParser) -> None:
    add_token_arguments(parser)
    add_sae_arguments(parser)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES, help="of metrics (all unless told)")
    parser.add_argument("--latents-out", type=Path, help="safetensors of the values that each latent has")


def run(arguments: Namespace) -> None:
    lm, tokens_CL = load_tokens_of(arguments)
    sizes = batch_sizes(len(tokens_CL), arguments.batch_contexts)
    inputs = load_inputs(arguments, lm.hook(), lm.device, sizes, tokens_CL.shape[1], starts_with_bos(lm.bos_id, tokens_CL))
    measures = [measure for family, of_family in MEASURES.items() if family in arguments.families for measure in of_family]
    measured = measure_tokens(lm, inputs.saes, tokens_CL, arguments.batch_contexts, *measures) if measures else []
    found, records = of_inputs(arguments.sae.name, inputs, measured)
    results: dict[str | None, Evaluation] = {label: evaluation for label, evaluation in found.items()}
    if "geometry" in arguments.families:
        sae = load_sae(arguments.sae)
        thresholds = read_thresholds(arguments.sae, len(sae.W_dec_FD))
        results[None] = encoder_decoder_geometry(sae) | threshold_ratio(thresholds) | dead_at_end(arguments.sae)
        records.append(record(arguments.sae.name, None, results[None]))
    write_records(arguments.out, records)
    if arguments.latents_out:
        write_latents(arguments.latents_out, arguments.sae.name, results)
