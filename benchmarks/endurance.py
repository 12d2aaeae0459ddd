"""Whether a run that is struck again and again ends as one that is left alone, byte for byte.

    python benchmarks/endurance.py --strikes 30

Two checkouts of the last commit run the tiny config. One is left alone. The other is struck while it runs: it is killed with
all its jobs (SIGKILL, as when the power fails), or one of its jobs is, or its disk is full; after each strike the same command
is given again, as a user would. Where it comes to its end before all strikes are done, it starts anew. Then in the finished run
a bit is flipped in one file after another, what read the file is deleted, and the message of the job that reads it is followed.
The disk is a small one in memory, which takes root; without it no disk is filled, and that is said. About half an hour.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from measuring import ROOT, header, row

CONFIG = ("--configfile", "tests/tiny.yaml")
COMPARED = (
    "sae/*/*.safetensors",
    "matched/*/*.safetensors",
    "*.csv",
    "*.tex",
    "*.md",
    "*.pdf",
    "*.png",
    "*.json",
    "latents/*.html",
)
DISK_MB = 300
SECONDS = (3.0, 25.0)  # from a start to its strike
FREE_MB = (0.1, 6.0)  # on a disk that is about to be full
# What is flipped -> the file, and what is deleted so that the file is read again.
FLIPPED = {
    "documents": ("text/docstrings.parquet", "tokens/calibration.safetensors"),
    "tokens": ("tokens/evaluation.safetensors", "metrics/topk-k4/tokens.json"),
    "the language model's weights": ("lm/model.safetensors", "metrics/topk-k4/tokens.json"),
    "a shard of activations": ("activations/shard-00001.safetensors", "sae/topk-k8"),
    "an SAE's weights": ("sae/topk-k4/sae_weights.safetensors", "metrics/topk-k4/tokens.json"),
    "an SAE's thresholds": ("sae/wta-k5/thresholds.safetensors", "metrics/wta-k5/tokens.json"),
    "residuals of labelled texts": ("labelled/residuals/classes/*/shard-00000.safetensors", "metrics/topk-k4/texts.json"),
    "probes": ("labelled/probes/classes/*.safetensors", "metrics/topk-k4/texts.json"),
    "what was found of each latent": ("metrics/wta-k5/tokens.safetensors", "figure1.pdf"),
}


class Checkout:
    """A folder with the repository's files, in which the tiny config runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, folder / "results/tiny"
        self.environment = os.environ | {"PYTHONPATH": str(folder / "src")}
        self.output = folder.with_name(f"{folder.name}.log")

    @classmethod
    def of_last_commit(cls, folder: Path) -> "Checkout":
        folder.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "xf", "-"], cwd=folder, input=archive, check=True)
        return cls(folder)

    def copied(self, name: str) -> "Checkout":
        """With its results, beside it, in the place of an earlier copy."""
        copy = self.folder.with_name(name)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder, copy, symlinks=True)
        return Checkout(copy)

    def start(self, *words: str) -> subprocess.Popen:
        """A running `snakemake`, in a process group of its own with its jobs. Its output is the end of `output`."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *(words or ("all",)), *CONFIG]
        self.output.write_text("")
        with self.output.open("w") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def finish(self, *words: str) -> bool:
        """Whether the command ends well."""
        return self.start(*words).wait() == 0

    def jobs(self) -> dict[int, str]:
        """Process -> stage, of the jobs that run."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "wta_sae" in words and words[0].endswith("python") and (entry / "cwd").resolve() == self.folder:
                    place = words.index("wta_sae") + 1
                    found[int(entry.name)] = " ".join(word for word in words[place : place + 2] if not word.startswith("-"))
        return found

    def told(self) -> list[str]:
        """The lines of stages that failed."""
        return re.findall(r"^wta_sae .*$", self.output.read_text(errors="replace"), re.MULTILINE)

    def digests(self) -> dict[str, str]:
        files = [path for pattern in COMPARED for path in self.run.glob(pattern)]
        return {str(path.relative_to(self.run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def anew(self) -> None:
        for path in (*(self.folder / "results").iterdir(), self.folder / ".snakemake"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


Strike = Callable[[Checkout, random.Random], str]  # what was struck; "" where the run came to its end before


def kill_everything(struck: Checkout, rng: random.Random) -> str:
    process = struck.start()
    if not _wait(process, rng.uniform(*SECONDS)):
        return ""
    running = struck.jobs().values()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    struck.finish("--unlock")
    return ", ".join(sorted(set(running))) or "between jobs"


def kill_a_job(struck: Checkout, rng: random.Random) -> str:
    process = struck.start()
    if not _wait(process, rng.uniform(*SECONDS)):
        return ""
    while process.poll() is None:
        if jobs := struck.jobs():
            number, stage = rng.choice(sorted(jobs.items()))
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
                process.wait()
                return stage
        time.sleep(0.02)
    return ""


def fill_the_disk(struck: Checkout, rng: random.Random) -> str:
    ballast = struck.folder / "results/ballast"
    free = shutil.disk_usage(ballast.parent).free - rng.uniform(*FREE_MB) * 1e6
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, int(free)))
    ended_well = struck.finish()
    ballast.unlink()
    if ended_well:
        return ""
    # What failed is Snakemake's to tell: where there is no room at all, a job has none for its own last line.
    rules = set(re.findall(r"^Error in rule (\w+):", struck.output.read_text(errors="replace"), re.MULTILINE))
    return ", ".join(sorted(rules)) or "Snakemake itself"


def _wait(process: subprocess.Popen, seconds: float) -> bool:
    """Whether the process still runs after that time."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is None


def flip_a_bit(path: Path, rng: random.Random) -> None:
    """Somewhere in the second half, where the data are; its time stays, as where a disk rots."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[rng.randrange(len(content) // 2, len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def recover_from_flip(struck: Checkout, rng: random.Random, pattern: str, reader: str) -> tuple[str, str, str]:
    """Flips a bit of a file of a finished run; returns what the user is told, what it took, and whether all is as it was.

    That is the file and what read it; of the rest nothing can be otherwise.
    """
    (path, *_) = sorted(struck.run.glob(pattern))
    read_by = struck.run / reader
    before = [_digest_of(path), _digest_of(read_by)]
    flip_a_bit(path, rng)
    shutil.rmtree(read_by) if read_by.is_dir() else read_by.unlink()
    wanted = str(read_by.relative_to(struck.folder))  # by its name, for what needs it is there and up to date
    if struck.finish(wanted):
        line, done, ended_well = "nothing", "nothing", True
    else:
        line, done, ended_well = _follow((struck.told() or ["no line"])[0], struck, wanted, path)
    if not ended_well:
        return line, f"{done}: failed", "no"
    return line, done, "yes" if [_digest_of(path), _digest_of(read_by)] == before else "no"


def _follow(line: str, struck: Checkout, wanted: str, path: Path) -> tuple[str, str, bool]:
    """Does what the line says, else makes anew what the file is of; returns the line, what was done, whether it ended well."""
    if again := re.search(r"--forcerun (\S+)$", line):
        return line, f"`--forcerun {again[1]}`", struck.finish(wanted, "--forcerun", again[1])
    if again := re.search(r"delete (\S+), ask for (\S+) by that name alone", line):
        shutil.rmtree(struck.folder / again[1])
        done = f"`{again[1]}` deleted, `{again[2]}` asked for"
        return line, done, struck.finish(again[2]) and struck.finish(wanted)
    made = path.parent if (path.parent / ".snakemake_timestamp").exists() else path
    name = str(made.relative_to(struck.folder))
    return line, f"no command in the line; `--forcerun {name}`", struck.finish(wanted, "--forcerun", name)


def _digest_of(path: Path) -> str:
    """Of a file, or of all files of a folder."""
    files = sorted(file for file in path.rglob("*") if file.name != ".snakemake_timestamp") if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own in the folder's results; whether there is one."""
    results = folder / "results"
    results.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(results)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(results)], check=True)


