"""Small dataset directories with the columns and files of SAEBench's labelled datasets, for the real loaders."""

import random
from pathlib import Path

import pandas as pd

TRAIN_SET_SIZE, TEST_SET_SIZE = 32, 16  # in SAEBench's words; a class has half of each
LANGUAGES = ["C", "Python", "HTML", "Java", "PHP", "Go"]


def write_datasets(folder):
    """Folder/NAME for each dataset, named as in workflow/presets/pythia-410m.yaml. Every text is another one."""
    generator = random.Random(0)
    two_labels(folder / "bias_in_bios", "hard_text", {"profession": range(28), "gender": (0, 1)}, generator)
    two_labels(folder / "amazon_reviews", "text", {"category": range(34), "rating": (1.0, 5.0)}, generator)
    for split, size in (("train", 200), ("test", 90)):
        rows = [{"text": f"news {split} {i}", "label": generator.randrange(4)} for i in range(size)]
        write(folder / "ag_news" / f"data/{split}-00000-of-00001.parquet", rows)
    code = [
        {"code": "x" * generator.randrange(900) + f" code {i}", "repo_name": "a/b", "language": generator.choice(LANGUAGES)}
        for i in range(600)
    ]
    write(folder / "github_code/all-all/partial-train/0000.parquet", code[:250])
    write(folder / "github_code/all-all/partial-train/0001.parquet", code[250:])
    configurations = ["en-fr", "fr-it", "de-en", "es-fr", "nl-pt"]
    for name in configurations:
        rows = [{"translation": {language: f"{language} {name} {i}" for language in name.split("-")}} for i in range(40)]
        write(folder / "europarl" / name / "train-00000-of-00001.parquet", rows)
    card = [f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {name}/train-*" for name in configurations]
    (folder / "europarl/README.md").write_text("\n".join(["---", "configs:", *card, "---", ""]))


def two_labels(folder, text, labels, generator):
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
        write(folder / f"data/{split}-00000-of-00002.parquet", rows[:half])
        write(folder / f"data/{split}-00001-of-00002.parquet", rows[half:])


def write(path: Path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)
