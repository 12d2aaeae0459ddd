"""Small dataset directories with the files, cards, columns and types of SAEBench's labelled datasets, for the real loaders."""

import random
from pathlib import Path

import yaml
from datasets import ClassLabel, Dataset, Features, Translation, Value

TRAIN_SET_SIZE, TEST_SET_SIZE = 32, 16  # in SAEBench's words; a class has half of each
LANGUAGES = ["C", "Python", "HTML", "Java", "PHP", "Go"]
EUROPARL_PAIRS = ["en-fr", "fr-it", "de-en", "es-fr", "nl-pt"]
TEXT, WHOLE, REAL = Value("string"), Value("int64"), Value("float64")


def write_datasets(folder):
    """Folder/NAME for each dataset, named as in workflow/presets/pythia-410m.yaml. Every text is another one."""
    generator = random.Random(0)
    bios = Features({"hard_text": TEXT, "profession": WHOLE, "gender": WHOLE})
    two_labels(folder / "bias_in_bios", bios, {"profession": range(28), "gender": (0, 1)}, generator)
    # Its splits are found by the names of its files; beside them there are pickles, and a split that nobody asks for.
    (folder / "bias_in_bios/bios_train.pkl").write_bytes(b"never read")
    write(folder / "bias_in_bios/data/dev-00000-of-00001.parquet", [{"hard_text": "x", "profession": 0, "gender": 1}], bios)
    write_card(folder / "bias_in_bios", {}, bios)

    reviews = Features({"rating": REAL, "text": TEXT, "category": WHOLE})
    two_labels(folder / "amazon_reviews", reviews, {"category": range(34), "rating": (1.0, 5.0)}, generator)
    write_card(folder / "amazon_reviews", {"default": ("data", "train", "test")}, reviews)

    news = Features({"text": TEXT, "label": ClassLabel(names=["World", "Sports", "Business", "Sci/Tech"])})
    for split, size in (("train", 200), ("test", 90)):
        rows = [{"text": f"news {split} {i}", "label": generator.randrange(4)} for i in range(size)]
        write(folder / "ag_news" / f"data/{split}-00000-of-00001.parquet", rows, news)
    write_card(folder / "ag_news", {"default": ("data", "train", "test")}, news)

    of_code = {"code": TEXT, "repo_name": TEXT, "path": TEXT, "language": TEXT, "license": TEXT, "size": Value("int32")}
    code = [
        {
            "code": "x" * generator.randrange(900) + f" code {i}",
            "repo_name": "a/b",
            "path": f"src/{i}",
            "language": generator.choice(LANGUAGES),
            "license": "mit",
            "size": i,
        }
        for i in range(600)
    ]
    write(folder / "github_code/all-all/partial-train/0000.parquet", code[:250], Features(of_code))
    write(folder / "github_code/all-all/partial-train/0001.parquet", code[250:], Features(of_code))

    for pair in EUROPARL_PAIRS:
        both = Features({"translation": Translation(languages=pair.split("-"))})
        rows = [{"translation": {language: f"{language} {pair} {i}" for language in pair.split("-")}} for i in range(40)]
        write(folder / "europarl" / pair / "train-00000-of-00001.parquet", rows, both)
    write_card(folder / "europarl", {pair: (pair, "train") for pair in EUROPARL_PAIRS})


def two_labels(folder, features, labels, generator):
    (text,) = [name for name, feature in features.items() if feature == TEXT]
    (first, second), (first_values, second_values) = labels, labels.values()
    for split, size in (("train", 2 * TRAIN_SET_SIZE // 4), ("test", 2 * TEST_SET_SIZE // 4)):
        rows = [
            {text: f"{folder.name} {split} {a} {b} {i}", first: a, second: b}
            for a in first_values
            for b in second_values
            for i in range(generator.randrange(size + 1, size + 9))
        ]
        generator.shuffle(rows)
        half = len(rows) // 2
        write(folder / f"data/{split}-00000-of-00002.parquet", rows[:half], features)
        write(folder / f"data/{split}-00001-of-00002.parquet", rows[half:], features)


def write(path: Path, rows, features=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_list(rows, features).to_parquet(path)


def write_card(folder, configurations, features=None):
    """README.md with the metadata that `datasets` reads; configurations: name -> (folder of its files, split, ...)."""
    card = {}
    if features is not None:
        card["dataset_info"] = {"features": features._to_yaml_list()}
    if configurations:
        card["configs"] = [
            {"config_name": name, "data_files": [{"split": split, "path": f"{files}/{split}-*"} for split in splits]}
            for name, (files, *splits) in configurations.items()
        ]
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card, sort_keys=False)}---\n")
