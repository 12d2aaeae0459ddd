"""Draws a world of true features, and caches tokens of it for SAEs to train on."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.devices import prepare_to_compute
from wta_sae.machine.origin import computed_by
from wta_sae.plan.world_options import WorldOptions
from wta_sae.stages.options import add_options, add_threads, read_options
from wta_sae.synthetic.planting import cache_world
from wta_sae.synthetic.world import new_world, write_world


def add_arguments(parser: ArgumentParser) -> None:
    add_options(parser, WorldOptions)
    parser.add_argument("--tokens", type=int, required=True, help="to cache")
    parser.add_argument("--shard-tokens", type=int, required=True, help="tokens a shard")
    parser.add_argument("--seed", type=int, required=True)
    add_threads(parser)
    parser.add_argument("--world-out", type=Path, required=True, help="file of the true features, to write")
    parser.add_argument("--out", type=Path, required=True, help="directory of the cache, to write")


def run(arguments: Namespace) -> None:
    prepare_to_compute(arguments.seed, arguments.threads)
    world = new_world(read_options(arguments, WorldOptions), arguments.seed)
    write_world(arguments.world_out, world)
    origin = computed_by("make-synthetic")
    tokens, shard_tokens = arguments.tokens, arguments.shard_tokens
    manifest = cache_world(arguments.out, arguments.world_out, tokens, shard_tokens, arguments.seed, origin)
    rarest = world.probabilities_G.min().item() * manifest.rows
    print(f"{manifest.rows:,} tokens, on which the rarest of {world.options.features} features fires about {rarest:.0f} times")
