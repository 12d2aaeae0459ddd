"""What the `evaluate` stages share: their arguments, their inputs, and the evaluation on labelled texts.

Shape suffixes: C contexts, L positions.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.language_model.model import LanguageModel, load_language_model
from wta_sae.machine.devices import best_device, keep_freed_memory, make_repeatable
from wta_sae.machine.files import read_json
from wta_sae.metrics.evaluation import Evaluation, mean_evaluation
from wta_sae.metrics.pooling import Pooled
from wta_sae.metrics.tasks import pool_classes
from wta_sae.sae.compatibility import check_model, context_differences, starts_with_bos, warn_of
from wta_sae.sae.differences import Differences
from wta_sae.sae.directory import load_sae
from wta_sae.sae.sae import INFERENCE_RULES, SAE
from wta_sae.sae.saelens_config import read_saelens_config
from wta_sae.stages.evaluation_results import record, write_records
from wta_sae.stages.options import add_threads
from wta_sae.text.token_files import read_tokens
from wta_sae.variants.winners import batch_sizes, rates_of_equal_winners


def add_sae_arguments(parser: ArgumentParser, *outputs: str) -> None:
    """outputs: the flags that name the files to write."""
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument(
        "--inference",
        nargs="+",
        default=[None],
        metavar="RULE",
        help=f"how to read it out (the SAE's own rule unless told): {', '.join(INFERENCE_RULES)}, as far as the SAE has it",
    )
    for flag in outputs:
        parser.add_argument(flag, type=Path, required=True, help="JSON: one rule's metrics, or a list of several rules'")


def add_language_model_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--lm", type=Path, required=True, help="transformers directory")
    parser.add_argument("--layer", type=int, required=True, help="block whose output the SAE reads, from 0")
    parser.add_argument(
        "--allow-mismatch",
        action="store_true",
        help="use the SAE although it says that it was trained at another hook or model; the results record it",
    )
    add_threads(parser)


def add_token_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--token-file", type=Path, required=True, help=".safetensors or .npy of (contexts, length), BOS first")
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


class Inputs(NamedTuple):
    """What an evaluation is of.

    saes: a label -> the SAE under an inference rule; the label is the rule's name, of `released` with the largest of its
    rates where several have a record each. rates: label -> the nominal rates that the record holds for. differences: in what
    the SAE was trained otherwise than it is evaluated.
    """

    lm: LanguageModel
    saes: dict[str, SAE]
    rates: dict[str, tuple[float, ...]]
    differences: Differences


def load_language_model_of(arguments: Namespace) -> LanguageModel:
    """The language model, with everything seeded."""
    make_repeatable(getattr(arguments, "seed", 0), arguments.threads)
    keep_freed_memory()
    return load_language_model(arguments.lm, arguments.layer, best_device())


def load_inputs(arguments: Namespace, lm: LanguageModel, sizes: Iterable[int], context_size: int, prepend_bos: bool) -> Inputs:
    """The SAE under each inference rule that was asked for; they share their weights' tensors.

    sizes: of the batches, on which the winners of `released` depend: rates that share an SAE, for they have the same winners
    in training, need not have them there. context_size, prepend_bos: of the contexts that are evaluated. Raises UserError
    where the SAE says that it was trained elsewhere, unless that is allowed.
    """
    metadata = read_saelens_config(arguments.sae).metadata
    differences = check_model(arguments.sae, metadata, lm, arguments.allow_mismatch)
    differences |= context_differences(metadata, lm, context_size, prepend_bos)
    warn_of(arguments.sae, differences)
    saes: dict[str, SAE] = {}
    rates: dict[str, tuple[float, ...]] = {}
    shared: SAE | None = None
    for rule in arguments.inference:
        groups = rates_of_equal_winners(metadata.get("rates", []), sizes) if rule == "released" else []
        for group in groups or [()]:
            sae = load_sae(arguments.sae, rule, max(group, default=None)).to(lm.device)
            shared = shared or sae
            label = f"released at {max(group)!r}" if len(groups) > 1 else sae.inference
            saes[label] = replace(shared, inference=sae.inference, k=sae.k, threshold=sae.threshold, rate=sae.rate)
            rates[label] = group
    return Inputs(lm, saes, rates, differences)


def load_inputs_on_tokens(arguments: Namespace) -> tuple[Inputs, Tensor]:
    """The same for an evaluation on tokens, and the tokens (C, L)."""
    lm = load_language_model_of(arguments)
    tokens_CL = read_tokens(arguments.token_file, lm.tokenizer)
    lm.check_context(tokens_CL.shape[1])
    sizes = batch_sizes(len(tokens_CL), arguments.batch_contexts)
    return load_inputs(arguments, lm, sizes, tokens_CL.shape[1], starts_with_bos(lm, tokens_CL)), tokens_CL


def write_results(path: Path, sae: Path, results: Mapping[str, Evaluation], inputs: Inputs) -> None:
    """A record for each label of `inputs.saes`."""
    write_records(
        path,
        [
            record(sae.name, inputs.saes[label].inference, evaluation, inputs.rates[label], inputs.differences)
            for label, evaluation in results.items()
        ],
    )


class Family(NamedTuple):
    """A family of metrics of labelled texts: the files of texts that it is a mean over, and its metrics of pooled texts."""

    files: Sequence[Path]
    metrics: Callable[[dict[str, SAE], Pooled, Pooled], dict[str, Evaluation]]


class Task(NamedTuple):
    """What a family makes of a file of texts.

    pool: the pooled train and test texts of a file's; counts: how many texts each of the groups has that it pools.
    """

    pool: Callable[..., tuple[Pooled, Pooled]]
    counts: Callable[[dict[str, dict[str, list[str]]]], Iterable[int]]


CLASSES = Task(pool_classes, lambda texts: (len(group) for split in ("train", "test") for group in texts[split].values()))


def evaluate_on_texts(arguments: Namespace, task: Task, families: Mapping[Path, Family], groups: tuple[str, ...] = ()) -> None:
    """Pools each file of labelled texts once, for every family of metrics, and writes each family's means over its files.

    families: file to write -> what goes into it; groups: those that a file of texts must have.
    """
    files = dict.fromkeys(file for family in families.values() for file in family.files)
    texts = {file: read_labelled_texts(file, groups) for file in files}
    lm = load_language_model_of(arguments)
    lm.check_context(arguments.context_length)
    counts = {count for content in texts.values() for count in task.counts(content)}
    sizes = {size for count in counts for size in batch_sizes(count, arguments.batch_texts)}
    inputs = load_inputs(arguments, lm, sizes, arguments.context_length, prepend_bos=True)
    evaluated: dict[Path, list[dict[str, Evaluation]]] = {out: [] for out in families}
    for file, content in texts.items():
        train, test = task.pool(lm, inputs.saes, content, arguments.context_length, arguments.batch_texts)
        for out, family in families.items():
            if file in family.files:
                evaluated[out].append(family.metrics(inputs.saes, train, test))
    for out, evaluations in evaluated.items():
        means = {label: mean_evaluation([evaluation[label] for evaluation in evaluations]) for label in inputs.saes}
        write_results(out, arguments.sae, means, inputs)


def read_labelled_texts(path: Path, groups: tuple[str, ...] = ()) -> dict[str, dict[str, list[str]]]:
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
