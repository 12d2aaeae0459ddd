"""What the `evaluate` stages share: their arguments, their inputs, and the evaluation on labelled texts."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from wta_sae.devices import best_device, keep_freed_memory, make_repeatable
from wta_sae.errors import UserError
from wta_sae.files import read_json
from wta_sae.language_model import LanguageModel, load_language_model
from wta_sae.metrics.evaluation import Evaluation, mean_evaluation
from wta_sae.metrics.pooling import Pooled
from wta_sae.sae import SAE, load_sae
from wta_sae.stages.evaluation_results import write_results


def add_sae_arguments(parser: ArgumentParser, *outputs: str) -> None:
    """outputs: the flags that name the files to write."""
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument(
        "--inference", nargs="+", default=[None], metavar="RULE", help="how to read it out (the SAE's own rule unless told)"
    )
    for flag in outputs:
        parser.add_argument(flag, type=Path, required=True, help="JSON: one rule's metrics, or a list of several rules'")


def add_language_model_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--lm", type=Path, required=True, help="transformers directory")
    parser.add_argument("--layer", type=int, required=True, help="block whose output the SAE reads, from 0")


def add_token_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--tokens", type=Path, required=True, help=".safetensors or .npy of (contexts, length), BOS first")
    parser.add_argument("--batch-contexts", type=int, default=16, help="contexts a batch")


def add_class_arguments(parser: ArgumentParser, *outputs: str) -> None:
    """All that an evaluation on classes of texts needs. outputs: as in `add_sae_arguments`."""
    add_language_model_arguments(parser)
    add_sae_arguments(parser, *outputs)
    parser.add_argument(
        "--texts", type=Path, nargs="+", required=True, help='JSON: {"train": {class: [text, ...]}, "test": {...}}'
    )
    add_text_arguments(parser)


def add_text_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--context-length", type=int, default=128, help="tokens a text is cut or padded to")
    parser.add_argument("--batch-texts", type=int, default=125, help="texts a batch")
    parser.add_argument("--seed", type=int, default=42)


def add_perturbation_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--perturbed-latents",
        type=int,
        nargs="+",
        default=[2, 5, 10, 20, 50, 100, 500],
        metavar="N",
        help="how many latents are taken out",
    )


def load_inputs(arguments: Namespace) -> tuple[LanguageModel, dict[str, SAE]]:
    """The language model, and the SAE under each inference rule that was asked for; the SAEs share their weights' tensors."""
    make_repeatable(getattr(arguments, "seed", 0))
    keep_freed_memory()
    device = best_device()
    lm = load_language_model(arguments.lm, arguments.layer, device)
    first, *others = (load_sae(arguments.sae, rule).to(device) for rule in arguments.inference)
    sharing = [replace(first, inference=sae.inference, k=sae.k, threshold=sae.threshold, rate=sae.rate) for sae in others]
    return lm, {sae.inference: sae for sae in (first, *sharing)}


class Family(NamedTuple):
    """A family of metrics of labelled texts: the files of texts that it is a mean over, and its metrics of pooled texts."""

    files: Sequence[Path]
    metrics: Callable[[dict[str, SAE], Pooled, Pooled], dict[str, Evaluation]]


def evaluate_on_texts(
    arguments: Namespace,
    pool: Callable[..., tuple[Pooled, Pooled]],
    families: Mapping[Path, Family],
    groups: tuple[str, ...] = (),
) -> None:
    """Pools each file of labelled texts once, for every family of metrics, and writes each family's means over its files.

    pool: makes pooled train and test texts of a file's; families: file to write -> what goes into it; groups: those that a
    file of texts must have.
    """
    lm, saes = load_inputs(arguments)
    lm.check_context(arguments.context_length)
    evaluated: dict[Path, list[dict[str, Evaluation]]] = {out: [] for out in families}
    for file in dict.fromkeys(file for family in families.values() for file in family.files):
        train, test = pool(lm, saes, read_texts(file, groups), arguments.context_length, arguments.batch_texts)
        for out, family in families.items():
            if file in family.files:
                evaluated[out].append(family.metrics(saes, train, test))
    for out, evaluations in evaluated.items():
        means = {rule: mean_evaluation([evaluation[rule] for evaluation in evaluations]) for rule in saes}
        write_results(out, arguments.sae, means)


def read_texts(path: Path, groups: tuple[str, ...] = ()) -> dict[str, dict[str, list[str]]]:
    """{"train": {group: [text, ...]}, "test": {...}}. Raises UserError for another shape, or a missing group."""
    texts = read_json(path)
    if not (isinstance(texts, dict) and {"train", "test"} <= set(texts)):
        raise UserError(f'{path}: wants the keys "train" and "test", each an object of lists of texts')
    for split in ("train", "test"):
        content = texts[split]
        well_formed = isinstance(content, dict) and all(
            isinstance(group, list) and all(isinstance(text, str) for text in group) for group in content.values()
        )
        if not well_formed:
            raise UserError(f"{path}: {split} is not an object of lists of texts")
        missing = [group for group in groups if group not in content]
        if missing:
            raise UserError(f"{path}: {split} lacks {', '.join(missing)}; it wants {', '.join(groups)}")
    return texts
