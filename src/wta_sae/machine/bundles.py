"""Bundles: of a finished run, in one file, all that its tables, figures, pages and PDF are made of."""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from wta_sae.base.errors import UserError
from wta_sae.machine.files import TIMESTAMP_FILE, replacing
from wta_sae.plan.sae_files import CONFIG_FILE, CURVE_FILE, PROVENANCE_FILE

OF_AN_SAE = (CONFIG_FILE, CURVE_FILE, PROVENANCE_FILE)  # and not its weights
SAME_TIME = (1980, 1, 1, 0, 0, 0)  # so that equal content is equal bytes


def write_bundle(path: Path, run: Path, parts: Iterable[Path]) -> int:
    """Packs parts of a run's folder under their paths in it; returns how many files. A folder: all of it, of an SAE OF_AN_SAE.

    Raises UserError for a part that is not there.
    """
    files = sorted({file for part in parts for file in _files_of(part)})
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as bundle:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(run).as_posix(), SAME_TIME)
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(files)


def extract_bundle(path: Path, run: Path) -> int:
    """Puts the files where they were in their run's folder; returns how many.

    Raises UserError, before anything is written, for a file that is damaged or no bundle, or has entries that lead out of it.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            names = [entry.filename for entry in bundle.infolist() if not entry.is_dir()]
            if outside := [name for name in names if not (run / name).resolve().is_relative_to(run.resolve())]:
                raise UserError(f"{path}: {outside[0]!r} leads out of the folder; no bundle of a run")
            contents = {name: bundle.read(name) for name in names}  # with their checksums
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path}: damaged, or no bundle ({error}); fetch it anew") from error
    for name, content in contents.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        with replacing(run / name) as temporary:
            temporary.write_bytes(content)
    return len(contents)


def _files_of(part: Path) -> Iterator[Path]:
    if part.is_file():
        yield part
    elif (part / CONFIG_FILE).is_file():
        yield from (part / name for name in OF_AN_SAE if (part / name).is_file())
    elif part.is_dir():
        yield from (file for file in part.rglob("*") if file.is_file() and file.name != TIMESTAMP_FILE)
    else:
        raise UserError(f"{part}: no such file or folder; finish the run first")
