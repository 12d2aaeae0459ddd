"""Four SAEs trained one after another against together in one pass over the cache, with fast and with slow reads.

    python benchmarks/sweep_speed.py

Seconds are the CPU time of one thread and, added to it, the time that reads kept it waiting: what a quiet machine's clock would
show. Reads from `memory` find the shards in the system's page cache, those from `disk` do not; reads at a speed wait as long as
the bytes of a shard take.

Shape suffixes: N cached tokens, D model width.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

from measuring import name_processor
from wta_sae.activations.cache import MANIFEST_FILE, ActivationCache, Manifest, Shard
from wta_sae.machine.devices import prepare_to_compute
from wta_sae.machine.files import file_sha256, write_json
from wta_sae.machine.tensor_files import write_tensors
from wta_sae.training.loop import TrainingRun, train
from wta_sae.training.trainer import Trainer, TrainingOptions, new_rule
from wta_sae.variants.registry import VARIANTS


class Size(NamedTuple):
    """Of a sweep. D, F, B and k; batches: of the cache."""

    name: str
    width: int
    latents: int
    batch_tokens: int
    k: int
    batches: int


SIZES = (Size("the demo's", 128, 2048, 2048, 16, 64), Size("few latents", 512, 256, 2048, 8, 64))
SAES = ("topk", "batch_topk", "wta", "wta")
SHARDS = 4
ROUNDS = 2


class SlowCache(ActivationCache):
    """A cache whose reads keep one waiting. delay: waits as long as a shard of that path takes to come."""

    def __init__(self, directory: Path, delay: Callable[[Path], None]):
        super().__init__(directory)
        self.delay = delay
        self.waited = 0.0  # seconds, all reads together

    def _rows(self, shard: Shard) -> torch.Tensor:
        wall, cpu = time.perf_counter(), time.process_time()
        self.delay(self.directory / shard.file)
        self.waited += time.perf_counter() - wall - (time.process_time() - cpu)
        return super()._rows(shard)


def at_speed(megabytes: float) -> Callable[[Path], None]:
    return lambda file: time.sleep(file.stat().st_size / 1e6 / megabytes)


def from_disk(file: Path) -> None:
    """Reads a file after the system has dropped what it held of it in memory."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while opened.read(2**24):
            pass


READS = {"memory": lambda _: None, "disk": from_disk, "200 MB/s": at_speed(200), "50 MB/s": at_speed(50)}


def random_cache(folder: Path, size: Size) -> None:
    rows = size.batches * size.batch_tokens // SHARDS
    generator = torch.Generator().manual_seed(0)
    for index in range(SHARDS):
        acts_ND = torch.randn(rows, size.width, generator=generator) * torch.linspace(2, 0.1, size.width)
        write_tensors(folder / f"shard-{index}.safetensors", {"activations": acts_ND})
    shards = tuple(Shard(file.name, rows, file_sha256(file)) for file in sorted(folder.glob("shard-*")))
    manifest = Manifest(rows * SHARDS, size.width, "float32", 1.0, "", "", "", 0, {}, 0, shards)
    write_json(folder / MANIFEST_FILE, asdict(manifest))


def new_run(variant: str, size: Size) -> TrainingRun:
    options = TrainingOptions(size.latents, size.batch_tokens, 1, 1e-3, 0, 0, 0, 0.99, 10**9, 1 / 32)
    k = size.k if VARIANTS[variant].budget == "k" else size.k * size.batch_tokens // size.latents
    cpu = torch.device("cpu")
    rule = new_rule(variant, k, options, size.batches, cpu)
    return TrainingRun(variant, Trainer(rule, size.width, options, size.batches, 0, cpu))


def seconds(cache: SlowCache, size: Size, groups: list[list[str]]) -> float:
    """What training the groups of SAEs takes, a pass over the cache for each."""
    cache.waited, start = 0.0, time.process_time()
    for group in groups:
        runs = [new_run(variant, size) for variant in group]
        train(runs, cache.batches(size.batch_tokens, seed=0), cache.manifest.norm_factor, log_every=10)
    return time.process_time() - start + cache.waited


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    prepare_to_compute(0, threads=1)  # as the workflow trains
    ways = {"alone": [[variant] for variant in SAES], "together": [list(SAES)]}
    name_processor()
    print("| size | reads | one by one, s | together, s | times faster |\n|---|---|---|---|---|")
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=".") as folder:  # not /tmp, which may be memory
            random_cache(Path(folder), size)
            for reads, delay in READS.items():
                cache = SlowCache(Path(folder), delay)
                rounds = [{way: seconds(cache, size, groups) for way, groups in ways.items()} for _ in range(ROUNDS)]
                alone, together = (min(times[way] for times in rounds) for way in ways)
                print(f"| {size.name} | {reads} | {alone:.1f} | {together:.1f} | {alone / together:.2f} |", flush=True)


if __name__ == "__main__":
    main()
