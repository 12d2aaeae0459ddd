"""Labelled texts of the user's own files: what is read, left out and refused, and what their labels are called."""

import json
import shlex
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from wta_sae.__main__ import main
from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.plan.commands import flags
from wta_sae.plan.config import check_config
from wta_sae.plan.labelled_sets import FILES, class_sets, concept_pairs, drawn_datasets, file_name, file_options, labelled_files
from wta_sae.text.labelled_files import file_rows
from wta_sae.text.labelled_rows import SPLIT, TEXT, read_rows

ROOT = Path(__file__).parents[1]
ROWS = [
    {"body": f"{topic} {outlet} number {i}", "topic": topic, "split": outlet}
    for topic in ("Sci/Tech", "Größe & Maß")
    for outlet in ("daily $x", "weekly_{%}")
    for i in range(60)
]


@pytest.fixture
def labels(tmp_path):
    """The same rows as .jsonl, .csv and .parquet."""
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in ROWS)
    (tmp_path / "news.jsonl").write_text(lines, encoding="utf-8")
    pd.DataFrame(ROWS).to_csv(tmp_path / "news.csv", index=False)
    pd.DataFrame(ROWS).to_parquet(tmp_path / "news.parquet")
    return tmp_path


def config(folder, **changes):
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    default["labelled_texts"] |= {
        "source": "files",
        "train_per_class": 20,
        "test_per_class": 10,
        "files": {
            "datasets": {"news": {"paths": [f"{folder}/news.jsonl"], "text": "body"}},
            "sets": {"topics": {"dataset": "news", "label": "topic", "classes": ["Sci/Tech", "Größe & Maß"]}},
            "pairs": [
                {
                    "dataset": "news",
                    "concept": "topic",
                    "concepts": ["Sci/Tech", "Größe & Maß"],
                    "attribute": "split",
                    "attributes": ["daily $x", "weekly_{%}"],
                }
            ],
        }
        | changes,
    }
    return default


def rows_of(path):
    left_out = Counter()
    rows = list(file_rows([str(path)], "body", ["topic", "split"], 7, left_out))
    return rows, left_out


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_every_row_is_kept_with_its_labels_in_a_seeded_order(labels, kind):
    rows, left_out = rows_of(labels / f"news.{kind}")
    assert sorted((row[TEXT], row["topic"], row["split"]) for row in rows) == sorted(tuple(row.values()) for row in ROWS)
    assert [row[TEXT] for row in rows] != [row["body"] for row in ROWS]
    assert rows == rows_of(labels / "news.jsonl")[0]
    assert [row[SPLIT] for row in rows].count("test") == pytest.approx(0.3 * len(ROWS), abs=25)
    assert left_out == {}


def test_what_is_left_out_is_counted(labels):
    odd = [
        {"body": None, "topic": "a", "split": "b"},
        {"body": " ", "topic": "a", "split": "b"},
        {"body": "x", "topic": None, "split": "b"},
        {"body": "x", "topic": "a", "split": ""},
        {"body": "x", "topic": 1, "split": 0.5},
        {"body": "x\n", "topic": "other", "split": "b"},
    ]
    (labels / "odd.jsonl").write_text("\n".join(map(json.dumps, odd)))
    rows, left_out = rows_of(labels / "odd.jsonl")
    assert [(row[TEXT], row["topic"], row["split"]) for row in rows] == [("x", "1", "0.5")]
    assert left_out == {"null": 1, "empty": 1, "unlabelled": 2, "duplicate": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"body": "x", "topic": "a"}', r"labelled_texts\.files\.sets: .*bad\.jsonl, line 1 has no column 'split'; it has"),
        ('{"text": "x", "topic": "a", "split": "b"}', r"labelled_texts\.files\.datasets\.text: .* has no column 'body'"),
        ('{"body": 3, "topic": "a", "split": "b"}', r"bad\.jsonl, line 1: 'body' holds int, not text"),
        (
            '{"body": "x", "topic": ["a"], "split": "b"}',
            r"bad\.jsonl, line 1: the label 'topic' holds list; .* a text or a number",
        ),
    ],
)
def test_bad_rows_are_told(labels, content, message):
    (labels / "bad.jsonl").write_text(content)
    with pytest.raises(UserError, match=message):
        rows_of(labels / "bad.jsonl")