def differing(found: dict[str, str], expected: dict[str, str]) -> str:
    names = sorted(name for name in {**found, **expected} if found.get(name) != expected.get(name))
    return f"no: {', '.join(names[:3])} and so on, {len(names)} files" if names else "yes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strikes", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        alone = Checkout.of_last_commit(Path(scratch).resolve() / "alone")
        assert alone.finish(), alone.output.read_text()[-3000:]
        expected = alone.digests()
        print(f"The run that was left alone: {len(expected)} files to compare.\n", flush=True)
        struck = Checkout.of_last_commit(Path(scratch).resolve() / "struck")
        with small_disk(struck.folder) as disk:
            strike_at_random(struck, arguments.strikes, rng, expected, disk)
        header("a bit flipped in", "the user is told", "what it took", "as it was")
        for name, (pattern, reader) in FLIPPED.items():
            row(name, *recover_from_flip(alone.copied("flipped"), rng, pattern, reader))


def strike_at_random(struck: Checkout, strikes: int, rng: random.Random, expected: dict[str, str], disk: bool) -> None:
    kinds: dict[str, Strike] = {"the head and all its jobs killed": kill_everything, "a job killed": kill_a_job}
    if disk:
        kinds["the disk full"] = fill_the_disk
    else:
        print("No small disk could be mounted: no disk is filled.\n", flush=True)
    done: dict[str, Counter] = {kind: Counter() for kind in kinds}
    ends = []
    while sum(map(Counter.total, done.values())) < strikes:
        kind = rng.choice(sorted(kinds))
        at = kinds[kind](struck, rng)
        print(f"{kind}: {at or 'nothing, the run had ended'}", file=sys.stderr, flush=True)
        if at:
            done[kind][at] += 1
        else:
            ends.append(differing(struck.digests(), expected))
            struck.anew()
    assert struck.finish(), struck.output.read_text()[-3000:]
    ends.append(differing(struck.digests(), expected))
    header("strike", "times", "what it met")
    for kind, met in done.items():
        row(kind, met.total(), "; ".join(f"{at} ({count})" if count > 1 else at for at, count in met.most_common()))
    print(f"\nThe run came to its end {len(ends)} times; equal to the one left alone: {', '.join(ends)}.\n", flush=True)


if __name__ == "__main__":
    main()
