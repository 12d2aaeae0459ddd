"""What the `collect-text` stages share: where their documents go, and what is said of them."""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wta_sae.text.documents import Passage, as_documents, counted, lopsided, write_documents


def add_document_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--evaluation-share", type=float, required=True, help="of the documents")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")


def write_collected(
    arguments: Namespace, passages: Iterable[Passage], description: dict[str, Any], characters: int | None = None
) -> None:
    """Writes the documents, and says how many they are. characters: how many to stop at."""
    left_out: Counter[str] = Counter()
    documents = as_documents(passages, arguments.evaluation_share, characters, left_out)
    written = write_documents(arguments.out, documents, description, left_out)
    for group, number in sorted(written["documents"].items()):
        print(f"{group}: {number:,} documents, {written['characters'][group]:,} characters")
    print(counted(left_out))
    for line in lopsided(written):
        print(f"warning: {line}", file=sys.stderr)
