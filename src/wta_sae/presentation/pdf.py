"""The paper as PDF: latexmk in a scratch folder, the result moved in place whole."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from wta_sae.base.errors import UserError
from wta_sae.machine.files import replacing

DEBIAN_PACKAGES = "latexmk texlive-latex-recommended texlive-fonts-recommended lmodern"
INPUT_SUFFIXES = (".tex", ".bib", ".bst", ".cls", ".sty", ".pdf", ".png")
SOURCE_DATE_EPOCH = "1735689600"
"""The date in every PDF (2025-01-01), so that the same inputs give the same bytes; the environment's own value goes first."""


def build_pdf(main_tex: Path, inputs_directories: Iterable[Path], output_pdf: Path) -> None:
    """Typesets `main_tex`; what it inputs, includes and cites is found in its own folder and in `inputs_directories`.

    Works on copies in a temporary folder, so nothing but `output_pdf` is written; where LaTeX fails, its log is kept beside
    it (`output_pdf` with the suffix .log). Raises UserError where latexmk is not installed (naming what to install), where
    `main_tex` is absent, and where LaTeX fails (naming its first error and the log).
    """
    main_tex, output_pdf = Path(main_tex), Path(output_pdf)
    if not shutil.which("latexmk") or not shutil.which("pdflatex"):
        raise UserError(f"{output_pdf}: LaTeX is not installed; on Debian and Ubuntu install the packages {DEBIAN_PACKAGES}")
    if not main_tex.is_file():
        raise UserError(f"{main_tex}: no such file")
    log = output_pdf.with_suffix(".log")
    with tempfile.TemporaryDirectory(prefix="wta-sae-latex-") as scratch:
        folder = Path(scratch)
        for source in (*inputs_directories, main_tex.parent):
            _copy_inputs(Path(source), folder, leave_out=output_pdf)
        environment = {"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, **os.environ, "FORCE_SOURCE_DATE": "1"}
        command = ["latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", main_tex.name]
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
        built = folder / main_tex.with_suffix(".pdf").name
        if run.returncode != 0 or not built.is_file():
            details = _read(folder / main_tex.with_suffix(".log").name) + "\n" + run.stdout + run.stderr
            with replacing(log) as temporary:
                temporary.write_text(details, encoding="utf-8")
            raise UserError(f"{main_tex}: LaTeX failed: {first_error(details)} (the whole log: {log})")
        with replacing(output_pdf) as temporary:
            shutil.copyfile(built, temporary)
    log.unlink(missing_ok=True)


def _copy_inputs(source: Path, folder: Path, leave_out: Path) -> None:
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    for path in sorted(source.iterdir()):
        if path.suffix in INPUT_SUFFIXES and path.is_file() and path.resolve() != leave_out.resolve():
            shutil.copyfile(path, folder / path.name)


def first_error(log: str) -> str:
    """LaTeX's first error, with the line of the source that it names; else the last line of the log."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for i, line in enumerate(lines):
        if line.startswith("!"):
            place = next((later for later in lines[i:] if later.startswith("l.")), "")
            return f"{line} {place}".strip()
    return lines[-1] if lines else "no log was written"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
