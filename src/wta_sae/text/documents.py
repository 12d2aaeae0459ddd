"""Documents: de-duplicated, each in one split for good, kept in one Parquet file.

The split of a document depends on its text alone: no order, seed or budget moves it to the other one.
Exact duplicates (up to white space) are dropped; texts that differ by a word are not, and may stand on both sides.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from wta_sae.base.errors import UserError
from wta_sae.base.given import given
from wta_sae.machine.files import anew, replacing

TRAIN, EVALUATION = "train", "evaluation"
DOCSTRING, CODE, PLAIN = "docstring", "code", "text"
COLUMNS = ("text", "split", "package", "kind")
DOCUMENTS_PER_ROW_GROUP = 1000  # of which reading has one in memory
METADATA_KEY = b"wta_sae"
NULL, EMPTY, DUPLICATE, UNLABELLED = "null", "empty", "duplicate", "unlabelled"  # why a text is left out
REASONS = {NULL: "without text (null)", EMPTY: "with empty text", DUPLICATE: "duplicates", UNLABELLED: "without a label"}
LOPSIDED = 0.5  # of a split's characters in one document: more is said


class Passage(NamedTuple):
    """What a source yields. text: None of a row without. package: of docstrings and code; kind: DOCSTRING, CODE or PLAIN."""

    text: str | None
    package: str = ""
    kind: str = PLAIN


@dataclass(frozen=True, slots=True)
class Document:
    """A passage and its split, TRAIN or EVALUATION."""

    text: str
    split: str
    package: str = ""
    kind: str = PLAIN


def normalised(text: str) -> str:
    """The text that two duplicates share: runs of white space are one space."""
    return " ".join(text.split())


def fraction_of(text: str, purpose: str) -> float:
    """A number in [0, 1) that depends on the text and the purpose alone, the same on every machine.

    Two purposes give unrelated numbers: labelled texts are split again among the evaluation documents.
    """
    digest = hashlib.sha256(f"{purpose}\0{normalised(text)}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48  # 48 bits, so that no value rounds up to 1


class Admission:
    """Why a text is left out: it is NULL, EMPTY, or a DUPLICATE of one that came before; None of one that is not."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def __call__(self, text: str | None) -> str | None:
        if text is None:
            return NULL
        if not text.strip():
            return EMPTY
        digest = hashlib.sha256(normalised(text).encode("utf-8", "replace")).digest()[:16]
        if digest in self._seen:
            return DUPLICATE
        self._seen.add(digest)
        return None


def counted(left_out: Mapping[str, int]) -> str:
    """One line on what was left out: "left out: 3 without text (null), 2 duplicates"."""
    return "left out: " + (", ".join(f"{number:,} {REASONS[reason]}" for reason, number in left_out.items()) or "nothing")


def as_documents(
    passages: Iterable[Passage], evaluation_share: float, characters: int | None = None, left_out: Counter[str] | None = None
) -> Iterator[Document]:
    """Leaves out passages without text and exact duplicates, and puts `evaluation_share` of the rest apart.

    characters: stop once the documents hold this many (a streamed source is not read further); None reads everything.
    left_out: counts what is left out, by NULL, EMPTY and DUPLICATE.
    Code stays in the evaluation split alone: it labels texts, no model is trained on it.
    Raises UserError for a share outside (0, 1).
    """
    if not 0 < evaluation_share < 1:
        raise UserError(f"text.evaluation_share: {evaluation_share} is outside (0, 1); use for example 0.2")
    total = 0
    why_not = Admission()
    for text, package, kind in passages:
        if (reason := why_not(text)) is not None:
            if left_out is not None:
                left_out[reason] += 1
            continue
        text = given(text, "an admitted passage").encode("utf-8", "replace").decode()  # a lone surrogate cannot be written
        split = EVALUATION if fraction_of(text, "split") < evaluation_share else TRAIN
        if kind == CODE and split == TRAIN:
            continue
        yield Document(text, split, package, kind)
        total += len(text)
        if characters is not None and total >= characters:
            return


