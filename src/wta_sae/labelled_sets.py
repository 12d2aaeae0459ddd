"""Which labelled sets a config asks for, and of which source they are drawn. Free of torch: the Snakefile reads it.

Two sources: `docstrings`, and the datasets of `hub`. Both become files of rows, from which sets and pairs are drawn alike.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wta_sae.errors import UserError

DOCSTRINGS = "docstrings"  # also the name of the one set that is drawn from them
LANGUAGE = "language"  # the label of a dataset whose classes are languages


@dataclass(frozen=True)
class ClassSet:
    """Classes for sparse probing, and for TPP where `tpp`.

    rows: the name of the rows' file. label: the column that holds the class. balanced_by: another one, from each of whose
    values as many texts of a class are drawn; None draws plainly.
    """

    name: str
    rows: str
    label: str
    classes: tuple[str, ...]
    balanced_by: str | None
    tpp: bool


@dataclass(frozen=True)
class ConceptPair:
    """Two values of a column, and two of the column that spuriously goes with it, for SCR."""

    name: str
    rows: str
    concept: str
    concepts: tuple[str, str]
    attribute: str
    attributes: tuple[str, str]


def class_sets(config: Mapping[str, Any]) -> list[ClassSet]:
    """Raises UserError for a set of an unknown dataset, and for a `tpp` that is no set."""
    labelled = config["labelled_texts"]
    if labelled["source"] == DOCSTRINGS:
        return [ClassSet(DOCSTRINGS, DOCSTRINGS, "package", tuple(labelled["classes"]), "kind", tpp=True)]
    sets = labelled["hub"]["sets"]
    for name in labelled["hub"]["tpp"]:
        _require(name, sets, "labelled_texts.hub.tpp")
    return [
        ClassSet(
            name,
            _dataset(one["dataset"], labelled, f"sets.{name}"),
            one["label"],
            _strings(one["classes"]),
            one.get("balanced_by"),
            tpp=name in labelled["hub"]["tpp"],
        )
        for name, one in sets.items()
    ]


def concept_pairs(config: Mapping[str, Any]) -> list[ConceptPair]:
    """Raises UserError for a pair of an unknown dataset, of one without a test split, or given twice.

    A pair's name says all that tells it from another: two of the same concepts may have unlike attributes.
    """
    labelled = config["labelled_texts"]
    if labelled["source"] == DOCSTRINGS:
        return [
            ConceptPair(f"{a}-{b}", DOCSTRINGS, "package", (a, b), "kind", ("docstring", "code")) for a, b in labelled["pairs"]
        ]
    pairs = []
    for index, one in enumerate(labelled["hub"]["pairs"]):
        rows, concepts = _dataset(one["dataset"], labelled, f"pairs[{index}]"), _strings(one["concepts"])
        if len(labelled["hub"]["datasets"][rows]["splits"]) == 1:
            raise UserError(f"config: labelled_texts.hub.pairs[{index}]: {rows!r} has no test split, which SCR needs")
        attributes = _strings(one["attributes"])
        name = "-".join(map(_file_name, (rows, one["concept"], *concepts, one["attribute"], *attributes)))
        if name in (names := [pair.name for pair in pairs]):
            same = names.index(name)
            raise UserError(f"config: labelled_texts.hub.pairs[{index}]: is pairs[{same}] once more; give each pair once")
        pairs.append(ConceptPair(name, rows, one["concept"], concepts, one["attribute"], attributes))
    return pairs


def fetch_options(config: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """What `fetch-labelled-texts` wants to know of a dataset: its own settings, and what the sets and pairs draw from it."""
    labelled = config["labelled_texts"]
    options = dict(labelled["hub"]["datasets"][dataset])
    sets = [one for one in class_sets(config) if one.rows == dataset]
    pairs = [pair for pair in concept_pairs(config) if pair.rows == dataset]
    columns = [column for one in sets for column in (one.label, one.balanced_by)]
    columns += [column for pair in pairs for column in (pair.concept, pair.attribute)]
    options["labels"] = list(dict.fromkeys(filter(None, columns)))
    if len(options["splits"]) == 1:
        if len(options["labels"]) != 1 or ("languages" in options and options["labels"] != [LANGUAGE]):
            only = f"label {LANGUAGE!r}" if "languages" in options else "one label, and balanced_by"
            raise UserError(f"config: labelled_texts.hub.sets: {dataset!r} has {only} only with a test split")
        options["classes"] = list(dict.fromkeys(label for one in sets for label in one.classes))
        options["number"] = labelled["train_per_class"] + labelled["test_per_class"]
    if "languages" in options:
        options["languages"] = [f"{language}={configuration}" for language, configuration in options["languages"].items()]
    return options


def fetched_datasets(config: Mapping[str, Any]) -> list[str]:
    """The datasets that some set or pair is drawn from."""
    labelled = config["labelled_texts"]
    if labelled["source"] == DOCSTRINGS:
        return []
    return list(dict.fromkeys(one.rows for one in (*class_sets(config), *concept_pairs(config))))


def _dataset(name: str, labelled: Mapping[str, Any], key: str) -> str:
    _require(name, labelled["hub"]["datasets"], f"labelled_texts.hub.{key}.dataset")
    return name


def _require(name: str, known: Mapping[str, Any], key: str) -> None:
    if name not in known:
        raise UserError(f"config: {key}: {name!r} is unknown; the names are: {', '.join(known)}")


def _file_name(text: str) -> str:
    """As a part of a file's name: a column may be called anything."""
    return re.sub(r"[^A-Za-z0-9._]", "_", text)


def _strings(values: list[Any]) -> tuple[str, ...]:
    """Class ids as the rows' files have them: 0 -> "0", 1.0 -> "1.0"."""
    return tuple(map(str, values))
