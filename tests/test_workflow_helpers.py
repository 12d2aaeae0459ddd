import os
import re
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from workflow import RULES
from wta_sae.__main__ import STAGES
from wta_sae.plan.commands import flags
from wta_sae.plan.dependencies import stage_files, state_of
from wta_sae.variants.loading import rule_module
from wta_sae.variants.registry import VARIANTS

ROOT = Path(__file__).parents[1]


def names(stage, *modules):
    return {str(file.relative_to(ROOT / "src/wta_sae")) for file in stage_files(stage, *modules)}


def test_flags_are_what_a_shell_takes():
    assert flags({"batch_tokens": 8, "rates": [1e-06, 0.5], "name": "a b"}) == "--batch-tokens 8 --rates 1e-06 0.5 --name 'a b'"


def test_what_a_stage_depends_on_follows_imports_directly_and_not():
    files = names("train-sae")
    assert {"stages/train_sae.py", "training/trainer.py", "activations/cache.py", "machine/tensor_files.py"} <= files
    assert not any(file.startswith(("base/", "metrics/", "presentation/", "text/", "language_model/")) for file in files)
    assert "variants/wta/rule.py" in names("train-sae", "variants.wta.rule") - files
    assert "metrics/core.py" in names("evaluate tokens")
    assert "training/trainer.py" not in names("evaluate tokens")
    assert not any(file.startswith(("sae/", "training/")) for file in names("cache-activations"))


def test_what_a_stage_depends_on_is_all_that_it_loads():
    """Python's own record of what an import loads is the measure, but for what decides nothing that is written."""
    for stage in ("train-sae", "table1"):
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


SMK = "".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk"))
MADE = re.findall(r'^    "(\w+)": ', re.search(r"^MADE_FROM = \{\n(.*?)^\}", SMK, re.MULTILINE | re.DOTALL)[1], re.MULTILINE)
# Rule -> the stage that it runs; of the rules for tables, figures and the report, each file that they make by its name.
STAGE_OF = {rule: stage for rule, body in RULES.items() for stage in re.findall(r'\*\*stage\(\s*"([\w -]+)"', body)}
STAGE_OF |= {f"collect_text of {source}": f"collect-text {source}" for source in ("docstrings", "files")}
STAGE_OF |= {name: name.replace("_", "-") for name in MADE}


def test_every_stage_is_run_by_a_rule_that_follows_its_code():
    """`stage` gives a rule its digest. What is freed, checked or planned by hand is run each time that it is asked for."""
    assert set(STAGE_OF.values()) == set(STAGES) - {"free-activations", "train-sae", "check", "plan"}
    for rule in ("of the loop in train.smk", "train_planted_saes"):
        assert 'code_sha256("train-sae", *rules_of(' in RULES[rule]
    assert '"code": lambda wildcards: code_sha256(' in SMK


