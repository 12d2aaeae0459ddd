"""Docstrings and code of packages, found without importing them."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from wta_sae.base.errors import UserError
from wta_sae.text.docstrings import docstring_passages, package_files, package_versions, passages_of_source
from wta_sae.text.documents import CODE, DOCSTRING, as_documents

SOURCE = '''\
"""The module."""
import os

class Box:
    """A box.

    It holds things.
    """

    @property
    def size(self):
        """How much fits."""
        return 3

    def empty(self):
        return {
            "form": "feed\x0cinside",
        }

if os.name:
    async def later(x):
        """Later."""

        def inner():
            """No document of its own."""
        return inner
else:
    def one_line(): "Doc."; return 1
'''


def test_each_definition_gives_its_docstring_and_its_code_without_it():
    assert list(passages_of_source(SOURCE)) == [
        (DOCSTRING, "The module."),
        (DOCSTRING, "A box.\n\nIt holds things."),
        (DOCSTRING, "How much fits."),
        (CODE, "def size(self):\n    return 3"),
        (CODE, 'def empty(self):\n    return {\n        "form": "feed\x0cinside",\n    }'),
        (DOCSTRING, "Later."),
        (CODE, 'async def later(x):\n\n    def inner():\n        """No document of its own."""\n    return inner'),
        (DOCSTRING, "Doc."),
        (CODE, ""),
    ]


def test_windows_line_ends_change_nothing():
    assert list(passages_of_source(SOURCE.replace("\n", "\r\n"))) == list(passages_of_source(SOURCE))


@pytest.mark.parametrize("source", ["def {{ name }}():", "x = 1\0", "(" * 5000])
def test_a_file_that_does_not_parse_gives_nothing(source):
    assert list(passages_of_source(source)) == []


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages and a single-file module; importing any of them fails."""

    def write(path, docstring):
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""{docstring}"""\nraise RuntimeError("imported")\n')

    write("alpha_pkg/__init__.py", "alpha")
    write("alpha_pkg/z.py", "alpha z")
    write("alpha_pkg/sub/a.py", "alpha sub a")
    write("alpha_pkg/tests/test_a.py", "a test")
    write("alpha_pkg/externals/other.py", "vendored")
    write("alpha_pkg/_version.py", "written at build time")
    write("beta_pkg/__init__.py", "beta")
    write("beta_pkg/copy.py", "alpha   z")
    write("gamma_module.py", "gamma")
    monkeypatch.syspath_prepend(tmp_path)
    return ["alpha_pkg", "beta_pkg", "gamma_module"]


@pytest.mark.parametrize("workers", [1, 2])
def test_packages_in_their_order_files_by_path(packages, workers):
    found = [(passage.package, passage.text) for passage in docstring_passages(packages, workers, minimum_characters=1)]
    assert found == [
        ("alpha_pkg", "alpha"),
        ("alpha_pkg", "alpha sub a"),
        ("alpha_pkg", "alpha z"),
        ("beta_pkg", "beta"),
        ("beta_pkg", "alpha   z"),
        ("gamma_module", "gamma"),
    ]


def test_a_text_in_two_packages_belongs_to_the_first(packages):
    documents = list(as_documents(docstring_passages(packages, minimum_characters=1), 0.5))
    assert [document.package for document in documents if document.text.split() == ["alpha", "z"]] == ["alpha_pkg"]


def test_short_docstrings_are_left_out(packages):
    assert [passage.text for passage in docstring_passages(packages, minimum_characters=6)] == [
        "alpha sub a", "alpha z", "alpha   z",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("no_such_package", "'no_such_package' is not an installed Python package"),
        ("scipy.stats", "'scipy.stats' is not an installed Python package"),
        ("_thread", "'_thread' has no Python source"),
    ],
)
def test_a_package_without_source_is_named_with_its_key(package, message):
    with pytest.raises(UserError, match=r"^text\.docstrings\.packages: " + message):
        list(docstring_passages([package]))


def test_versions_are_those_of_the_distributions():
    import sklearn

    assert package_versions(["sklearn", "no_such_package"]) == {"sklearn": sklearn.__version__, "no_such_package": "unknown"}


def test_networkx_gives_prose_and_code():
    passages = list(docstring_passages(["networkx"]))
    docstrings = [passage.text for passage in passages if passage.kind == DOCSTRING]
    code = [passage.text for passage in passages if passage.kind == CODE]
    assert len(docstrings) > 1000
    assert len(code) > 500
    assert min(map(len, docstrings + code)) >= 200
    assert any(text.startswith("Returns the PageRank of the nodes in the graph.") for text in docstrings)
    assert all(text.startswith(("def ", "async def ")) for text in code)
    assert not any("tests" in file.path.parts for file in package_files("networkx"))


def test_code_is_dedented():
    source = textwrap.indent("def f(x):\n    '''D.'''\n    return x", "        ")
    assert list(passages_of_source("class A:\n    class B:\n" + source))[-1] == (CODE, "def f(x):\n    return x")


def test_worker_processes_end_with_a_killed_parent():
    code = (
        "import multiprocessing\nfrom wta_sae.text.docstrings import docstring_passages\n"
        "passages = docstring_passages(['sympy', 'torch'], workers=2)\nnext(passages)\n"
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True)\ninput()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    parent = subprocess.Popen([sys.executable, "-c", code], **pipes)
    workers = parent.stdout.readline().decode().split()
    assert len(workers) == 2
    assert all(map(is_running, workers))
    parent.kill()
    parent.communicate()
    end = time.monotonic() + 20
    while any(map(is_running, workers)):
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(pid):
    try:
        return "State:\tZ" not in Path("/proc", pid, "status").read_text()
    except OSError:
        return False
