"""The README and config.yaml keep what they promise."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONFIG = (ROOT / "config.yaml").read_text()


def test_every_link_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_path_in_the_layout_exists():
    layout = README[README.index("## Layout") :]
    paths = [path for path in re.findall(r"`([\w./]+)`", layout) if not path.startswith("results")]
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / "src/wta_sae" / path).exists()] == []


def test_no_placeholder_is_left():
    assert not re.search(r"@[A-Z0-9]+@", README)


def test_every_key_of_the_config_is_explained():
    """On its own line, or at the head of its section."""
    keys = [line for line in CONFIG.splitlines() if re.match(r" *[a-z_0-9]+: \S", line)]
    headed = ("packages:", "split:", "column:", "rates:", "context_length")
    bare = [line for line in keys if "#" not in line and not line.strip().startswith(headed)]
    assert bare == []
