"""A training step of each variant beside dictionary_learning's and beside the floor of a dense step, in one run.

    python benchmarks/training_speed.py

The floor is the five matrix products of a dense step with nothing around them. The peer of WTA is BatchTopK, for
dictionary_learning has no WTA; it runs in its own environment (benchmarks/peers), because ours has numpy 2, whose partition is
several times as fast, and takes turns with us. Then our step with dead latents, which the auxiliary loss revives, beside the
same step without, and the variants without a peer beside TopK. The last table has what a new variant may do without: TopK by
its own forms, by the plain rule alone, and as a loss.

Shape suffixes: B tokens of a batch, D model width, F latents.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch

from measuring import Peer, Time, best_of_turns, header, name_processor, row, timed
from wta_sae.codes.variant_rule import Encoded, Loss, LossRule, Moment, SelectionRule, squared_error
from wta_sae.machine.devices import prepare_to_compute
from wta_sae.sae.readouts import top_k
from wta_sae.training.trainer import Trainer, TrainingOptions, new_rule
from wta_sae.variants.registry import VARIANTS

SIZES = ((128, 2048, 2048, 16), (128, 1024, 2048, 32), (512, 4096, 4096, 64))  # D, F, B and k; the first are the demo's
PEERS = {"topk": "TopK", "batch_topk": "BatchTopK", "wta": "BatchTopK"}
STEPS, ROUNDS = 2, 5
CPU = torch.device("cpu")
DEAD_SHARE = 0.02


def activations(width: int, tokens: int) -> torch.Tensor:
    return torch.randn(tokens, width, generator=torch.Generator().manual_seed(0)) * torch.linspace(2, 0.1, width)


def new_trainer(
    variant: str, size: tuple[int, int, int, int], learning_rate: float = 1e-3, device: torch.device = CPU
) -> Trainer:
    width, latents, tokens, k = size
    options = TrainingOptions(latents, tokens, 1, learning_rate, 0, 0, 0, 0.99, 10**9, 1 / 32)
    budget = k if VARIANTS[variant].budget == "k" else k * tokens // latents
    return Trainer(new_rule(variant, budget, options, 10**6, device), width, options, 10**6, 0, device)


def at_k_latents_a_token(trainer: Trainer, x_BD: torch.Tensor, k: int) -> Trainer:
    """The trainer after its first step; thresholds that are trained stand where k latents a token pass."""
    trainer.step(x_BD)  # sets the bias from its first batch
    cut = trainer.pre_BF.flatten().topk(k * len(x_BD)).values[-1]
    for thresholds_F in trainer.rule.parameters.values():
        thresholds_F.data.fill_(cut)
    return trainer


def dense_floor(
    width: int, latents: int, tokens: int, device: torch.device = CPU, dtype: torch.dtype = torch.float32
) -> Callable[[], None]:
    """Encode, decode, and the products of their gradients, all into memory that is there."""
    x_BD, W_DF = (one.to(device, dtype) for one in (activations(width, tokens), torch.randn(width, latents)))
    acts_BF, out_BD, gradient_DF = x_BD @ W_DF, torch.empty_like(x_BD), torch.empty_like(W_DF)

    def products() -> None:
        for _ in range(2):
            torch.mm(x_BD, W_DF, out=acts_BF)
        torch.mm(acts_BF, W_DF.T, out=out_BD)
        for _ in range(2):
            torch.mm(x_BD.T, acts_BF, out=gradient_DF)

    return products


def our_turn(step: Callable[[], object], threads: int) -> Time:
    torch.set_num_threads(threads)
    return timed(step, STEPS)


def their_turn(peer: Peer, name: str, threads: int) -> Time:
    return Time(*peer.call("steps", name, STEPS, threads))


def beside_the_peer(size: tuple[int, int, int, int], peer: Peer, threads: int) -> None:
    """One thread's CPU time, or the wall time of several."""
    width, latents, tokens, k = size
    x_BD = activations(width, tokens)
    turns: dict[str, Callable[[], Time]] = {"dense floor": partial(our_turn, dense_floor(width, latents, tokens), threads)}
    for name in sorted(set(PEERS.values())):
        peer.call("make", name, width, latents, tokens, k)
        turns[name] = partial(their_turn, peer, name, threads)
    turns |= {variant: partial(our_turn, partial(new_trainer(variant, size).step, x_BD), threads) for variant in PEERS}
    best_of_turns(turns, 1)  # warm-up
    best = best_of_turns(turns, ROUNDS)
    taken = {name: time.cpu if threads == 1 else time.wall for name, time in best.items()}
    for name, seconds in taken.items():
        label = f"dictionary_learning {name}" if name in PEERS.values() else name
        faster = f"{taken[PEERS[name]] / seconds:.1f}" if name in PEERS else ""
        row(width, latents, tokens, k, label, f"{seconds * 1000:.0f}", f"{seconds / taken['dense floor']:.2f}", faster)


