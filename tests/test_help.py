"""What `--help` says: one meaning a flag, and an example that works."""

import argparse
import importlib
import re
import shlex
from collections import defaultdict

import pytest

from workflow import ROOT, snakemake
from wta_sae.__main__ import STAGES, example_of


def parser_of(stage):
    module = importlib.import_module("wta_sae.stages." + stage.replace(" ", "_").replace("-", "_"))
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    return parser


def actions(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from actions(one)
        elif not isinstance(action, argparse._HelpAction):
            yield action


def test_a_flag_is_of_one_kind_in_all_stages():
    kinds = defaultdict(set)
    for stage in STAGES:
        for action in actions(parser_of(stage)):
            for flag in action.option_strings:
                several = action.nargs if flag != "--out" else None  # train-sae alone may write several folders
                kinds[flag].add((action.type, several, type(action)))
    assert len(kinds) > 80
    assert {flag: found for flag, found in kinds.items() if len(found) > 1} == {}


@pytest.mark.parametrize("stage", STAGES)
def test_the_example_of_a_stage_is_a_command_of_it(stage):
    words = shlex.split(example_of(stage).replace("\\\n", " "))
    assert words[: 3 + len(stage.split())] == ["python", "-m", "wta_sae", *stage.split()]
    parsed = vars(parser_of(stage).parse_args(words[3 + len(stage.split()) :]))
    written = [value for name, value in parsed.items() if name in ("out", "pdf", "png") or name.endswith("_out")]
    assert all("results" not in str(value) for value in written)  # a run's own files stay what the run made


def test_what_the_examples_read_is_what_the_default_run_makes():
    plan = snakemake(ROOT, "--dry-run", "--forceall", "--nolock", "all")
    read = {path for stage in STAGES for path in re.findall(r"results/\S+", example_of(stage))}
    assert len(read) > 20
    made = set(re.findall(r"results/[^\s,]+", plan.stdout + plan.stderr)) | {"results/demo", "results/demo/activations"}
    assert read - made == set()
