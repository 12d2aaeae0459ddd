"""What the `evaluate` stages share: their arguments, their inputs, and the files that they write."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wta_sae.devices import best_device, make_repeatable
from wta_sae.errors import UserError
from wta_sae.files import read_json, write_json, write_tensors
from wta_sae.language_model import LanguageModel, load_language_model
from wta_sae.metrics.evaluation import Evaluation, mean_evaluation
from wta_sae.sae import SAE, load_sae


def add_sae_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sae", type=Path, required=True, help="SAELens directory")
    parser.add_argument(
        "--inference", nargs="+", default=[None], metavar="RULE", help="how to read it out (the SAE's own rule unless told)"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON: one rule's metrics, or a list of several rules'")


def add_language_model_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--lm", type=Path, required=True, help="transformers directory")
    parser.add_argument("--layer", type=int, required=True, help="block whose output the SAE reads, from 0")


def add_token_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--tokens", type=Path, required=True, help=".safetensors or .npy of (contexts, length), BOS first")
    parser.add_argument("--batch-contexts", type=int, default=16, help="contexts a batch")


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
    """The language model, and the SAE under each inference rule that was asked for."""
    make_repeatable(getattr(arguments, "seed", 0))
    device = best_device()
    lm = load_language_model(arguments.lm, arguments.layer, device)
    saes = (load_sae(arguments.sae, rule).to(device) for rule in arguments.inference)
    return lm, {sae.inference: sae for sae in saes}


def evaluate_on_texts(
    arguments: Namespace,
    evaluate: Callable[..., dict[str, Evaluation]],
    files: Sequence[Path],
    groups: tuple[str, ...] = (),
    **options: Any,
) -> None:
    """Evaluates on each file of labelled texts and writes the means. groups: those that a file must have."""
    lm, saes = load_inputs(arguments)
    lm.check_context(arguments.context_length)
    options |= {"seed": arguments.seed, "context": arguments.context_length, "batch_texts": arguments.batch_texts}
    evaluated = [evaluate(lm, saes, read_texts(file, groups), **options) for file in files]
    results = {rule: mean_evaluation([evaluation[rule] for evaluation in evaluated]) for rule in saes}
    write_results(arguments.out, arguments.sae, results)


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


def write_results(path: Path, sae_directory: Path, results: Mapping[str | None, Evaluation]) -> None:
    """One flat object for one inference rule, a list of them for several; None: the metrics depend on no rule."""
    records: list[dict[str, Any]] = [
        {"sae": sae_directory.name, "inference": rule, **evaluation.metrics} for rule, evaluation in results.items()
    ]
    write_json(path, records if len(records) > 1 else records[0])


def write_latents(path: Path, results: Mapping[str | None, Evaluation]) -> None:
    """The per-latent arrays (F), named RULE.METRIC, or METRIC where they depend on no rule."""
    write_tensors(
        path,
        {
            f"{rule}.{name}" if rule else name: values
            for rule, evaluation in results.items()
            for name, values in evaluation.per_latent.items()
        },
    )
