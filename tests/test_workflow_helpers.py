import os
import re
import subprocess
import sys
from pathlib import Path

from workflow import RULES
from wta_sae.__main__ import STAGES
from wta_sae.plan.commands import flags
from wta_sae.plan.dependencies import stage_files, state_of

ROOT = Path(__file__).parents[1]


def names(stage, *modules):
    return {str(file.relative_to(ROOT / "src/wta_sae")) for file in stage_files(stage, *modules)}


def test_flags_are_what_a_shell_takes():
    assert flags({"batch_tokens": 8, "rates": [1e-06, 0.5], "name": "a b"}) == "--batch-tokens 8 --rates 1e-06 0.5 --name 'a b'"


def test_what_a_stage_depends_on_follows_imports_directly_and_not():
    files = names("train-sae")
    assert {"stages/train_sae.py", "training/trainer.py", "activations/cache.py", "machine/tensor_files.py"} <= files
    assert not any(file.startswith(("base/", "metrics/", "presentation/", "text/", "language_model/")) for file in files)
    assert {"variants/wta/rule.py", "variants/wta/spec.py"} <= names(
        "train-sae", "variants.wta.rule", "variants.wta.spec"
    ) - files
    assert "metrics/core.py" in names("evaluate core")
    assert "training/trainer.py" not in names("evaluate core")
    assert not any(file.startswith(("sae/", "training/")) for file in names("cache-activations"))


def test_what_a_stage_depends_on_is_all_that_it_loads():
    """Python's own record of what an import loads is the measure, but for what decides nothing that is written."""
    for stage in ("train-sae", "evaluate tpp", "figure1"):
        module = "wta_sae.stages." + stage.replace(" ", "_").replace("-", "_")
        code = f"import sys, {module}; print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'wta_sae'))"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        computing = [file for file in loaded if not file.endswith("__init__.py") and "/wta_sae/base/" not in file]
        assert sorted(computing) == list(map(str, stage_files(stage)))


def test_the_state_of_a_small_file_is_its_content_that_of_a_large_one_its_time(tmp_path):
    def state(*paths):
        state_of.cache_clear()  # in the workflow nothing changes between two askings
        return state_of(*map(str, paths))

    small, large = tmp_path / "small", tmp_path / "large"
    absent = state(small, large)
    small.write_text("a")
    large.write_bytes(bytes(1_000_001))
    first = state(small, large)
    assert first != absent
    os.utime(small, (1, 1))
    assert state(small, large) == first
    os.utime(large, (1, 1))
    assert len({first, state(small, large), state(large, small), state(small)}) == 4
    small.write_text("b")
    assert state(small) != state(large)


def test_every_stage_has_its_module_and_says_what_it_takes():
    files = (ROOT / "src/wta_sae/stages").glob("*.py")
    modules = {path.stem for path in files if "def add_arguments(" in path.read_text()}  # the others are what stages share
    assert modules == {stage.replace(" ", "_").replace("-", "_") for stage in STAGES}


def test_a_rule_has_the_digest_of_the_code_that_it_runs():
    """Or an edit of it would re-run nothing. What is freed by hand is run each time that it is asked for."""
    run = {name: re.search(r"python -m wta_sae ((?:evaluate |label )?[\w-]+)", body) for name, body in RULES.items()}
    stages = {name: stage[1] for name, stage in run.items() if stage and name != "free_activations"}
    assert set(stages.values()) == set(STAGES) - {"free-activations", "evaluate probing", "evaluate tpp"}
    for name, stage in stages.items():
        assert re.search(rf'code_sha256\("{stage}"[,)]', RULES[name]), name
