"""Jobs that a run of the workflow was refused: their retries end at once, and ask for no more.

A refusal is a UserError about the job's input: no retry can change it. The workflow names a folder by FOLDER_VARIABLE, anew for
each run, where a stage notes the line with which it refused; by hand there is none, and nothing is noted.
"""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDER_VARIABLE = "WTA_SAE_REFUSALS"


def refusal(outputs: Iterable[Path | str]) -> str | None:
    """The line with which the job that makes them was refused in this run of the workflow."""
    for note in _notes(outputs):
        if note.is_file():
            return note.read_text(encoding="utf-8")
    return None


def note_refusal(outputs: Iterable[Path | str], line: str) -> None:
    with suppress(OSError):  # of a full disk: then the retry finds out for itself
        for note in _notes(outputs):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(line, encoding="utf-8")


def _notes(outputs: Iterable[Path | str]) -> list[Path]:
    folder = os.environ.get(FOLDER_VARIABLE)
    names = [hashlib.sha256(str(path).encode()).hexdigest()[:32] for path in outputs]
    return [Path(folder, name) for name in names] if folder else []
