"""Which labelled sets a config asks for, and of which source they are drawn. Free of torch: the Snakefile reads it.

Three sources: `docstrings`, the datasets of `hub`, and those of `files`. All become files of rows, from which sets and pairs
are drawn alike.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wta_sae.base.errors import UserError
from wta_sae.plan.own_files import LABELLED_KINDS, matching_files

DOCSTRINGS, FILES, HUB = "docstrings", "files", "hub"  # the sources; the first is also the name of the one set drawn from it
LANGUAGE = "language"  # the label of a dataset whose classes are languages
LONGEST_NAME = 100  # characters of a pair's name, which is a part of file names


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

    @property
    def families(self) -> list[str]:
        """Of the metrics whose probes are trained on it."""
        return ["probing", "tpp"] if self.tpp else ["probing"]

    def drawing(self) -> dict[str, Any]:
        """The options of `label classes` that draw it."""
        balanced = {"balanced_by": self.balanced_by} if self.balanced_by else {}
        return {"label": self.label, "classes": self.classes} | balanced


@dataclass(frozen=True)
class ConceptPair:
    """Two values of a column, and two of the column that spuriously goes with it, for SCR."""

    name: str
    rows: str
    concept: str
    concepts: tuple[str, str]
    attribute: str
    attributes: tuple[str, str]

    def drawing(self) -> dict[str, Any]:
        """The options of `label quadrants` that draw it."""
        return {key: getattr(self, key) for key in ("concept", "concepts", "attribute", "attributes")}


def class_sets(config: Mapping[str, Any]) -> list[ClassSet]:
    """Raises UserError for a set of an unknown dataset, and for a `tpp` that is no set."""
    labelled = config["labelled_texts"]
    source = labelled["source"]
    if source == DOCSTRINGS:
        return [ClassSet(DOCSTRINGS, DOCSTRINGS, "package", tuple(labelled["classes"]), "kind", tpp=True)]
    sets = labelled[source]["sets"]
    in_tpp = labelled[source].get("tpp", list(sets))
    for name in in_tpp:
        _require(name, sets, f"labelled_texts.{source}.tpp")
    return [
        ClassSet(
            name,
            _dataset(one["dataset"], labelled, f"sets.{name}"),
            one["label"],
            _strings(one["classes"]),
            one.get("balanced_by"),
            tpp=name in in_tpp,
        )
        for name, one in sets.items()
    ]


def concept_pairs(config: Mapping[str, Any]) -> list[ConceptPair]:
    """Raises UserError for a pair of an unknown dataset, of one without a test split, or given twice.

    None where the config has no pairs: then SCR is not measured. A pair's name says all that tells it from another: two of the
    same concepts may have unlike attributes.
    """
    labelled = config["labelled_texts"]
    source = labelled["source"]
    if source == DOCSTRINGS:
        return [
            ConceptPair(f"{a}-{b}", DOCSTRINGS, "package", (a, b), "kind", ("docstring", "code")) for a, b in labelled["pairs"]
        ]
    pairs: list[ConceptPair] = []
    for index, one in enumerate(labelled[source].get("pairs", [])):
        rows, concepts = _dataset(one["dataset"], labelled, f"pairs[{index}]"), _two(one["concepts"])
        if len(labelled[source]["datasets"][rows].get("splits", ("train", "test"))) == 1:
            raise UserError(f"config: labelled_texts.{source}.pairs[{index}]: {rows!r} has no test split, which SCR needs")
        attributes = _two(one["attributes"])
        name = file_name(rows, one["concept"], *concepts, one["attribute"], *attributes)
        if name in (names := [pair.name for pair in pairs]):
            same = names.index(name)
            raise UserError(f"config: labelled_texts.{source}.pairs[{index}]: is pairs[{same}] once more; give each pair once")
        pairs.append(ConceptPair(name, rows, one["concept"], concepts, one["attribute"], attributes))
    return pairs


def fetch_options(config: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """What `fetch-labelled-texts` wants to know of a dataset: its own settings, and what the sets and pairs draw from it."""
    labelled = config["labelled_texts"]
    options = dict(labelled[HUB]["datasets"][dataset])
    options["labels"] = _columns(config, dataset)
    if Path(options["name"]).is_file():
        raise UserError(
            f"config: labelled_texts.hub.datasets.{dataset}.name: {options['name']} is a file; use labelled_texts.source: files"
        )
    if len(options["splits"]) == 1:
        if len(options["labels"]) != 1 or ("languages" in options and options["labels"] != [LANGUAGE]):
            only = f"label {LANGUAGE!r}" if "languages" in options else "one label, and balanced_by"
            raise UserError(f"config: labelled_texts.hub.sets: {dataset!r} has {only} only with a test split")
        classes = [label for one in class_sets(config) if one.rows == dataset for label in one.classes]
        options["classes"] = list(dict.fromkeys(classes))
        options["number"] = labelled["train_per_class"] + labelled["test_per_class"]
    if "languages" in options:
        options["languages"] = [f"{language}={configuration}" for language, configuration in options["languages"].items()]
    return options


def file_options(config: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """What `label files` wants to know of a dataset: its own settings, and the columns that the sets and pairs draw from it."""
    return config["labelled_texts"][FILES]["datasets"][dataset] | {"labels": _columns(config, dataset)}


def labelled_files(config: Mapping[str, Any], dataset: str) -> list[str]:
    """The files of a dataset of the user's own. Raises UserError as `matching_files`."""
    key = f"labelled_texts.files.datasets.{dataset}.paths"
    return [
        str(path) for path in matching_files(config["labelled_texts"][FILES]["datasets"][dataset]["paths"], key, LABELLED_KINDS)
    ]


