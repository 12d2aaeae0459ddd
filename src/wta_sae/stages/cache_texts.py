"""Writes a language model's residuals of labelled texts to disk, for probes and for every SAE's evaluation."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.activations.text_caching import BATCH, CONTEXT, cache_texts
from wta_sae.stages.language_model_inputs import add_language_model_arguments, load_language_model_of
from wta_sae.text.labelled_groups import class_groups, numbered, read_labelled_texts, set_groups


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    parser.add_argument("--kind", choices=["classes", "quadrants"], required=True, help="of the labelled texts")
    parser.add_argument(
        "--texts",
        type=Path,
        required=True,
        help='JSON: {"train": {group: [text, ...]}, "test": {...}}; a group is a class, or of quadrants '
        "pos_pos, pos_neg, neg_pos and neg_neg, attribute_concept",
    )
    parser.add_argument("--context-length", type=int, default=CONTEXT, help="tokens a text is cut or padded to")
    parser.add_argument("--batch-texts", type=int, default=BATCH, help="texts a forward pass")
    parser.add_argument("--seed", type=int, default=42, help="of the shuffles that make sets of quadrants")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    texts = read_labelled_texts(arguments.texts)
    if arguments.kind == "classes":
        groups = class_groups(arguments.texts, texts)
    else:
        groups = set_groups(arguments.texts, texts, arguments.seed)
    lm = load_language_model_of(arguments)
    lm.check_context(arguments.context_length)
    written = cache_texts(arguments.out, lm, *numbered(groups), arguments.context_length, arguments.batch_texts)
    print(f"{written.texts:,} texts, of {len(written.groups['train'])} groups")
