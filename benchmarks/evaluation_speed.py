"""Core metrics of eight SAEs beside SAEBench's own functions, on the same tokens, in one run; the numbers must be equal.

    python benchmarks/evaluation_speed.py

Model, tokens and two SAEs are those of tests/data/golden; the other six SAEs are these two with noise on their weights.
SAEBench runs in its own environment (benchmarks/peers) and takes turns with us; its latents' weights, which we measure
elsewhere, are left out. Ends with an error where a number differs by more than 1e-4 of its size. CPU time of one thread.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from measuring import ROOT, Peer, Time, best_of_turns, header, name_processor, row, timed
from wta_sae.language_model.model import LanguageModel, load_language_model
from wta_sae.metrics.core import evaluate_core
from wta_sae.sae.sae import SAE

GOLDEN = ROOT / "tests/data/golden"
LAYER, K, CONTEXTS_A_BATCH, ROUNDS = 2, 8, 16, 3
RULES = {"topk": "topk", "batchtopk": "threshold"}
NOISE = 0.02  # of a weight's standard deviation
LARGEST_DIFFERENCE = 1e-4
OUR_NAMES = {"explained_variance": "explained_variance_saebench"}


def write_saes(folder: Path) -> dict[str, tuple[Path, str]]:
    """label -> weights and inference rule."""
    generator = torch.Generator().manual_seed(0)
    files = {}
    for name, rule in RULES.items():
        weights = load_file(GOLDEN / f"sae_{name}.safetensors")
        for copy in range(4):
            noisy = {
                key: tensor + NOISE * tensor.std() * torch.randn(tensor.shape, generator=generator)
                for key, tensor in weights.items()
                if tensor.ndim
            }
            file = folder / f"{name}-{copy}.safetensors"
            save_file(weights | (noisy if copy else {}), file)
            files[file.stem] = file, rule
    return files


def load(file: Path, rule: str) -> SAE:
    weights = load_file(file)
    W_enc, b_enc, W_dec, b_dec, threshold = (weights[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"))
    return SAE(W_enc, b_enc, W_dec, b_dec, inference=rule, k=K, threshold=threshold)


def largest_difference(ours: dict[str, float], theirs: dict[str, float]) -> tuple[float, str]:
    """Relative, and the metric that has it; of all that SAEBench gives but its counts of tokens."""
    shared = [name for name in theirs if not name.startswith("total_tokens")]
    differences = {name: abs(ours[OUR_NAMES.get(name, name)] / theirs[name] - 1) for name in shared}
    return max((difference, name) for name, difference in differences.items())


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    name_processor()
    lm = load_language_model(GOLDEN / "lm", LAYER, torch.device("cpu"))
    tokens_CL = torch.from_numpy(np.load(GOLDEN / "tokens.npy").astype(np.int64))
    with tempfile.TemporaryDirectory() as folder:
        files = write_saes(Path(folder))
        saes = {label: load(*made) for label, made in files.items()}
        peer = Peer("saebench_peer.py")
        specifications = {label: (str(file), K, rule == "threshold") for label, (file, rule) in files.items()}
        peer.call("make", str(GOLDEN / "lm"), LAYER, str(GOLDEN / "tokens.npy"), specifications, CONTEXTS_A_BATCH)
        ours: dict[str, dict[str, float]] = {}
        theirs: dict[str, dict[str, float]] = {}
        best = best_of_turns({"ours": our_turn(lm, saes, tokens_CL, ours), "SAEBench": their_turn(lm, peer, theirs)}, ROUNDS)
    header("core metrics of 8 SAEs", "CPU s", "times faster")
    for name, time in best.items():
        row(name, f"{time.cpu:.1f}", f"{best['SAEBench'].cpu / time.cpu:.1f}")
    worst, metric = max(largest_difference(ours[label], theirs[label]) for label in saes)
    print(f"\nLargest relative difference of any number of any SAE: {worst:.1e} ({metric})")
    if not worst <= LARGEST_DIFFERENCE:
        raise SystemExit(f"{metric}: differs by more than {LARGEST_DIFFERENCE}")


def our_turn(lm: LanguageModel, saes: dict[str, SAE], tokens_CL: torch.Tensor, found: dict) -> Callable[[], Time]:
    def work() -> None:
        results = evaluate_core(lm, saes, tokens_CL, CONTEXTS_A_BATCH)
        found.update({label: evaluation.metrics for label, evaluation in results.items()})

    return lambda: timed(work)


def their_turn(lm: LanguageModel, peer: Peer, found: dict) -> Callable[[], Time]:
    def take_turn() -> Time:
        time, results = peer.call("evaluate", lm.special_ids)
        found.update(results)
        return Time(*time)

    return take_turn


if __name__ == "__main__":
    main()
