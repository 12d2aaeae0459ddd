"""Rows and passages of datasets on the hub, or in directories on disk, read through the `datasets` library as streams.

Nothing is copied to a cache and no code of a dataset runs: a dataset that needs its own script is refused by the library.
Local files and directories are read without the network.
"""

import gc
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wta_sae.base.errors import PassingError, UserError, first_line
from wta_sae.machine.hub import HUB_ERRORS, PASSING_ERRORS, WAITS, commit_of, could_not_fetch, may_pass, retrying, wait_after
from wta_sae.text.documents import Passage
from wta_sae.text.rows import Row, text_of


@dataclass(frozen=True)
class HubDataset:
    """A part of a dataset on the hub, or of a dataset directory on disk, whose path is then the name.

    configuration: of a dataset that has several. data_files: patterns, where the dataset does not say itself.
    commit: what the revision stood for; empty until `at_commit`, and for a directory.
    """

    name: str
    revision: str = "main"
    configuration: str | None = None
    split: str = "train"
    data_files: tuple[str, ...] = ()
    commit: str = ""

    @property
    def is_directory(self) -> bool:
        return Path(self.name).is_dir()

    def description(self) -> dict[str, Any]:
        """For the record: what a reader needs to fetch the same."""
        return {key: value for key, value in asdict(self).items() if value}


def at_commit(dataset: HubDataset, out: Path, key: str) -> HubDataset:
    """The dataset at the commit that its revision stands for now, so that all of it is read at one state and recorded.

    out: the file that is being made, key: of the dataset's name in the config; both for the one line of the UserError that
    is raised where the hub is out of reach.
    """
    if dataset.is_directory:
        return dataset
    try:
        return replace(dataset, commit=commit_of("dataset", dataset.name, dataset.revision))
    except HUB_ERRORS as error:
        instead = f"set {key} to a folder with the dataset's files"
        raise could_not_fetch(dataset.name, dataset.revision, error, out, instead) from error


def hub_passages(dataset: HubDataset, column: str = "text") -> Iterator[Passage]:
    """Passages of a dataset, streamed in its own order. Raises UserError as `hub_rows`, and as `text_of` for a column."""
    for number, row in enumerate(hub_rows(dataset), 1):
        yield Passage(text_of(row, column, f"{dataset.name}, row {number}", "text.hub.column"))


def hub_rows(dataset: HubDataset) -> Iterator[Row]:
    """The rows of a dataset, streamed in its own order; after a lost connection the stream goes on where it was.

    Raises UserError where the dataset, its configuration or split is not there, or the hub has become out of reach.
    """
    yield from _rows(
        dataset.name,
        path=dataset.name,
        name=dataset.configuration,
        revision=dataset.commit or None,
        split=dataset.split,
        data_files=list(dataset.data_files) or None,
    )


def _rows(source: str, **arguments: Any) -> Iterator[Row]:
    import datasets  # here, because it takes a second that the other sources need not wait for

    # A stream still puts lock files into its cache directory; the default one is in the user's home.
    with tempfile.TemporaryDirectory(prefix="wta-sae-") as cache:
        try:
            yield from _resumed(retrying(lambda: datasets.load_dataset(**arguments, streaming=True, cache_dir=cache)))
        except (*HUB_ERRORS, TypeError, KeyError, datasets.exceptions.DatasetsError) as error:
            kind = PassingError if may_pass(error) else UserError
            raise kind(f"text: {source}: cannot be read ({first_line(error)})") from error
        finally:
            # A Parquet scanner that is left half-way has to go before the interpreter does, or its threads abort the process
            # (https://github.com/huggingface/datasets/issues/7566, https://github.com/apache/arrow/issues/45214).
            gc.collect()


def _resumed(stream: Any) -> Iterator[Row]:
    """The rows of a `datasets` stream, going on after the last one where an error may pass."""
    waits = iter(WAITS)
    while True:
        try:
            for row in stream:
                yield row
                waits = iter(WAITS)
            return
        except PASSING_ERRORS as error:
            wait_after(error, waits)
            stream.load_state_dict(stream.state_dict())
