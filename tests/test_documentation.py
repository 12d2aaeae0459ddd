"""The pages and config.yaml keep what they promise."""

import re
from pathlib import Path

import pytest

import metrics_golden as golden
from presented import presented
from synthetic_metrics import METRICS
from wta_sae.metrics.core import evaluate_core

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONFIG = (ROOT / "config.yaml").read_text()


PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not link.startswith("http") and not (page.parent / link.partition("#")[0]).exists()] == []


def test_the_readme_leads_to_every_page():
    assert [page.name for page in PAGES[1:] if page.name not in README] == []


def test_every_path_in_the_layout_exists():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    layout = contributing[contributing.index("## Layout") : contributing.index("## Before a commit")]
    paths = re.findall(r"`([\w./]+)`", layout)
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / "src/wta_sae" / path).exists()] == []


def test_no_placeholder_is_left():
    assert not [page for page in PAGES if re.search(r"@[A-Z0-9]+@", page.read_text(encoding="utf-8"))]


def test_every_key_of_the_config_is_explained():
    """On its own line, or at the head of its section."""
    keys = [line for line in CONFIG.splitlines() if re.match(r" *[a-z_0-9]+: \S", line)]
    headed = ("packages:", "split:", "column:", "rates:", "context_length")
    bare = [line for line in keys if "#" not in line and not line.strip().startswith(headed)]
    assert bare == []


def documented_metrics(marked=""):
    """The patterns of the metrics' names in docs/metrics.md; of those with that mark."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    cells = [cell for cell in re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE) if marked in cell]
    names = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    return [re.sub(r"_[KNX](?=_|$)", r"_[\\d.]+", name) + "(_masked)?" for name in names]


def test_every_metric_is_described():
    known = re.compile("|".join(documented_metrics()))
    assert [name for name in METRICS["metric"].unique() if not known.fullmatch(name)] == []


def test_the_metrics_that_are_said_to_depend_on_the_batch_do_and_no_others():
    whole, short = (
        evaluate_core(golden.language_model(), golden.saes(), golden.tokens()[:8], batch_contexts=size)["topk"].metrics
        for size in (8, 3)
    )
    changed = [name for name in whole if whole[name] != pytest.approx(short[name], rel=1e-6)]
    assert sorted(changed) == sorted(name.removesuffix("(_masked)?") for name in documented_metrics("†"))


def without_what_a_run_decides(report):
    """The report's text with its numbers (and the dashes of missing ones) and its bold words blotted out."""
    number = r"\N{MINUS SIGN}?\d([\d,.]*\d)?(e-\d+)?"
    report = re.sub(r"\*\*[^*]+\*\*", "*", report)
    return " ".join(re.sub(rf"({number}|—)( ± {number})?( to {number})?", "#", report).split())


def test_the_committed_report_is_what_the_present_template_gives():
    """Out of date: run the demo and copy results/reproduction.md over it."""
    committed = (ROOT / "docs/reproduction.md").read_text(encoding="utf-8")
    present = presented("reproduction.md")
    assert without_what_a_run_decides(committed) == without_what_a_run_decides(present)


def test_a_change_of_the_reports_text_is_seen_and_one_of_its_numbers_is_not():
    shown = "L0 is 16.0 ± 0.2 at 1e-6 to 5e-4: **stands**."
    assert without_what_a_run_decides(shown) == without_what_a_run_decides("L0 is — at 0.05: **does not stand**.")
    assert without_what_a_run_decides(shown) != without_what_a_run_decides(shown.replace("is", "was"))
