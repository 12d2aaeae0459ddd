"""The package's order: rooms that import downwards only, the public names, and which edit re-runs which rules."""

import ast
import re
import subprocess
import sys
from collections import defaultdict

import pytest

import wta_sae
from workflow import ROOT

PACKAGE = ROOT / "src/wta_sae"
# Ground floor first: a module imports from its own room and those before it. Variants' rules stand above their specs.
ROOMS = (
    *("base", "variants", "plan", "forecast", "machine", "text", "language_model", "activations", "synthetic", "sae", "codes"),
    *("variants/*/rule", "training", "metrics", "presentation", "stages"),
)
PLANNING_ROOMS = ("base", "variants", "plan", "forecast")  # which the Snakefile reads
MODULES = [file for file in sorted(PACKAGE.rglob("*.py")) if file.stem != "__init__" and file.parent != PACKAGE]
LONGEST = 400


def room(file):
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return "variants/*/rule" if parts[0] == "variants" and parts[-1] == "rule" else parts[0]


def imported(file):
    """The modules that a file imports, as it names them, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module):
    """The file of the package that a dotted name leads to, or None."""
    top, *parts = module.split(".")
    paths = [PACKAGE.joinpath(*parts[:depth]).with_suffix(".py") for depth in (len(parts), len(parts) - 1)]
    return next((path for path in paths if path.is_file()), None) if top == "wta_sae" else None


def test_every_module_stands_in_a_room_and_imports_downwards():
    assert {room(file) for file in MODULES} == set(ROOMS)
    assert {file.stem for file in PACKAGE.glob("*.py")} == {"__init__", "__main__"}
    upwards = []
    for file in MODULES:
        for module in imported(file):
            if module.startswith("wta_sae"):
                target = file_of(module)
                assert target is not None, f"{file}: {module} is not in a module"
                if ROOMS.index(room(target)) > ROOMS.index(room(file)):
                    upwards.append((file.relative_to(PACKAGE), module))
    assert upwards == []


def test_a_rule_reads_no_spec():
    """For a spec has colours and headings too, whose change is no reason to train an SAE again."""
    for file in PACKAGE.glob("variants/*/rule.py"):
        of_variants = [module for module in imported(file) if module.startswith("wta_sae.variants")]
        assert all(module.endswith(".rule.Rule") for module in of_variants)


def test_a_files_name_tells_it_from_every_other():
    """But for the specs and the rules, of which every variant has one."""
    places = defaultdict(set)
    for file in MODULES:
        if file.parent.parent.name != "variants":
            places[file.stem].add(room(file))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


SAME_MEANING = {"add_arguments", "run", "Rule"}  # of stages, and of variants


def test_a_public_functions_name_tells_it_from_every_other():
    places = defaultdict(list)
    for file in MODULES:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file.relative_to(PACKAGE))
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in SAME_MEANING} == {}


def test_modules_are_short_and_packages_define_nothing():
    assert [file for file in MODULES if len(file.read_text().splitlines()) > LONGEST] == []
    for file in PACKAGE.rglob("*/__init__.py"):
        (docstring,) = ast.parse(file.read_text()).body
        assert isinstance(docstring.value.value, str)


def test_the_rooms_that_the_snakefile_reads_never_load_torch():
    modules = [
        ".".join(("wta_sae", *file.relative_to(PACKAGE).with_suffix("").parts))
        for file in MODULES
        if room(file) in PLANNING_ROOMS
    ]
    code = f"import sys, {', '.join(modules)}; print(*sorted({{'torch', 'transformers', 'pandas'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
    for smk in ("Snakefile", *map(str, (ROOT / "workflow/rules").glob("*.smk"))):
        lines = [line.split()[1] for line in (ROOT / smk).read_text().splitlines() if line.startswith("from wta_sae")]
        assert all(module.split(".")[1] in PLANNING_ROOMS for module in lines)


def test_the_public_names_load_when_they_are_asked_for():
    code = "import sys, wta_sae; print(*sorted({'torch', 'transformers', 'pandas', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
    assert all(callable(getattr(wta_sae, name)) for name in wta_sae.__all__)
    with pytest.raises(AttributeError, match="'wta_sae' has no attribute 'SEA'"):
        wta_sae.SEA  # noqa: B018
    assert (PACKAGE / "py.typed").is_file()


def test_what_type_checkers_see_is_what_is_loaded():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module.removeprefix("wta_sae.") for node in block.body for alias in node.names}
    assert seen == wta_sae._MODULE_OF


def test_names_in_prose_and_docstrings_are_those_of_the_code():
    files = [*MODULES, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "workflow").rglob("*.*")]
    wrong = []
    for file in files:
        prose = re.sub(r"^```(?:python|diff)\n.*?^```$", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)  # those are run
        for name in set(re.findall(r"\bwta_sae((?:\.[A-Za-z_]\w*)+)", prose)):
            parts = name.strip(".").split(".")
            target = file_of(f"wta_sae{name}")
            known = PACKAGE.joinpath(*parts).is_dir() or name.strip(".") in wta_sae.__all__ or "NAME" in parts
            if not known and (
                target is None or not (target.stem == parts[-1] or re.search(rf"\b{parts[-1]}\b", target.read_text()))
            ):
                wrong.append((file.name, name))
    assert wrong == []
