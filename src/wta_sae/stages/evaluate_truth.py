"""Whether SAEs that trained on synthetic activations found the true features: all at one L0, on tokens that they never saw."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.machine.devices import prepare_to_compute
from wta_sae.machine.files import file_sha256
from wta_sae.metrics.true_features import truth_metrics
from wta_sae.sae.calibration import at_equal_l0
from wta_sae.sae.load import load_sae
from wta_sae.sae.saelens_config import read_metadata
from wta_sae.stages.evaluation_results import record, write_records
from wta_sae.stages.options import add_threads
from wta_sae.synthetic.world import read_world


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--saes", type=Path, nargs="+", required=True, help="directories of train-sae")
    parser.add_argument("--worlds", type=Path, nargs="+", required=True, help="files of make-synthetic, one for each SAE")
    parser.add_argument("--l0", type=int, required=True, help="active latents a token at which all are compared")
    parser.add_argument("--tokens", type=int, required=True, help="to measure on; as many others set the thresholds")
    add_threads(parser)
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="JSON files, one for each SAE")


def run(arguments: Namespace) -> None:
    prepare_to_compute(0, arguments.threads)
    if not len(arguments.saes) == len(arguments.worlds) == len(arguments.out):
        raise UserError(
            f"--worlds, --out: {len(arguments.worlds)} and {len(arguments.out)} for {len(arguments.saes)} SAEs; one each"
        )
    for directory, world_file, out in zip(arguments.saes, arguments.worlds, arguments.out, strict=True):
        _evaluate(directory, world_file, arguments.l0, arguments.tokens, out)


def _evaluate(directory: Path, world_file: Path, l0: int, tokens: int, out: Path) -> None:
    world, metadata = read_world(world_file), read_metadata(directory)
    if metadata.get("model_sha256") != file_sha256(world_file):
        raise UserError(f"{directory}: trained on another world than {world_file}; evaluate it on its own")

    def calibration() -> Iterator[Tensor]:
        return (sample.x_ND for sample in world.samples("calibration tokens", tokens))

    rules, _ = at_equal_l0(load_sae(directory, "per_latent"), l0, calibration, tokens)
    measured = {
        rule: truth_metrics(sae, world.directions_GD, world.samples("evaluation tokens", tokens)) for rule, sae in rules.items()
    }
    write_records(out, [record(directory.name, rule, evaluation) for rule, evaluation in measured.items()])
    print(f"{directory.name}:", ", ".join(f"{rule} {one.metrics['matched_cosine']:.3f}" for rule, one in measured.items()))
