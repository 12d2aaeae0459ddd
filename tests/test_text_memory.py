"""Text of any length is collected and tokenized in the same memory."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow import ROOT, by_hand
from wta_sae.base.spent import read_spent
from wta_sae.text.tokenizer_training import train_tokenizer

pytestmark = pytest.mark.slow

MILLION = 10**6
CHARACTERS_OF_A_DOCUMENT, CHARACTERS_OF_A_FILE = 5000, 10 * MILLION
SPREAD = 1.1  # what two runs of one job may differ by


@pytest.fixture(scope="module")
def words():
    drawn = random.Random(0)
    return ["".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(2, 9))) for _ in range(3000)]


def write_dataset(folder, words, characters):
    """A dataset directory of Parquet files of one size, as the hub's are: their reader has up to one file in memory."""
    folder.mkdir()
    drawn = random.Random(1)
    for number in range(characters // CHARACTERS_OF_A_FILE):
        count = CHARACTERS_OF_A_FILE // CHARACTERS_OF_A_DOCUMENT
        texts = [" ".join(drawn.choices(words, k=CHARACTERS_OF_A_DOCUMENT // 6)) for _ in range(count)]
        pq.write_table(pa.table({"text": texts}), folder / f"train-{number:05d}.parquet", row_group_size=1000)


def megabytes(*command):
    process = by_hand(ROOT, "python", "-m", "wta_sae", *map(str, command), WTA_SAE_TERMINAL="2", HF_HUB_OFFLINE="1")
    assert process.returncode == 0, process.stderr
    return read_spent(process.stderr).megabytes


def test_twice_the_text_takes_the_same_memory(tmp_path, words):
    train_tokenizer([" ".join(words)], 1024, tmp_path / "tokenizer")
    peaks = {"collect-text": [], "train-tokenizer": [], "tokenize": []}
    for millions in (60, 120):
        dataset, documents = tmp_path / f"{millions}", tmp_path / f"{millions}.parquet"
        write_dataset(dataset, words, millions * MILLION)
        collecting = ("--name", dataset, "--revision", "main", "--characters", 10**12, "--evaluation-share", 0.05)
        peaks["collect-text"].append(megabytes("collect-text", "hub", *collecting, "--out", documents))
        training = ("--documents", documents, "--vocabulary", 1024, "--out", tmp_path / f"tokenizer-{millions}")
        peaks["train-tokenizer"].append(megabytes("train-tokenizer", *training))
        packing = ("--packing", "concatenated", "--prepend-bos", "--contexts", 2000, "--context-length", 128, "--seed", 0)
        tokenizing = ("--documents", documents, "--split", "train", "--tokenizer", tmp_path / "tokenizer", *packing)
        peaks["tokenize"].append(megabytes("tokenize", *tokenizing, "--out", tmp_path / f"{millions}.safetensors"))
    assert {name: twice / once < SPREAD for name, (once, twice) in peaks.items()} == dict.fromkeys(peaks, True), peaks
