"""Texts kept on the disk, so that they can be taken in any order however many they are."""

import os
import tempfile
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Texts(Protocol):
    """Texts by their numbers: a list, or `StoredTexts`."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> str: ...


class StoredTexts:
    """Texts in a file of their own in a folder; 8 bytes each in memory. The file has no name and goes with the process."""

    def __init__(self, texts: Iterable[str], folder: Path):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it is open for as long as the texts are asked for)
        self._ends = array("q", [0])
        for text in texts:
            self._file.write(content := text.encode())
            self._ends.append(self._ends[-1] + len(content))
        self._file.flush()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int, /) -> str:
        begin, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._file.fileno(), end - begin, begin).decode()
