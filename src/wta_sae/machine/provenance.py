"""On what and by which code numbers were computed: what may change their last digits, and what made them.

It stands in files of its own, so that equal results are equal bytes whatever machine they are from.
"""

import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from wta_sae.machine.devices import product_dtype
from wta_sae.machine.versions import versions
from wta_sae.plan.dependencies import PACKAGE

REPOSITORY = PACKAGE.parents[1]


def provenance(device: torch.device) -> dict[str, Any]:
    """Device, the precision of matrix products in training, threads, versions, and the commit of the code.

    commit: None where the code is in no git repository; modified: whether files differed from it, None likewise.
    """
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "product_precision": str(product_dtype(torch.empty(0, device=device))).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "versions": versions(),
        **git_state(REPOSITORY),
    }


def git_state(root: Path) -> dict[str, Any]:
    """The commit that is checked out in a folder, and whether files of it are changed; None and None without a repository."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():  # a copy of the files, perhaps inside another repository
        return {"commit": None, "modified": None}
    return {
        "commit": _git(root, "rev-parse", "HEAD"),
        "modified": bool(_git(root, "status", "--porcelain", "--untracked-files=no")),
    }


def _git(root: Path, *words: str) -> str | None:
    try:
        process = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()


def _processor() -> str:
    """Linux knows its name; elsewhere the architecture has to do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
