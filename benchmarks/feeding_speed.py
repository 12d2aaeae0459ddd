"""How fast the cache of activations feeds a trainer, beside plain reading of its files, in memory already and from the disk.

    python benchmarks/feeding_speed.py

The cache has the paper's width, type and shards. `fresh memory` is what Python's own reading takes; `memory that is there` the
floor of any reading. With a GPU the batches come there. The second table has what it comes to: a training step on batches from
the cache beside one on a batch that stays where it is. Before them, how fast such a cache is written.

Shape suffixes: B tokens of a batch, D model width.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from measuring import header, name_processor, row
from training_speed import at_k_latents_a_token, new_trainer
from wta_sae.activations.cache import ActivationCache
from wta_sae.activations.shards import Source, write_cache
from wta_sae.machine.devices import best_device, prepare_to_compute
from wta_sae.machine.files import file_sha256, file_xxh3

WIDTH, LATENTS, TOKENS, K = 1024, 8192, 8192, 64  # D, F, B and k of the paper
SHARDS, SHARD_ROWS = 4, 262_144
FORWARD_PASS = 256 * 127  # rows of one
ROUNDS = 3
STEPS = {"cpu": 4, "cuda": SHARDS * SHARD_ROWS // TOKENS}


def random_cache(folder: Path, device: torch.device) -> ActivationCache:
    """Written from rows that are on the device already, as fast as a language model of no cost would have it."""
    rows_ND = torch.randn(FORWARD_PASS, WIDTH, generator=torch.Generator().manual_seed(0)).to(device)

    def rows_between(start: int, stop: int) -> Iterator[torch.Tensor]:
        for first in range(start, stop, FORWARD_PASS):
            yield rows_ND[: stop - first]

    source = Source(rows_between, WIDTH, "", "", "", "", 0, {})
    begin = time.perf_counter()
    write_cache(folder / "cache", source, SHARDS * SHARD_ROWS, torch.bfloat16, SHARD_ROWS, 0, {})
    print(f"The cache was written at {SHARDS * SHARD_ROWS / (time.perf_counter() - begin):,.0f} tokens a second.\n")
    return ActivationCache(folder / "cache")


def forget(files: list[Path]) -> None:
    """Has the system drop what it holds of the files in memory."""
    for file in files:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_all_into(files: list[Path], memory: memoryview) -> None:
    for file in files:
        with file.open("rb", buffering=0) as opened:
            done = 0
            while got := opened.readinto(memory[done : done + 2**20]):
                done += got


def seconds(work: Callable[[], object], before: Callable[[], object]) -> float:
    """The least of some rounds, on the clock."""
    taken = []
    for _ in range(ROUNDS):
        before()
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def rates(cache: ActivationCache, device: torch.device) -> None:
    files = [cache.directory / shard.file for shard in cache.manifest.shards]
    sizes = [file.stat().st_size for file in files]
    memory = memoryview(bytearray(max(sizes)))

    def batches() -> None:
        for _ in cache.batches(TOKENS, seed=0, device=device):
            pass
        if device.type == "cuda":
            torch.cuda.synchronize()

    ways: dict[str, Callable[[], object]] = {
        "plain reading into fresh memory": lambda: [file.read_bytes() for file in files],
        "plain reading into memory that is there": partial(read_all_into, files, memory),
        "its digest, XXH3": lambda: [file_xxh3(file) for file in files],
        "SHA-256, as before": lambda: [file_sha256(file) for file in files],
        f"batches on the {device.type}, checked": batches,
    }
    header("the cache, one pass", "in memory, GB/s", "of plain reading", "from the disk, GB/s", "of plain reading")
    plain: list[float] = []
    for name, way in ways.items():
        here = [sum(sizes) / 1e9 / seconds(way, before) for before in (lambda: None, lambda: forget(files))]
        plain = plain or here
        row(name, *(cell for one, of in zip(here, plain, strict=True) for cell in (f"{one:.2f}", f"{one / of:.2f}")))
    print()


def fed_steps(cache: ActivationCache, device: torch.device) -> None:
    steps = STEPS[device.type]
    x_BD = next(cache.batches(TOKENS, 0, device=device)) / cache.manifest.norm_factor
    trainer = at_k_latents_a_token(new_trainer("topk", (WIDTH, LATENTS, TOKENS, K), device=device), x_BD, K)
    trainer.bound_dead(10**5)

    def timed(batches: Iterator[torch.Tensor]) -> float:
        next(batches)  # the first shard is waited for once a run
        begin = time.perf_counter()
        for _ in range(steps - 1):
            trainer.step(next(batches).to(trainer.b_dec_D) / cache.manifest.norm_factor)
        if device.type == "cuda":
            torch.cuda.synchronize()
        batches.close()  # type: ignore[attr-defined]
        return (time.perf_counter() - begin) * 1000 / (steps - 1)

    stays_BD = next(cache.batches(TOKENS, 0, device=device))
    timed(stays_BD for _ in range(steps))  # warm-up
    header("a step of TopK on", "ms")
    row("a batch that stays", f"{timed(stays_BD for _ in range(steps)):.2f}")
    row("batches from the cache", f"{timed(cache.batches(TOKENS, 0, device=device)):.2f}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    prepare_to_compute(0, threads=1)  # as the workflow trains
    device = best_device()
    name_processor()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # not /tmp, which may be memory
        cache = random_cache(Path(folder), device)
        rates(cache, device)
        fed_steps(cache, device)


if __name__ == "__main__":
    main()