def test_the_stages_draw_sets_and_pairs_of_any_names(labels, capsys):
    own = config(labels)
    check_config(own, ROOT / "workflow/schemas/config.schema.yaml")
    assert drawn_datasets(own, FILES) == ["news"]
    assert labelled_files(own, "news") == [f"{labels}/news.jsonl"]
    stage("label files", {**file_options(own, "news"), "seed": 1, "out": labels / "rows.parquet"})
    assert capsys.readouterr().out == "240 labelled texts; left out: nothing\n"
    description = read_rows(labels / "rows.parquet", "topic")[1]
    assert (description["paths"], description["left_out"]) == ([f"{labels}/news.jsonl"], {})
    (one,), (pair,) = class_sets(own), concept_pairs(own)
    assert one.tpp
    assert pair.name == ("news-topic-Sci%2FTech-Gr%C3%B6%C3%9Fe%20%26%20Ma%C3%9F-split-daily%20%24x-weekly_%7B%25%7D")
    rows = {"rows": labels / "rows.parquet", "tokenizer": ROOT / "tests/data/golden/lm", "context_length": 32}
    drawn = {"label": one.label, "classes": one.classes, "train": 20, "test": 10, "seed": 1, "out": labels / "set.json"}
    stage("label classes", rows | drawn)
    texts = read_json(labels / "set.json")
    assert {label: len(found) for label, found in texts["train"].items()} == {"Sci/Tech": 20, "Größe & Maß": 20}
    assert all(text.startswith(label) for label, found in texts["test"].items() for text in found)
    quadrants = {key: getattr(pair, key) for key in ("concept", "concepts", "attribute", "attributes")}
    stage("label quadrants", rows | quadrants | {"train": 10, "test": 5, "out": labels / "pair.json"})
    assert all(text.startswith("Sci/Tech weekly_{%}") for text in read_json(labels / "pair.json")["train"]["neg_pos"])


def stage(name, options):
    assert main([*name.split(), *shlex.split(flags(options))]) == 0


def test_a_text_without_tokens_is_found_before_anything_is_trained(labels, capsys):
    (labels / "news.jsonl").write_text("\n".join(json.dumps(row | {"body": row["body"] + "."}) for row in ROWS))
    stage("label files", {**file_options(config(labels), "news"), "seed": 1, "out": labels / "rows.parquet"})
    options = {"rows": labels / "rows.parquet", "label": "topic", "classes": ["Sci/Tech", "Größe & Maß"], "seed": 1}
    options |= {"train": 20, "test": 10, "tokenizer": labels / "letters", "context_length": 32, "out": labels / "set.json"}
    save_digits(labels / "letters")
    assert main(["label", "classes", *shlex.split(flags(options))]) == 1
    assert "has no token of this tokenizer but special ones in its first 31; leave" in capsys.readouterr().err
    assert not (labels / "set.json").exists()


def save_digits(directory):
    """A tokenizer to which all that is no digit is unknown."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0} | {str(i): i + 1 for i in range(10)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>").save_pretrained(directory)


def test_without_pairs_there_is_no_scr(labels):
    own = config(labels)
    del own["labelled_texts"]["files"]["pairs"]
    check_config(own, ROOT / "workflow/schemas/config.schema.yaml")
    assert concept_pairs(own) == []


@pytest.mark.parametrize("label", ["", "a\nb", "-x", "--classes"])
def test_a_label_that_no_command_can_take_is_refused(labels, label):
    own = config(labels, sets={"topics": {"dataset": "news", "label": "topic", "classes": ["a", label]}})
    with pytest.raises(UserError, match=r"classes\[1\]: .* will not do: a label is not empty, has no line break, and no dash"):
        check_config(own, ROOT / "workflow/schemas/config.schema.yaml")


@pytest.mark.parametrize("label", ["-1", -1, 0.5, " ", "Sci/Tech", "日本", "{x}", "'\"", "a-b"])
def test_other_labels_are_accepted(labels, label):
    own = config(labels, sets={"topics": {"dataset": "news", "label": "topic", "classes": ["a", label]}})
    check_config(own, ROOT / "workflow/schemas/config.schema.yaml")


def test_a_text_file_has_no_labels(labels):
    (labels / "news.txt").write_text("x")
    own = config(labels, datasets={"news": {"paths": [f"{labels}/news.txt"], "text": "body"}})
    with pytest.raises(UserError, match=r"labelled_texts\.files\.datasets\.news\.paths: .*cannot read \.txt; convert it"):
        labelled_files(own, "news")


def test_unlike_labels_have_unlike_file_names():
    parts = [("a b",), ("a_b",), ("a/b",), ("a", "b"), ("a-b",), ("A-b",), ("a%20b",), ("ä",), ("x" * 300,), ("x" * 301,)]
    names = [file_name(*part) for part in parts]
    assert len(set(names)) == len(parts)
    assert max(map(len, names)) <= 117
    assert all(set("/ {}*?") & set(name) == set() for name in names)