FETCHING = {"fetch_text", "fetch_language_model", "fetch_labelled_texts"}
TRAINING = {f"train_sae of {name}" for name in VARIANTS}
ON_TOKENS = {"evaluate_tokens", "evaluate_matched"}
ON_TEXTS = {"evaluate_texts", "evaluate_matched_texts"}
ON_SAES = ON_TOKENS | ON_TEXTS | {"calibrate", "browse"}
WHOLE_RUN = {"table_claims", "reproduction", "numbers", "truth", "outlook"}
OF_TRUTH = {"figure4", "table_truth"}
OF_OUTLOOK = {"figure5", "table_outlook"}
OF_TABLES = {"table1", "table_matched", "table_outlook", "table_published", "table_truth"}
OF_METRICS = OF_TABLES | {"figure2", "figure3"} | OF_TRUTH | OF_OUTLOOK | WHOLE_RUN
SHOWN = {"collect_metrics"} | OF_METRICS
EDITS = {  # a file -> the rules that run again by themselves, and no others; what is made from theirs follows
    "base/progress.py": set(),
    "base/ownership.py": set(),
    "machine/hub.py": FETCHING,
    "text/hub_datasets.py": {"fetch_text", "fetch_labelled_texts"},
    "text/records.py": {"collect_text of files", "label_files"},
    "text/packing.py": {"tokenize"},
    "text/labelled_groups.py": {"cache_texts"},
    "language_model/pretraining.py": {"train_language_model"},
    "activations/caching.py": {"cache_activations"},
    "activations/shards.py": {"cache_activations", "make_synthetic"},
    "activations/cache.py": {"cache_activations", "make_synthetic"} | TRAINING,
    "synthetic/world.py": {"make_synthetic", "evaluate_truth"},
    "plan/world_options.py": {"make_synthetic", "evaluate_truth"},
    "training/trainer.py": TRAINING,
    "variants/wta/rule.py": {"train_sae of wta"},
    "variants/adaptive/rule.py": {"train_sae of adaptive", "train_sae of scheduled"},
    "variants/topk/spec.py": SHOWN | {"training_curves"},
    "variants/variant.py": SHOWN | TRAINING | {"training_curves"},
    "variants/registry.py": SHOWN | {"training_curves"},
    "sae/compatibility.py": ON_SAES | {"evaluate_truth", "evaluate_stability"},
    "sae/load.py": ON_SAES | {"import_sae", "evaluate_truth", "evaluate_stability"},
    "sae/calibration.py": {"calibrate", "evaluate_truth"},
    "sae/saelens_config.py": ON_SAES
    | {"import_sae", "evaluate_truth", "evaluate_stability", "collect_metrics", "figure1"}
    | {"record_provenance", "training_curves"},
    "metrics/subspace.py": ON_TOKENS,
    "metrics/scr.py": {"train_probes"} | ON_TEXTS,
    "metrics/pooling.py": {"train_probes", "browse"} | ON_TEXTS,
    "metrics/latent_view.py": {"browse"},
    "metrics/true_features.py": {"evaluate_truth"},
    "metrics/matching.py": {"evaluate_truth", "evaluate_stability"},
    "metrics/stability.py": {"evaluate_stability"},
    "metrics/columns.py": {"collect_metrics", "evaluate_truth", "evaluate_stability"} | OF_METRICS,
    "presentation/run.py": {"figure2"} | WHOLE_RUN,
    "presentation/claims.py": WHOLE_RUN,
    "presentation/truth_claims.py": WHOLE_RUN,
    "presentation/outlook_claims.py": WHOLE_RUN,
    "presentation/tables.py": OF_TABLES,
    "presentation/checksums.py": {"table_provenance"},
    "presentation/templates.py": {"table2", "table_provenance"} | OF_TABLES | WHOLE_RUN,
    "presentation/html_templates.py": {"browse", "show_values"},
    "presentation/truth_figure.py": {"figure4"},
    "presentation/frontier_figure.py": {"figure3"},
    "presentation/pdf.py": {"paper"},
}


@pytest.mark.parametrize("file", EDITS)
def test_an_edit_reruns_exactly_what_it_can_change(file):
    assert (ROOT / "src/wta_sae" / file).is_file()
    rerun = {rule for rule, stage in STAGE_OF.items() if file in names(stage)}
    rerun |= {f"train_sae of {name}" for name in VARIANTS if file in names("train-sae", rule_module(name))}
    assert rerun == EDITS[file]


def test_every_artifact_has_a_caption_in_the_report():
    common, paper = ((ROOT / f"workflow/rules/{name}.smk").read_text() for name in ("common", "paper"))
    artifacts = {name for name in re.findall(r'"(\w+\.(?:tex|md|pdf|png|html))"', common)} | {
        "figure1.pdf",
        "figure2.png",
        "figure3.pdf",
        "figure4.pdf",
        "figure5.pdf",
    }
    assert len(artifacts) == 22
    template = jinja2.Template((ROOT / "workflow/report/artifact.rst").read_text())
    for name in artifacts:
        job = {"wildcards": {"artifact": name}, "config": {"run": "mine"}}
        assert re.fullmatch(r"\s*[A-Z].{30,}\. Run: mine\.", template.render(snakemake=job)), name
        assert f'"{re.match("[a-z]+", name)[0]}": ' in paper[paper.index("CATEGORIES = ") :]
