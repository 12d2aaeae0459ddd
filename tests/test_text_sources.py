"""The user's own files and dataset directories, read without network and without a trace."""

import bz2
import gzip
import json
import lzma
import os
import socket
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest
from datasets.packaged_modules.parquet.parquet import Parquet

from wta_sae.base.errors import UserError
from wta_sae.machine.hub import WAITS
from wta_sae.plan.own_files import COMPRESSIONS, matching_files
from wta_sae.text.documents import as_documents
from wta_sae.text.file_passages import file_passages
from wta_sae.text.hub_datasets import HubDataset, at_commit, hub_passages, hub_rows
from wta_sae.text.records import records


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("this test has no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def texts(passages):
    return [passage.text for passage in passages]


def write_jsonl(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def files(tmp_path):
    (tmp_path / "b.txt").write_text("One document.\n\nWith two paragraphs.\n")
    (tmp_path / "a.txt").write_text("Another.")
    write_jsonl(tmp_path / "rows.jsonl", [{"body": f"row {i}", "n": i} for i in range(3)] + [{"body": None, "n": 3}])
    pd.DataFrame({"body": ["x", "y"], "n": [1, 2]}).to_parquet(tmp_path / "rows.parquet")
    return tmp_path


ROWS = [{"body": 'für, \u2028 "alle"', "n": "1"}, {"body": "zwei\nZeilen", "n": "2"}]
CSV = 'body,n\n"für, \u2028 ""alle""",1\n"zwei\nZeilen",2\n'
ARRAY, LINES = json.dumps(ROWS), "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in ROWS)


@pytest.mark.parametrize(
    ("suffix", "content"), [(".csv", CSV), (".jsonl", LINES), (".json", ARRAY), (".json", LINES), (".jsonl", LINES + "\n")]
)
@pytest.mark.parametrize("compression", ["", *COMPRESSIONS])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path, suffix, content, compression, mark):
    path = tmp_path / f"rows{suffix}{compression}"
    path.write_bytes(compressed((mark + content).encode(), compression))
    assert [row for _, row in records(path, {"body": "key"})] == ROWS
    assert texts(file_passages([path], "body")) == [row["body"] for row in ROWS]


def compressed(content, compression):
    if compression == ".zst":
        return pa.compress(content, codec="zstd", asbytes=True)
    modules = {"": None, ".gz": gzip, ".bz2": bz2, ".xz": lzma}
    return modules[compression].compress(content) if compression else content


def test_text_and_parquet_files(files):
    (files / "marked.txt").write_bytes("\ufeffDrei\r\nvier".encode())
    assert texts(file_passages([files / "b.txt"])) == ["One document.\n\nWith two paragraphs.\n"]
    assert texts(file_passages([files / "marked.txt"])) == ["Drei\nvier"]
    assert texts(file_passages([files / "rows.jsonl"], "body")) == ["row 0", "row 1", "row 2", None]
    assert texts(file_passages([files / "rows.parquet"], "body")) == ["x", "y"]


def test_kinds_mix_and_a_text_file_needs_no_column(files):
    paths = [files / "rows.parquet", files / "*.txt"]
    assert texts(file_passages(paths, "body")) == ["x", "y", "Another.", "One document.\n\nWith two paragraphs.\n"]


def test_patterns_name_files_in_order_and_once(files):
    assert [path.name for path in matching_files([files / "b.txt", files / "*.txt"])] == ["b.txt", "a.txt"]
    odd = files / "odd[1].txt"
    odd.write_text("odd")
    assert matching_files([odd]) == [odd]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.txt", None, r"text\.files\.paths: .*missing\.txt: no such file"),
        ("*.md", None, r"text\.files\.paths: .*\*\.md: no such file"),
        ("note.doc", b"text", r"text\.files\.paths: .*note\.doc: cannot read \.doc; convert it to one of \.txt, \.jsonl"),
        ("odd {x}.txt", b"text", r"odd \{x\}\.txt: rename it without any of <>\{\}"),
        ("archive.zip", b"text", r"cannot read \.zip; convert it .* or unpack it"),
        ("rows.jsonl", None, r"text\.files\.column: .*rows\.jsonl, line 1 has no column 'text'; it has: body, n"),
        ("rows.parquet", None, r"text\.files\.column: .*rows\.parquet has no column 'text'; it has: body, n"),
        ("some.jsonl", b'{"text": "x"}\n\n{"body": "y"}', r"some\.jsonl, line 3 has no column 'text'; it has: body"),
        ("broken.jsonl", b'{"text": "fine"}\n{"text": ', r"broken\.jsonl, line 2: is not JSON \("),
        ("list.jsonl", b'["x"]', r"list\.jsonl, line 1: is list, not an object with columns"),
        ("list.json", b'[{"text": "x"}, "y"]', r"list\.json, row 2: is str, not an object with columns"),
        ("broken.json", b'[{"text": "x"},', r"broken\.json, the array: is not JSON \("),
        ("short.csv", b"text,n\nx,1\ny\n", r"short\.csv, line 3: has more or fewer fields than the header's 2"),
        ("long.csv", b"text,n\nx,1,2\n", r"long\.csv, line 2: has more or fewer fields than the header's 2"),
        ("open.csv", b'text\n"x\n', r"open\.csv, after line 1: unexpected end of data"),
        ("broken.parquet", b"PAR1", r"broken\.parquet: cannot be read"),
        ("cut.txt.gz", gzip.compress(b"text", mtime=0)[:-4], r"cut\.txt\.gz: cannot be read"),
        ("no.txt.xz", b"text", r"no\.txt\.xz: cannot be read"),
        ("latin1.txt", "für".encode("latin-1"), r"latin1\.txt: is not UTF-8 \(.*\); save it as UTF-8, for example: iconv"),
        ("utf16.csv", "text\nx".encode("utf-16"), r"utf16\.csv: is not UTF-8 \(.*\); save it as UTF-8"),
    ],
)
def test_bad_files_give_one_clear_line(files, name, content, message):
    if content is not None:
        (files / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        list(file_passages([files / name]))
    assert "\n" not in str(caught.value)


def test_values_that_are_not_text_are_refused(files):
    with pytest.raises(UserError, match=r"rows\.jsonl, line 1: 'n' holds int, not text; the columns are: body, n"):
        list(file_passages([files / "rows.jsonl"], "n"))


@pytest.mark.parametrize("name", ["empty.txt", "empty.jsonl", "empty.json", "empty.csv"])
def test_an_empty_file_gives_no_document(files, name):
    (files / name).write_text("")
    assert list(as_documents(file_passages([files / name]), 0.5)) == []


@pytest.fixture
def dataset(tmp_path):
    """A dataset directory of Parquet files, two of them for training."""
    directory = tmp_path / "dataset"
    directory.mkdir()
    for name, numbers in {"train-00000-of-00002": (0, 1), "train-00001-of-00002": (2, 3), "test-00000-of-00001": (4,)}.items():
        frame = pd.DataFrame({"text": [f"text {i}" for i in numbers], "id": numbers})
        frame.to_parquet(directory / f"{name}.parquet")
    return directory


def test_a_dataset_directory_works_as_a_name(dataset):
    assert texts(hub_passages(HubDataset(str(dataset)))) == ["text 0", "text 1", "text 2", "text 3"]
    assert texts(hub_passages(HubDataset(str(dataset), split="test"))) == ["text 4"]
    assert texts(hub_passages(HubDataset(str(dataset), data_files=("train-00001-*.parquet",)))) == ["text 2", "text 3"]
    files = ("train-00001-of-00002.parquet", "test-00000-of-00001.parquet")
    assert texts(hub_passages(HubDataset(str(dataset), data_files=files))) == ["text 2", "text 3", "text 4"]


def test_compressed_lines_are_read(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    lines = "\n".join(json.dumps({"text": f"text {i}", "meta": {"pile_set_name": "x"}}) for i in range(3))
    (tmp_path / "train").mkdir()
    (tmp_path / "train/00.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))
    assert texts(hub_passages(HubDataset(str(tmp_path)))) == ["text 0", "text 1", "text 2"]


@pytest.mark.parametrize(
    ("options", "column", "message"),
    [
        ({"split": "validation"}, "text", r"cannot be read \(.*validation"),
        ({"configuration": "german"}, "text", r"cannot be read \(.*german"),
        ({}, "body", r"text\.hub\.column: .*dataset, row 1 has no column 'body'; it has: text, id"),
        ({}, "id", r"text\.hub\.column: .*'id' holds int, not text"),
        ({"data_files": ("missing.parquet",)}, "text", r"cannot be read \(.*missing\.parquet"),
    ],
)
def test_bad_dataset_options_give_one_clear_line(dataset, options, column, message):
    with pytest.raises(UserError, match=message) as caught:
        list(hub_passages(HubDataset(str(dataset), **options), column))
    assert "\n" not in str(caught.value)


def test_a_dataset_with_a_script_of_its_own_does_not_run_it(tmp_path):
    (tmp_path / "scripted").mkdir()
    (tmp_path / "scripted" / "scripted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UserError, match="cannot be read"):
        list(hub_passages(HubDataset(str(tmp_path / "scripted"))))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("tables_before", [0, 1, 2, 3, 5])
def test_a_stream_goes_on_where_the_connection_was_lost(tmp_path, monkeypatch, tables_before):
    """The error stands in for the network's; reading, and going on, are the library's own."""
    for name, numbers in {"train-00000-of-00002": (0, 1, 2), "train-00001-of-00002": (3, 4, 5)}.items():
        pd.DataFrame({"id": numbers}).to_parquet(tmp_path / f"{name}.parquet", row_group_size=1)
    waits, tables, generate = [], [], Parquet._generate_tables

    def losing(*arguments, **options):
        for table in generate(*arguments, **options):
            if len(tables) == tables_before and not waits:
                raise ConnectionError("Server Disconnected")
            tables.append(table)
            yield table

    monkeypatch.setattr(Parquet, "_generate_tables", losing)
    monkeypatch.setattr("time.sleep", waits.append)
    assert [row["id"] for row in hub_rows(HubDataset(str(tmp_path)))] == [0, 1, 2, 3, 4, 5]
    assert waits == [1]


def test_a_connection_that_stays_lost_ends_in_one_line(dataset, monkeypatch):
    def lost(*_arguments, **_options):
        raise ConnectionError("Server Disconnected")
        yield

    waits = []
    monkeypatch.setattr(Parquet, "_generate_tables", lost)
    monkeypatch.setattr("time.sleep", waits.append)
    with pytest.raises(UserError, match=r"text: .*: cannot be read \(Server Disconnected\)"):
        list(hub_rows(HubDataset(str(dataset))))
    assert waits == list(WAITS)


def test_a_dataset_out_of_reach_says_what_to_do_instead(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.chdir(tmp_path)
    expected = (
        r"Skylion007/openwebtext at revision main could not be fetched from the hub \(.*\); where there is a network, make "
        r"results/x/text/hub.parquet by the same command and place it here, or set text.hub.name to a folder with the "
        r"dataset's files"
    )
    with pytest.raises(UserError, match=expected):
        at_commit(HubDataset("Skylion007/openwebtext"), tmp_path / "results/x/text/hub.parquet", "text.hub.name")
    assert waits == list(WAITS)


def test_a_directory_has_no_commit_and_needs_no_network(dataset):
    assert at_commit(HubDataset(str(dataset)), dataset, "text.hub.name") == HubDataset(str(dataset))


PROGRAM = """
import sys
from wta_sae.text.documents import as_documents
from wta_sae.text.hub_datasets import HubDataset, hub_passages
from wta_sae.text.file_passages import file_passages
assert len(list(as_documents(file_passages(sys.argv[1:3], "body"), 0.5))) == 5
assert len(list(as_documents(hub_passages(HubDataset(sys.argv[3])), 0.5, characters=10))) == 2
"""


def test_nothing_is_written_to_the_home_directory(files, dataset, tmp_path):
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
    subprocess.run(
        [sys.executable, "-c", PROGRAM, files / "rows.jsonl", files / "rows.parquet", dataset],
        env=environment | {"HOME": str(home), "TMPDIR": str(scratch)},
        check=True,
    )
    assert list(home.iterdir()) == []
    assert list(scratch.iterdir()) == []
