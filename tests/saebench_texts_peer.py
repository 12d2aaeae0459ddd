"""SAEBench's side of test_text_labelled_hub.py, which runs `benchmarks/peers python tests/saebench_texts_peer.py FOLDER`.

Writes FOLDER/saebench.json: the texts that SAEBench 0.6.0 draws from the dataset directories in FOLDER. Only its way to the hub
is replaced: a dataset's name leads to a directory here.
"""

import json
import sys
from pathlib import Path

import datasets
from sae_bench.evals.scr_and_tpp import dataset_creation
from sae_bench.evals.scr_and_tpp.eval_config import ScrAndTppEvalConfig
from sae_bench.evals.scr_and_tpp.main import COLUMN2_VALS_LOOKUP
from sae_bench.evals.sparse_probing.eval_config import SparseProbingEvalConfig
from sae_bench.sae_bench_utils import dataset_info, dataset_utils

from labelled_datasets import TEST_SET_SIZE, TRAIN_SET_SIZE

DIRECTORIES = {
    "LabHC/bias_in_bios": "bias_in_bios",
    "canrager/amazon_reviews_mcauley_1and5": "amazon_reviews",
    "fancyzhx/ag_news": "ag_news",
    "codeparrot/github-code": "github_code",
    "Helsinki-NLP/europarl": "europarl",
}
SEED = SparseProbingEvalConfig().random_seed


def main(folder: Path) -> None:
    def load_dataset(name, configuration=None, split=None, streaming=False, trust_remote_code=False, languages=()):
        options = {"data_files": "all-all/partial-train/*.parquet"} if name == "codeparrot/github-code" else {}
        path = str(folder / DIRECTORIES[name])
        return datasets.load_dataset(path, configuration, split=split, streaming=streaming, **options)

    dataset_utils.load_dataset = dataset_creation.load_dataset = load_dataset
    sets = {}
    for name in SparseProbingEvalConfig().dataset_names:
        texts = dataset_utils.get_multi_label_train_test_data(name, TRAIN_SET_SIZE, TEST_SET_SIZE, SEED)
        classes = dataset_info.chosen_classes_per_dataset[name]
        sets[name] = [dataset_utils.filter_dataset(part, classes) for part in texts]
    config = ScrAndTppEvalConfig()
    pairs = [
        dataset_creation.get_train_test_data(
            name, True, TRAIN_SET_SIZE, TEST_SET_SIZE, config.random_seed, concepts, COLUMN2_VALS_LOOKUP[name]
        )
        for name in config.dataset_names
        for concepts in config.column1_vals_lookup[name]
    ]
    (folder / "saebench.json").write_text(json.dumps({"sets": sets, "pairs": pairs, "tpp": config.dataset_names}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