def drawn_datasets(config: Mapping[str, Any], source: str) -> list[str]:
    """The datasets of a source that some set or pair is drawn from; none where the config has another source."""
    if config["labelled_texts"]["source"] != source:
        return []
    drawn: list[ClassSet | ConceptPair] = [*class_sets(config), *concept_pairs(config)]
    return list(dict.fromkeys(one.rows for one in drawn))


def file_name(*parts: str) -> str:
    """Parts that may hold anything as a part of a file's name: unlike ones have unlike names."""
    name = "-".join(quote(part, safe="").replace("-", "%2D").replace("~", "%7E") for part in parts)
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _columns(config: Mapping[str, Any], dataset: str) -> list[str]:
    """The label columns of a dataset that sets and pairs read."""
    columns = [column for one in class_sets(config) if one.rows == dataset for column in (one.label, one.balanced_by)]
    columns += [column for one in concept_pairs(config) if one.rows == dataset for column in (one.concept, one.attribute)]
    return list(dict.fromkeys(filter(None, columns)))


def _dataset(name: str, labelled: Mapping[str, Any], key: str) -> str:
    _require(name, labelled[labelled["source"]]["datasets"], f"labelled_texts.{labelled['source']}.{key}.dataset")
    return name


def _require(name: str, known: Mapping[str, Any], key: str) -> None:
    if name not in known:
        raise UserError(f"config: {key}: {name!r} is unknown; the names are: {', '.join(known)}")


def _strings(values: list[Any]) -> tuple[str, ...]:
    """Class ids as the rows' files have them: 0 -> "0", 1.0 -> "1.0"."""
    return tuple(map(str, values))


def _two(values: list[Any]) -> tuple[str, str]:
    first, second = _strings(values)
    return first, second


LARGE = 2e9  # bytes
QUADRANTS_OF_A_PAIR = 6  # as many texts as so many quadrants have: two of the four once more, for the biased set


def residuals_are_large(config: Mapping[str, Any]) -> bool:
    """Whether a language model's residuals of all labelled texts are too many to keep; of a model not trained here, they are.

    At most: as if every text were as long as a context.
    """
    if config["language_model"]["source"] != "train":
        return True
    numbers = config["text"]["context_length"] * config["language_model"]["train"]["width"]
    return 4 * numbers * sum(text_counts(config).values()) > LARGE


def text_counts(config: Mapping[str, Any]) -> dict[str, int]:
    """How many texts each set and pair has at most: `classes/NAME` and `quadrants/NAME`."""
    counts = config["labelled_texts"]
    a_class = counts["train_per_class"] + counts["test_per_class"]
    a_quadrant = counts["train_per_quadrant"] + counts["test_per_quadrant"]
    return {f"classes/{one.name}": len(one.classes) * a_class for one in class_sets(config)} | {
        f"quadrants/{pair.name}": QUADRANTS_OF_A_PAIR * a_quadrant for pair in concept_pairs(config)
    }
