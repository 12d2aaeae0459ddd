"""The files of the environments agree, ours and the peers'; ./run and benchmarks/peers say what they cannot do."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from make_environments import environments
from test_rooms import PACKAGE, file_of, imported
from wta_sae.sae.save import SAELENS_VERSION

ROOT = Path(__file__).parents[1]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
PEERS_PINS = dict(line.split("==") for line in (ROOT / "envs/peers.txt").read_text().split())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(environment):
    content = yaml.safe_load((ROOT / "envs" / environment).read_text())
    return next(item["pip"] for item in content["dependencies"] if isinstance(item, dict))


@pytest.mark.parametrize("name", sorted(environments()))
def test_conda_environments_are_what_is_generated(name):
    """Out of date: python envs/make_environments.py."""
    assert (ROOT / "envs" / name).read_text(encoding="utf-8") == environments()[name]


def test_conda_environments_cover_the_dependencies():
    covered = {r.split("==")[0] for name in ("workflow.yaml", "torch.yaml") for r in requirements(name)}
    assert {Requirement(dependency).name for dependency in PROJECT["dependencies"]} == covered


def libraries(files):
    """The distributions that these files of the package import, and those that they lead to."""
    waiting, seen, found = list(files), set(), set()
    while waiting:
        if (file := waiting.pop()) in seen:
            continue
        seen.add(file)
        modules = set(imported(file))
        waiting += [target for module in modules if (target := file_of(module)) is not None]
        found |= {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"wta_sae"}
    known = packages_distributions()
    return {known[name][0].lower().replace("_", "-") for name in found}


@pytest.mark.parametrize(
    "environment, files",
    [("torch.yaml", ("stages/*.py", "variants/*/*.py", "__main__.py")), ("latex.yaml", ("stages/paper.py", "__main__.py"))],
)
def test_a_conda_environment_has_what_the_stages_that_run_in_it_import(environment, files):
    by_hand = ("__init__.py", "plan.py")  # the plan asks Snakemake itself, which no job does
    needed = libraries(file for pattern in files for file in PACKAGE.glob(pattern) if file.name not in by_hand)
    assert {"tqdm", "safetensors"} <= needed
    assert needed <= {requirement.split("==")[0] for requirement in requirements(environment)}


def test_constraints_are_whole_within_the_ranges_and_name_no_machine():
    for dependency in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]):
        requirement = Requirement(dependency)
        assert not any(clause.operator == "==" for clause in requirement.specifier)  # the pins stand in constraints.txt alone
        assert PINS[requirement.name] in requirement.specifier
    assert not any("+" in version or "/" in version for version in PINS.values())


def test_the_peers_are_pinned_beside_the_same_torch():
    assert PEERS_PINS["sae-lens"] == SAELENS_VERSION
    assert {"sae-bench", "dictionary-learning"} <= set(PEERS_PINS)
    assert PEERS_PINS["torch"] == PINS["torch"]  # what differs between theirs and ours is then not torch's doing
    assert not any("+" in version or "/" in version for version in PEERS_PINS.values())


@pytest.fixture(params=["run", "benchmarks/peers"])
def script(tmp_path, request):
    """A script that makes an environment, in a checkout of its own."""
    for name in ("run", "benchmarks/peers", "envs/in_environment.sh", "envs/peers.txt", "constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path / request.param


def start(script, python, *command, **variables):
    """The script, running, with a Python whose text the test writes."""
    interpreter = script.with_name("python-for-test")
    interpreter.write_text("#!/bin/sh\n" + python)
    interpreter.chmod(0o755)
    environment = os.environ | {"PYTHON": str(interpreter)} | variables
    return subprocess.Popen(
        [script, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def run(script, python, *command, **variables):
    """The same, finished."""
    process = start(script, python, *command, **variables)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


MAKES_A_VENV = """case "$*" in *"-m venv"*)
  mkdir -p "$3/bin"; cp "$0" "$3/bin/python"
  printf '#!/bin/sh\\necho hello "$@"\\n' > "$3/bin/greet"; chmod +x "$3/bin/greet";;
*_base_executable*) echo "${BASE:-$0}";;
*"-m pip"*) %s;; esac
"""


def test_an_old_python_is_refused(script, tmp_path):
    result = run(script, 'case "$*" in *--version*) echo Python 3.9.2;; *) exit 1;; esac\n', "pytest")
    assert result.returncode == 1
    line = r"(run|peers): Python 3.9.2 will not do; Python 3.11 or (newer|3.12) is needed: PYTHON=/path/to/python3.12 \S+ ...\n"
    assert re.fullmatch(line, result.stderr)
    assert list(tmp_path.glob(".venv*")) == []


def test_a_missing_python_is_named(script):
    result = subprocess.run(
        [script, "pytest"], env=os.environ | {"PYTHON": "python9"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"{script.name}: 'python9' not found; install Python 3.11 or")


@pytest.mark.parametrize("own", ["folder", "link"])
def test_an_environment_that_somebody_else_made_is_left_alone(script, tmp_path, own):
    venv = tmp_path / (".venv" if script.name == "run" else ".venv-peers")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    if own == "folder":
        theirs = theirs.rename(venv)
        (venv / "notes").write_text("mine")
    else:
        venv.symlink_to(theirs)
        theirs.rmdir()  # on a disk that is not there now
    result = run(script, MAKES_A_VENV % "exit 0", "greet", "you")
    assert result.returncode == 1
    line = r"(run|peers): \S+/\.venv\S* is there, and \S+ did not make it: move it away; or use it: source .+\n"
    assert re.fullmatch(line, result.stderr)
    assert venv.is_symlink() or [path.read_text() for path in venv.iterdir()] == ["mine"]


def test_two_calls_at_once_make_one_environment(script):
    calls = [start(script, MAKES_A_VENV % "sleep 1; exit 0", "greet", str(number)) for number in range(2)]
    outputs = [call.communicate() for call in calls]
    assert [output for output, _ in outputs] == ["hello 0\n", "hello 1\n"]
    assert sum("setting the environment up" in errors for _, errors in outputs) == 1


def test_an_installation_that_failed_is_tried_again_and_one_that_did_not_is_kept(script):
    failed = run(script, MAKES_A_VENV % "exit 7", "greet", "you")
    assert failed.returncode == 1
    assert "the installation failed (see above); the next call tries again from the start" in failed.stderr
    good = run(script, MAKES_A_VENV % "exit 0", "greet", "you")
    assert good.stdout == "hello you\n"
    again = run(script, "exit 9\n", "greet", "again")  # needs no Python of the system any more
    assert (again.returncode, again.stdout, again.stderr) == (0, "hello again\n", "")


def test_an_environment_that_is_active_is_made_anew_by_the_python_behind_it(script, tmp_path):
    """After a pull that changes the pins, `python3` is the one of the environment that is to be removed."""
    good = run(script, MAKES_A_VENV % "exit 0", "greet", "you")
    assert good.stdout == "hello you\n"
    pins = tmp_path / ("constraints.txt" if script.name == "run" else "envs/peers.txt")
    pins.write_text(pins.read_text() + "more==1\n")
    active = next(tmp_path.glob(".venv*")) / "bin/python"
    again = run(
        script, MAKES_A_VENV % "exit 0", "greet", "again", PYTHON=str(active), BASE=str(script.with_name("python-for-test"))
    )
    assert (again.returncode, again.stdout) == (0, "hello again\n"), again.stderr
