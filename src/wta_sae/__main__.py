"""The command line: `python -m wta_sae STAGE ...`, one thin module of `wta_sae.stages` a stage."""

import argparse
import importlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wta_sae.base.ending import end
from wta_sae.base.errors import PassingError, UserError
from wta_sae.base.ownership import owning
from wta_sae.base.progress import TERMINAL_VARIABLE, name_job
from wta_sae.base.refusals import note_refusal, refusal
from wta_sae.base.spent import spent_since

STARTED = time.monotonic()

STAGES = {
    "plan": "what a run takes, before it starts: jobs, time, disk, memory, what is fetched",
    "collect-text docstrings": "documents from installed packages' documentation",
    "collect-text files": "documents from files of your own",
    "collect-text hub": "documents from a dataset of the hub, at a pinned revision",
    "train-tokenizer": "a byte-level BPE tokenizer from the training documents",
    "tokenize": "documents -> packed contexts of token ids",
    "train-language-model": "a small GPT-NeoX on the tokenized text",
    "fetch-language-model": "a language model from the hub, at a pinned revision",
    "check-language-model": "whether a model's residual stream can be read and continued",
    "cache-activations": "the residual stream after one block -> shuffled shards on disk",
    "make-synthetic": "activations of true features that are known -> a cache",
    "free-activations": "the shards of cached activations go, when all SAEs are trained",
    "train-sae": "one sparse autoencoder on cached activations",
    "import-sae": "an SAE from elsewhere, in SAELens' format",
    "calibrate": "an SAE's inference thresholds at a wanted L0",
    "fetch-labelled-texts": "labelled texts from the hub, at a pinned revision",
    "label files": "labelled texts from files of your own",
    "label docstrings": "labelled texts from the documentation's held-out part",
    "label classes": "balanced classes of labelled texts, for sparse probing and TPP",
    "label quadrants": "pairs of classes with a spurious attribute, for SCR",
    "cache-texts": "a language model's residuals of labelled texts, once for all SAEs",
    "train-probes": "the probes on these residuals that every SAE's evaluation needs",
    "evaluate tokens": "an SAE on held-out text: core metrics, subspace, geometry",
    "evaluate stability": "an SAE against one of another seed: whether it has the same latents",
    "evaluate truth": "SAEs on synthetic activations: whether they found the true features",
    "evaluate texts": "an SAE on labelled texts: sparse probing, TPP, SCR",
    "browse": "HTML pages that show what the latents of SAEs are",
    "collect-metrics": "metrics of many SAEs -> one tidy table",
    "check": "whether the demo's numbers came out as they should",
    "bundle": "a finished run in one file, without model and activations",
    "unbundle": "a bundle's files into a run's folder",
    "record-config": "the configuration of a run, as the workflow resolved it",
    "record-provenance": "what a run's results are of: configuration, text, models, checksums, versions",
    "show-values": "a page that shows what a JSON file holds",
    "figure1": "encoder-decoder cosines over the sparsity rate",
    "figure2": "core metrics over the sparsity rate",
    "figure3": "reconstruction over the L0 reached",
    "figure4": "true features found over how unequally often they fire",
    "figure5": "whether latents that are used alike are found again with another seed",
    "table1": "the paper's comparison of SAEs",
    "table-matched": "the comparison of SAEs at equal L0",
    "table-outlook": "what tells all variants apart at equal L0",
    "training-curves": "the training curves of all SAEs",
    "table-provenance": "what a run's results are of, for the paper's appendix",
    "table-published": "published beside rebuilt numbers",
    "table2": "author contributions",
    "table-truth": "what each variant finds of true features",
    "table-claims": "the paper's conclusions, decided on a run",
    "reproduction": "what the paper's text and released code differ in, measured, as a report",
    "numbers": "every number in the paper's prose, as LaTeX macros",
    "truth": "the paper's section on why WTA loses",
    "outlook": "the paper's section on what it only proposes",
    "paper": "the paper's PDF",
}


def main(argv: list[str]) -> int:
    words = 2 if argv[:1] in (["collect-text"], ["evaluate"], ["label"]) else 1
    stage, rest = " ".join(argv[:words]), argv[words:]
    if argv in ([], ["-h"], ["--help"]):
        print(_usage())
        return 0
    if stage not in STAGES:
        print(f"wta_sae: unknown stage {stage!r}\n{_usage()}", file=sys.stderr)
        return 2
    module = importlib.import_module("wta_sae.stages." + stage.replace(" ", "_").replace("-", "_"))
    parser = argparse.ArgumentParser(
        prog=f"python -m wta_sae {stage}",
        description=module.__doc__,
        epilog=f"example:\n  {example_of(stage)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    arguments = parser.parse_args(rest)
    # A terminated job (a cluster's time limit) cleans up as a failed one does.
    signal.signal(signal.SIGTERM, lambda number, _frame: end(number))
    outputs = outputs_of(vars(arguments))
    try:
        if (line := refusal(outputs)) is not None:
            raise UserError(line)
        name_job(os.path.relpath(outputs[0]) if outputs else stage)
        with owning(outputs):
            module.run(arguments)
    except UserError as error:
        print(f"wta_sae {stage}: {error}", file=sys.stderr)
        if not isinstance(error, PassingError):
            note_refusal(outputs, str(error))
        return 1
    if TERMINAL_VARIABLE in os.environ:  # a job, whose output is its log
        print(spent_since(STARTED), file=sys.stderr)
    return 0


def example_of(stage: str) -> str:
    """A command of the stage, each flag on a line of its own, to be pasted as it is."""
    start = f"python -m wta_sae {stage} "
    lines = Path(__file__).with_name("examples.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(start)).replace(" --", " \\\n    --")


def outputs_of(arguments: Mapping[str, Any]) -> list[Path]:
    """What a stage writes: its arguments of these names, and those that end with _out."""
    found = [value for name, value in arguments.items() if name in ("out", "pdf", "png") or name.endswith("_out")]
    return [path for value in found for path in (value if isinstance(value, list) else [value]) if path is not None]


def _usage() -> str:
    stages = "\n".join(f"  {stage:<24} {meaning}" for stage, meaning in STAGES.items())
    return f"usage: python -m wta_sae STAGE [--help] ...\n\nstages:\n{stages}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