def write_documents(
    path: Path, documents: Iterable[Document], description: dict[str, Any], left_out: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Writes Parquet with the columns text, split, package, kind, a batch at a time; returns the metadata in its footer.

    The metadata: `dataset` (`description`), `documents` and `characters` per split and kind, the characters of the `largest`
    document of each split, what was `left_out` (as it stands when the documents have come), `sha256` of the whole corpus.
    Raises UserError where either split is left without a document to train or evaluate on.
    """
    digest = hashlib.sha256()
    counts: dict[str, dict[str, int]] = {"documents": {}, "characters": {}, "largest": {}}
    with replacing(path) as temporary:
        schema = pa.schema([(name, pa.string()) for name in COLUMNS])
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for batch in _batches(documents, DOCUMENTS_PER_ROW_GROUP):
                for document in batch:
                    key = f"{document.split} {document.kind}"
                    counts["documents"][key] = counts["documents"].get(key, 0) + 1
                    counts["characters"][key] = counts["characters"].get(key, 0) + len(document.text)
                    counts["largest"][document.split] = max(counts["largest"].get(document.split, 0), len(document.text))
                    digest.update("\0".join((*astuple(document), "")).encode())
                rows = zip(*map(astuple, batch), strict=True)
                writer.write_table(pa.table([pa.array(column, pa.string()) for column in rows], schema=schema))
            metadata = {"dataset": description, **counts, "left_out": dict(left_out or {}), "sha256": digest.hexdigest()}
            writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata).encode()})
        _require_both_splits(counts["documents"])
    return metadata


def _batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _require_both_splits(documents: dict[str, int]) -> None:
    prose = {split: 0 for split in (TRAIN, EVALUATION)}
    for key, number in documents.items():
        split, kind = key.split()
        prose[split] += number if kind != CODE else 0
    total = sum(prose.values())
    if not total:
        raise UserError("text: the source has no text; every document is empty")
    for split, number in prose.items():
        if not number:
            raise UserError(
                f"text: {total} documents leave none for the {split} split; give more of them "
                "(a .txt file is one, a .jsonl file holds many) or change text.evaluation_share"
            )


def lopsided(metadata: Mapping[str, Any]) -> Iterator[str]:
    """A line for each split of which one document holds more than LOPSIDED of the text."""
    for split, largest in metadata["largest"].items():
        total = sum(number for key, number in metadata["characters"].items() if key.split()[0] == split)
        if largest > LOPSIDED * total:
            yield (
                f"text: one document holds {largest / total:.0%} of the {split} split's {total:,} characters; whole documents "
                "go to one split: cut it into several, as a .jsonl file with one a line"
            )


def read_documents(path: Path, split: str | None = None) -> list[Document]:
    """The documents of a file that `write_documents` wrote, in its order; of one split where one is named."""
    documents = (Document(*row) for row in _rows(path, COLUMNS))
    return [document for document in documents if split in (None, document.split)]


def document_texts(path: Path, split: str) -> Iterator[str]:
    """The texts of one split that models are trained and evaluated on: all but the code, in the file's order.

    They are read as they are asked for, DOCUMENTS_PER_ROW_GROUP at a time: of a text of any length so many are in memory.
    """
    for text, its_split, kind in _rows(path, ("text", "split", "kind")):
        if its_split == split and kind != CODE:
            yield text


def read_description(path: Path) -> dict[str, Any]:
    """The metadata that `write_documents` returned."""
    try:
        return json.loads(pq.read_metadata(path).metadata[METADATA_KEY])
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def _rows(path: Path, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    try:
        with pq.ParquetFile(path) as file:
            # One by one: iter_batches holds the more of a file the longer it is.
            for number in range(file.num_row_groups):
                group = file.read_row_group(number, columns=list(names))
                yield from zip(*(group.column(name).to_pylist() for name in names), strict=True)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    if not Path(path).is_file():
        return UserError(f"{path}: no such file")
    return UserError(f"{path}: not a readable documents file ({type(error).__name__}); {anew(path)}")
