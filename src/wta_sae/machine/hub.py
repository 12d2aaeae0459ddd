"""Models and datasets of the Hugging Face hub: safetensors, JSON and Parquet only, no pickle, no code of a repository.

A name and a revision (a branch or a tag may move) become a commit before anything is read, and what is fetched records it.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.utils import parse_ratelimit_headers

from wta_sae.base.errors import PassingError, UserError, first_line
from wta_sae.base.given import given
from wta_sae.machine.fetched import ORIGIN_FILE
from wta_sae.machine.files import resuming, write_json

MODEL_FILES = ["*.safetensors", "*.json", "merges.txt", "vocab.txt"]
WAITS = (1, 4, 15, 60)  # seconds before each further attempt
HUB_ERRORS = (HTTPError, OSError, ValueError, RuntimeError)
PASSING_ERRORS = (HTTPError, ConnectionError, TimeoutError, LocalEntryNotFoundError)  # unless the hub says that it is final
PASSING_STATUSES = (408, 429, 500, 502, 503, 504)

# Of the library's two ways to move a file, the plain one goes on in its middle after a fault, and names faults by their kind.
constants.HF_HUB_DISABLE_XET = True

Result = TypeVar("Result")


def fetch_model(name: str, revision: str, directory: Path) -> None:
    """Downloads a model into `directory`; a download that was interrupted goes on with the files that it lacks.

    Raises PassingError where the hub is out of reach, saying what to place where instead, and UserError for a model without
    safetensors.
    """
    try:
        origin = {"name": name, "revision": revision, "commit": commit_of("model", name, revision)}
        with resuming(directory, origin | {"files": MODEL_FILES}) as temporary:
            retrying(
                lambda: snapshot_download(name, revision=origin["commit"], local_dir=temporary, allow_patterns=MODEL_FILES)
            )
            if not any(temporary.glob("*.safetensors")):
                raise UserError(f"{name} at revision {revision} has no safetensors weights; choose a revision that has them")
            shutil.rmtree(temporary / ".cache", ignore_errors=True)  # the library's notes for going on
            write_json(temporary / ORIGIN_FILE, origin)
    except HUB_ERRORS as error:
        instead = "set language_model.source: path and language_model.path: a folder that holds it"
        raise could_not_fetch(name, revision, error, directory, instead) from error


def commit_of(kind: Literal["model", "dataset"], name: str, revision: str) -> str:
    """The commit that a branch or tag is at. Raises one of HUB_ERRORS where the hub does not say."""
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    found = retrying(lambda: HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=timeout))
    return given(found.sha, f"the commit of {name} at revision {revision}")


def could_not_fetch(name: str, revision: str, error: Exception, out: Path, instead: str) -> PassingError:
    """One line: what is missing, why, and the two ways to do without a network here."""
    why = first_line(error) if str(error).strip() else type(error).__name__
    return PassingError(
        f"{name} at revision {revision} could not be fetched from the hub ({why}); where there is a network, make "
        f"{os.path.relpath(out)} by the same command and place it here, or {instead}"
    )


def retrying(attempt: Callable[[], Result]) -> Result:
    """What `attempt` returns, tried again after each of WAITS where an error may pass."""
    waits = iter(WAITS)
    while True:
        try:
            return attempt()
        except PASSING_ERRORS as error:
            wait_after(error, waits)


def may_pass(error: Exception) -> bool:
    """Whether the network is at fault, rather than what was asked for."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(error, PASSING_ERRORS) and status in (None, *PASSING_STATUSES)


def wait_after(error: Exception, waits: Iterator[float]) -> None:
    """Waits before another attempt, as long as the hub asks. Raises `error` where it is final or no attempt is left."""
    offline = isinstance(error, OfflineModeIsEnabled) or constants.HF_HUB_OFFLINE
    seconds = None if offline or not may_pass(error) else next(waits, None)
    if seconds is None:
        raise error
    seconds = max(seconds, asked_to_wait(error))
    print(f"{first_line(error)}; trying again in {seconds} s", file=sys.stderr)
    time.sleep(seconds)


def asked_to_wait(error: Exception) -> float:
    """Seconds until the hub wants to be asked again, where its answer says so; else 0."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds + 1  # which is rounded
    after = headers.get("Retry-After", "")
    return float(after) if after.isdigit() else 0
