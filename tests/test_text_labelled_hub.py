"""The labelled sets of workflow/presets/pythia-410m.yaml, drawn by the stages from directories like the hub's datasets."""

import json
import shlex
import subprocess

import pandas as pd
import pytest
import yaml

from labelled_datasets import TEST_SET_SIZE, TRAIN_SET_SIZE, write_datasets
from workflow import ROOT
from wta_sae.__main__ import main
from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.plan.commands import flags
from wta_sae.plan.labelled_sets import HUB, class_sets, concept_pairs, drawn_datasets, fetch_options
from wta_sae.text.labelled_groups import set_groups
from wta_sae.text.labelled_rows import SPLIT, TEXT, read_rows, write_rows

SEED = 42
CHECKED = {"tokenizer": ROOT / "tests/data/golden/lm", "context_length": 32}  # with which every text has tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder/DATASET, and FOLDER/rows/DATASET.parquet as the stage fetched it, of every dataset of the preset."""
    folder = tmp_path_factory.mktemp("datasets")
    write_datasets(folder)
    for dataset in drawn_datasets(config(folder), HUB):
        assert fetch(folder, dataset) == 0
    return folder


def config(folder, preset="pythia-410m"):
    """The preset's, with directories for the hub's datasets and few texts."""
    config = yaml.safe_load((ROOT / f"workflow/presets/{preset}.yaml").read_text())
    labelled = config["labelled_texts"]
    labelled |= {"train_per_class": TRAIN_SET_SIZE // 2, "test_per_class": TEST_SET_SIZE // 2}
    labelled |= {"train_per_quadrant": TRAIN_SET_SIZE // 4, "test_per_quadrant": TEST_SET_SIZE // 4}
    for name, dataset in labelled["hub"]["datasets"].items():
        dataset["name"] = str(folder / name)
    return config


def fetch(folder, dataset, **changes):
    options = fetch_options(config(folder), dataset) | changes
    return main(["fetch-labelled-texts", *shlex.split(flags(options)), "--out", str(folder / f"rows/{dataset}.parquet")])


def drawn_set(folder, name):
    """The file that `label classes` writes for a set of the preset."""
    one = next(one for one in class_sets(config(folder)) if one.name == name)
    options = {"rows": folder / f"rows/{one.rows}.parquet", "label": one.label, "classes": one.classes, "seed": SEED} | CHECKED
    options |= {"train": TRAIN_SET_SIZE // 2, "test": TEST_SET_SIZE // 2, "out": folder / f"{name}.json"}
    options |= {"balanced_by": one.balanced_by} if one.balanced_by else {}
    assert main(["label", "classes", *shlex.split(flags(options))]) == 0
    return read_json(folder / f"{name}.json")


def drawn_pair(folder, pair):
    options = {key: getattr(pair, key) for key in ("concept", "concepts", "attribute", "attributes")}
    options |= {"rows": folder / f"rows/{pair.rows}.parquet", "out": folder / f"{pair.name}.json"}
    options |= {"train": TRAIN_SET_SIZE // 4, "test": TEST_SET_SIZE // 4} | CHECKED
    assert main(["label", "quadrants", *shlex.split(flags(options))]) == 0
    return read_json(folder / f"{pair.name}.json")


def sampled(frame, number):
    return frame.sample(number, random_state=SEED)["text"].tolist()


def frame_of(folder, dataset, split, text):
    files = sorted((folder / dataset / "data").glob(f"{split}-*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True).rename(columns={text: "text"})


@pytest.mark.parametrize(
    ("name", "dataset", "text", "label", "balanced_by"),
    [
        ("bias_in_bios_1", "bias_in_bios", "hard_text", "profession", "gender"),
        ("bias_in_bios_2", "bias_in_bios", "hard_text", "profession", "gender"),
        ("bias_in_bios_3", "bias_in_bios", "hard_text", "profession", "gender"),
        ("amazon_categories", "amazon_reviews", "text", "category", "rating"),
    ],
)
def test_two_labels_are_balanced(folder, name, dataset, text, label, balanced_by):
    texts = drawn_set(folder, name)
    for split, number in (("train", TRAIN_SET_SIZE), ("test", TEST_SET_SIZE)):
        frame = frame_of(folder, dataset, split, text)
        assert len(texts[split]) == 5
        for value, drawn in texts[split].items():
            groups = frame[frame[label] == int(value)].groupby(balanced_by)
            assert drawn == [text for _, group in groups for text in sampled(group, number // 4)]


@pytest.mark.parametrize(
    ("name", "dataset", "label"), [("amazon_ratings", "amazon_reviews", "rating"), ("ag_news", "ag_news", "label")]
)
def test_one_label_is_drawn_plainly(folder, name, dataset, label):
    texts = drawn_set(folder, name)
    for split, number in (("train", TRAIN_SET_SIZE), ("test", TEST_SET_SIZE)):
        frame = frame_of(folder, dataset, split, "text")
        for value, drawn in texts[split].items():
            assert drawn == sampled(frame[frame[label] == float(value)], number // 2)


def test_code_loses_its_licence_and_short_files(folder):
    texts = drawn_set(folder, "github_code")
    assert list(texts["train"]) == ["C", "Python", "HTML", "Java", "PHP"]
    code = pd.concat([pd.read_parquet(file) for file in sorted((folder / "github_code").rglob("*.parquet"))])
    assert code["code"].str.len().min() < 534
    kept = code[code["code"].str.len() > 534]
    for language, drawn in texts["train"].items():
        known = set(kept.loc[kept["language"] == language, "code"].str[150:])
        assert set(drawn) | set(texts["test"][language]) <= known
        assert len(set(drawn)) == TRAIN_SET_SIZE // 2
        assert not set(drawn) & set(texts["test"][language])
    rows = pd.read_parquet(folder / "rows/github_code.parquet")
    # No more than it takes until the rarest language has more than enough.
    assert rows["language"].value_counts().min() == (TRAIN_SET_SIZE + TEST_SET_SIZE) // 2 + 1
    assert len(rows) < kept["language"].isin(list(texts["train"])).sum()


def test_languages_come_from_their_pairs(folder):
    texts = drawn_set(folder, "europarl")
    pairs = {"en": "en-fr", "fr": "fr-it", "de": "de-en", "es": "es-fr", "nl": "nl-pt"}
    per_class = (TRAIN_SET_SIZE + TEST_SET_SIZE) // 2
    for language, pair in pairs.items():
        first = {f"{language} {pair} {i}" for i in range(per_class + 1)}
        both = texts["train"][language] + texts["test"][language]
        assert len(set(both)) == len(both) == per_class
        assert set(both) <= first


def test_pairs_have_the_first_rows_of_each_quadrant(folder):
    pair = concept_pairs(config(folder))[0]
    assert pair.name == "bias_in_bios-profession-21-13-gender-0-1"
    quadrants = drawn_pair(folder, pair)
    frame = frame_of(folder, "bias_in_bios", "train", "hard_text")
    meaning = {"pos_pos": (21, 0, 16), "pos_neg": (13, 0, 8), "neg_pos": (21, 1, 8), "neg_neg": (13, 1, 16)}
    for quadrant, (profession, gender, number) in meaning.items():
        group = frame[(frame["profession"] == profession) & (frame["gender"] == gender)]
        assert quadrants["train"][quadrant] == group["text"][:number].tolist()


def test_pairs_of_the_same_concepts_and_unlike_attributes_are_two(folder):
    own = config(folder)
    first = own["labelled_texts"]["hub"]["pairs"][0]
    own["labelled_texts"]["hub"]["pairs"] = [first, first | {"attributes": [1, 0]}, first | {"attribute": "a/b c"}]
    names = [pair.name for pair in concept_pairs(own)]
    assert names[1:] == ["bias_in_bios-profession-21-13-gender-1-0", "bias_in_bios-profession-21-13-a%2Fb%20c-0-1"]
    assert len(set(names)) == 3
    own["labelled_texts"]["hub"]["pairs"] = [first, first | {"concepts": ["21", "13"]}]  # the same by another spelling
    with pytest.raises(UserError, match=r"pairs\[1\]: is pairs\[0\] once more"):
        concept_pairs(own)


def test_a_set_names_its_source(folder):
    source = drawn_set(folder, "github_code")["source"]
    assert (source["name"], source["revision"]) == (str(folder / "github_code"), "refs/convert/parquet")
    assert source["longer_than"] == 534


@pytest.mark.slow
def test_the_sets_are_saebenchs_own(folder):
    command = [ROOT / "benchmarks/peers", "python", ROOT / "tests/saebench_texts_peer.py", folder]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    theirs = json.loads((folder / "saebench.json").read_text())
    ours = [drawn_set(folder, one.name) for one in class_sets(config(folder))]
    order = ["bias_in_bios_1", "bias_in_bios_2", "bias_in_bios_3", "amazon_categories", "amazon_ratings"]
    assert [one.name for one in class_sets(config(folder))] == [*order, "github_code", "ag_news", "europarl"]
    for texts, reference in zip(ours, theirs["sets"].values(), strict=True):
        assert [texts["train"], texts["test"]] == reference
    for pair, reference in zip(concept_pairs(config(folder)), theirs["pairs"], strict=True):
        drawn = set_groups(folder, drawn_pair(folder, pair), SEED)
        for split, groups in zip(("train", "test"), reference, strict=True):
            # In the same order: attribute, concept, biased; the positives first.
            assert list(drawn[split].values()) == list(groups.values())


@pytest.mark.parametrize(
    ("dataset", "changes", "message"),
    [
        (
            "ag_news",
            {"text": "body"},
            "labelled_texts.hub.datasets: {folder}/ag_news, row 1 has no column 'body'; it has: text,",
        ),
        (
            "ag_news",
            {"labels": ["topic"]},
            "labelled_texts.hub.datasets: {folder}/ag_news has no column 'topic'; it has",
        ),
        ("ag_news", {"text": "label"}, "labelled_texts.hub.datasets: {folder}/ag_news, row 1: 'label' holds int, not text"),
        ("ag_news", {"splits": ["train", "dev"]}, "text: {folder}/ag_news: cannot be read ("),
        ("europarl", {"languages": ["en=en-de"], "classes": ["en"]}, "text: {folder}/europarl: cannot be read ("),
        ("github_code", {"classes": ["Rust"]}, "labelled texts: no text of the classes asked for"),
    ],
)
def test_bad_options_give_one_clear_line_and_leave_nothing(folder, tmp_path, capsys, dataset, changes, message):
    options = fetch_options(config(folder), dataset) | changes
    assert main(["fetch-labelled-texts", *shlex.split(flags(options)), "--out", str(tmp_path / "x.parquet")]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("wta_sae")]
    assert len(lines) == 1
    assert lines[0].startswith("wta_sae fetch-labelled-texts: " + message.format(folder=folder))
    assert list(tmp_path.iterdir()) == []


def test_rows_are_read_as_they_were_written(tmp_path):
    rows = [{TEXT: f"text {i}", SPLIT: "train", "label": str(i % 2), "other": "x"} for i in range(4)]
    assert write_rows(tmp_path / "rows.parquet", rows, {"name": "somewhere"}) == 4
    read, source = read_rows(tmp_path / "rows.parquet", "label", "other")
    assert [tuple(row) for row in read] == [(f"text {i}", str(i % 2), "x", "train") for i in range(4)]
    assert source == {"name": "somewhere", "left_out": {}}
    assert {row.attribute for row in read_rows(tmp_path / "rows.parquet", "label")[0]} == {""}


def test_a_bad_file_of_rows_is_told(tmp_path):
    with pytest.raises(UserError, match=r"rows\.parquet: no such file"):
        read_rows(tmp_path / "rows.parquet", "label")
    write_rows(tmp_path / "rows.parquet", [{TEXT: "a", SPLIT: "train", "label": "0"}], {})
    with pytest.raises(UserError, match="has no column 'gender'; it has: :text, :split, label"):
        read_rows(tmp_path / "rows.parquet", "label", "gender")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"not a readable file of labelled rows; .* --forcerun"):
        read_rows(tmp_path / "rows.parquet", "label")
