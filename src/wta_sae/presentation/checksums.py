"""The paper's appendix on what a run's results are of."""

import math
from itertools import zip_longest
from pathlib import Path
from typing import Any

from wta_sae.plan.sae_files import WEIGHTS_FILE
from wta_sae.presentation.notation import LATEX
from wta_sae.presentation.templates import render

ROWS, COLUMNS = 60, 3  # of SAEs on a page


def table_provenance(template: Path, provenance: dict[str, Any]) -> str:
    """The appendix on what a run's results are of, with the checksums of its SAEs' weights. provenance: of `record-provenance`.

    In tables of ROWS rows, of COLUMNS columns that are read down, one after the other.
    """
    checksums = [(name, files[WEIGHTS_FILE]) for name, files in provenance["saes"].items()]
    size = ROWS * COLUMNS
    parts = [_down(checksums[start : start + size]) for start in range(0, len(checksums), size)]
    return render(template, LATEX, parts=parts, **provenance)


def _down(items: list[tuple[str, str]]) -> list[tuple[tuple[str, str], ...]]:
    rows = math.ceil(len(items) / COLUMNS)
    return list(zip_longest(*(items[start : start + rows] for start in range(0, len(items), rows)), fillvalue=("", "")))
