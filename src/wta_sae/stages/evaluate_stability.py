"""Whether an SAE has the latents of one that was trained with another seed, and which of its latents those are."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.base.errors import UserError
from wta_sae.machine.devices import prepare_to_compute
from wta_sae.machine.tensor_files import read_tensors
from wta_sae.metrics.stability import seed_stability, stability_by_density
from wta_sae.sae.load import load_sae
from wta_sae.sae.saelens_config import read_metadata
from wta_sae.stages.evaluation_results import record, write_records
from wta_sae.stages.options import add_threads


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sae", type=Path, required=True, help="directory of train-sae or calibrate")
    parser.add_argument("--other", type=Path, required=True, help="the same of another seed")
    parser.add_argument("--latent-file", type=Path, required=True, help="evaluate tokens' --latents-out, of --sae")
    parser.add_argument("--rule", required=True, help="under which the latents' densities are taken")
    add_threads(parser)
    parser.add_argument("--out", type=Path, required=True, help="JSON")


def run(arguments: Namespace) -> None:
    prepare_to_compute(0, arguments.threads)
    name = arguments.sae.name
    _check_differ_in_seed(arguments.sae, arguments.other)
    densities, metadata = read_tensors(arguments.latent_file)
    key = f"{arguments.rule}.feature_density"
    if metadata.get("sae") != name or key not in densities:
        raise UserError(f"{arguments.latent_file}: holds no {key} of {name}; write it with `evaluate tokens --latents-out`")
    found = seed_stability(load_sae(arguments.sae).W_dec_FD, load_sae(arguments.other).W_dec_FD)
    by_density = stability_by_density(found.per_latent["matched_cosine"], densities[key])
    write_records(arguments.out, [record(name, None, found), record(name, arguments.rule, by_density)])
    print(", ".join(f"{metric} {value:.3f}" for metric, value in found.metrics.items()))


def _check_differ_in_seed(sae: Path, other: Path) -> None:
    first, second = read_metadata(sae), read_metadata(other)
    differing = sorted(key for key in ("variant", "k", "options", "ablation", "training") if first.get(key) != second.get(key))
    if differing:
        raise UserError(f"{other}: differs from {sae} in {', '.join(differing)}; give one that differs in its seed only")
    if first.get("seed") == second.get("seed"):
        raise UserError(f"{other}: has the seed {second.get('seed')}, as {sae}; give one of another seed")