def with_dead_latents(size: tuple[int, int, int, int], variant: str) -> None:
    """At learning rate 0, where the dead stay dead, though half of their activations are positive.

    Ends with an error where no auxiliary loss was computed.
    """
    width, latents, tokens, k = size
    x_BD = activations(width, tokens)
    trainers = {name: new_trainer(variant, size, learning_rate=0) for name in ("without", "with")}
    for trainer in trainers.values():
        trainer.step(x_BD)  # sets the bias from its first batch
        trainer.W_enc_FD[: round(DEAD_SHARE * latents)] *= 1e-3  # too weak to be selected
    trainers["with"].silent_tokens_F[: round(DEAD_SHARE * latents)] = 10**9
    trainers["with"].bound_dead(steps=100)  # as the training loop has it foreseen who may be dead; more than are made here
    turns = {name: partial(our_turn, partial(trainer.step, x_BD), 1) for name, trainer in trainers.items()}
    best = best_of_turns(turns, ROUNDS)
    last = {name: trainer.step(x_BD) for name, trainer in trainers.items()}
    dead = int(last["with"].dead)
    if dead != round(DEAD_SHARE * latents) or not last["with"].loss > last["without"].loss:
        raise SystemExit(
            f"{variant}: {dead} latents were dead, and their auxiliary loss was {last['with'].loss - last['without'].loss}"
        )
    without, with_dead = (best[name].cpu * 1000 for name in ("without", "with"))
    row(width, latents, tokens, k, variant, dead, f"{without:.1f}", f"{with_dead:.1f}", f"{with_dead / without - 1:+.0%}")


def beside_topk(size: tuple[int, int, int, int]) -> None:
    """The variants that dictionary_learning has no peer of."""
    width, latents, tokens, k = size
    x_BD = activations(width, tokens)
    names = [name for name in VARIANTS if name == "topk" or name not in PEERS]
    trainers = {name: at_k_latents_a_token(new_trainer(name, size), x_BD, k) for name in names}
    turns = {name: partial(our_turn, partial(trainer.step, x_BD), 1) for name, trainer in trainers.items()}
    best = best_of_turns(turns, ROUNDS)
    for name, time in best.items():
        row(width, latents, tokens, k, name, f"{time.cpu * 1000:.0f}", f"{time.cpu / best['topk'].cpu:.1f}")


class PlainTopK(SelectionRule):
    def select(self, pre_BF: torch.Tensor, moment: Moment) -> torch.Tensor:
        return top_k(pre_BF, self.k)


class TopKLoss(LossRule):
    def loss(self, encoded: Encoded, moment: Moment) -> Loss:
        acts_BF = top_k(encoded.pre_BF.relu(), self.k)
        return Loss(squared_error(encoded, acts_BF), acts_BF)


def without_forms_of_its_own(size: tuple[int, int, int, int]) -> None:
    width, latents, tokens, k = size
    x_BD, by_forms = activations(width, tokens), new_trainer("topk", size)
    trainers = {"its own forms": by_forms}
    for name, rule in (("the plain rule", PlainTopK), ("a loss", TopKLoss)):
        own = rule(k, None, by_forms.rule.sizes, CPU)
        trainers[name] = Trainer(own, width, by_forms.options, by_forms.total_steps, 0, CPU)
    turns = {name: partial(our_turn, partial(trainer.step, x_BD), 1) for name, trainer in trainers.items()}
    best_of_turns(turns, 1)  # warm-up
    best = best_of_turns(turns, ROUNDS)
    for name, time in best.items():
        row(width, latents, tokens, k, name, f"{time.cpu * 1000:.0f}", f"{time.cpu / best['its own forms'].cpu:.1f}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    prepare_to_compute(0, threads=1)  # as the workflow trains
    name_processor()
    peer = Peer("dictionary_learning_peer.py")
    for threads, measured in ((1, "CPU ms, one thread"), (2, "wall ms, two threads")):
        header("D", "F", "B", "k", "step", measured, "of the floor", "times faster than the peer")
        for size in SIZES:
            beside_the_peer(size, peer, threads)
        print()
    header("D", "F", "B", "k", "step", "dead latents", "CPU ms without", "CPU ms with", "more")
    for size in SIZES:
        for variant in ("topk", "batch_topk"):
            with_dead_latents(size, variant)
    print()
    header("D", "F", "B", "k", "step", "CPU ms, one thread", "of TopK's")
    for size in SIZES:
        beside_topk(size)
    print()
    header("D", "F", "B", "k", "TopK by", "CPU ms, one thread", "of its own forms")
    for size in SIZES:
        without_forms_of_its_own(size)


if __name__ == "__main__":
    main()
