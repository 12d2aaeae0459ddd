"""The environment's files agree: pyproject.toml, constraints.txt, envs/*.yaml; and ./run says what it cannot do."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(environment):
    content = yaml.safe_load((ROOT / "envs" / environment).read_text())
    return next(item["pip"] for item in content["dependencies"] if isinstance(item, dict))


@pytest.mark.parametrize("environment", ["workflow.yaml", "torch.yaml", "latex.yaml"])
def test_conda_environments_have_the_pins_of_constraints(environment):
    for requirement in requirements(environment):
        name, version = requirement.split("==")
        assert PINS[name] == version


def test_conda_environments_cover_the_dependencies():
    covered = {r.split("==")[0] for name in ("workflow.yaml", "torch.yaml") for r in requirements(name)}
    assert {dependency.split("==")[0] for dependency in PROJECT["dependencies"]} <= covered


def test_constraints_are_whole_and_name_no_machine():
    for dependency in PROJECT["dependencies"]:
        name, _, version = dependency.partition("==")
        assert name in PINS
        assert version in ("", PINS[name])
    assert not any("+" in version or "/" in version for version in PINS.values())


@pytest.fixture
def checkout(tmp_path):
    """./run with a Python of its own, which the tests write."""
    for name in ("run", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    return tmp_path


def run(checkout, python, *command):
    script = checkout / "bin" / "python-for-test"
    script.write_text("#!/bin/sh\n" + python)
    script.chmod(0o755)
    environment = os.environ | {"PYTHON": str(script)}
    return subprocess.run(
        [checkout / "run", *command], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


MAKES_A_VENV = """case "$*" in *venv*)
  mkdir -p "$3/bin"; cp "$0" "$3/bin/python"
  printf '#!/bin/sh\\necho hello "$@"\\n' > "$3/bin/greet"; chmod +x "$3/bin/greet";;
*pip*) %s;; esac
"""


def test_run_refuses_an_old_python(checkout):
    result = run(checkout, 'case "$*" in *--version*) echo Python 3.9.2;; *) exit 1;; esac\n', "pytest")
    assert result.returncode == 1
    assert result.stderr == "run: Python 3.9.2 is too old; Python 3.11 or newer is needed: PYTHON=python3.12 ./run ...\n"
    assert not (checkout / ".venv").exists()


def test_run_names_a_missing_python(checkout):
    result = subprocess.run(
        [checkout / "run", "pytest"], env=os.environ | {"PYTHON": "python9"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("run: 'python9' not found; install Python 3.11 or newer")


def test_run_retries_an_installation_that_failed_and_keeps_one_that_did_not(checkout):
    failed = run(checkout, MAKES_A_VENV % "exit 7", "greet", "you")
    assert failed.returncode == 1
    assert "the installation failed (see above); the next call tries again from the start" in failed.stderr
    good = run(checkout, MAKES_A_VENV % "touch installed", "greet", "you")
    assert good.stdout == "hello you\n"
    again = run(checkout, "exit 9\n", "greet", "again")  # needs no Python of the system any more
    assert (again.returncode, again.stdout, again.stderr) == (0, "hello again\n", "")
