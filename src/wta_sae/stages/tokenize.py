"""Packs the documents of one split into contexts of token ids."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path

from wta_sae.machine.fetched import model_origin
from wta_sae.text.documents import EVALUATION, TRAIN, document_texts, read_description
from wta_sae.text.packing import PACKINGS
from wta_sae.text.stored_texts import StoredTexts
from wta_sae.text.tokenizer import load_tokenizer
from wta_sae.text.tokenizing import write_tokens


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--documents", type=Path, required=True, help="Parquet file of collect-text")
    parser.add_argument("--split", choices=[TRAIN, EVALUATION], required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="transformers directory")
    parser.add_argument("--contexts", type=int, help="how many to make (as many as the text gives unless told)")
    parser.add_argument("--contexts-key", default="contexts", help="of the config, that asks for so many; for the error")
    parser.add_argument("--tokens", type=int, help="how many the contexts must hold, special ones not counted")
    parser.add_argument("--asked-by", help="what asks for the tokens beside activations.tokens; for the error")
    parser.add_argument("--skip", type=int, default=0, help="contexts at the start of the stream that are left out")
    parser.add_argument("--context-length", type=int, required=True, help="tokens a context")
    parser.add_argument("--packing", choices=list(PACKINGS), required=True)
    parser.add_argument("--prepend-bos", action=BooleanOptionalAction, required=True, help="start each context with BOS")
    parser.add_argument("--seed", type=int, required=True, help="of the order of documents")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")


def run(arguments: Namespace) -> None:
    written = write_tokens(
        arguments.out,
        StoredTexts(document_texts(arguments.documents, arguments.split), arguments.out.parent),
        load_tokenizer(arguments.tokenizer),
        arguments.context_length,
        arguments.contexts,
        arguments.packing,
        arguments.prepend_bos,
        arguments.seed,
        arguments.skip,
        {
            "split": arguments.split,
            "tokenizer": str(arguments.tokenizer),
            "model": model_origin(arguments.tokenizer),
            "text": read_description(arguments.documents),
        },
        arguments.contexts_key,
        arguments.tokens,
        arguments.asked_by,
    )
    print(f"{written['contexts']:,} contexts of {written['length']} tokens from {written['documents']:,} documents")
