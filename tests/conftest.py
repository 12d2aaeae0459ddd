"""Small real things for the tests: a tiny language model of each family, its tokenizer, tokens; a whole tiny run."""

import os
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPTNeoXConfig, LlamaConfig, PretrainedConfig

from language_model_families import VOCABULARY, save_with_tokenizer
from workflow import TINY, new_checkout, snakemake
from wta_sae.language_model.model import load_language_model
from wta_sae.machine.devices import make_repeatable

SIZES = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0}
FAMILIES: dict[str, PretrainedConfig] = {
    "gpt_neox": GPTNeoXConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, max_position_embeddings=32, **SIZES
    ),
    "gpt2": GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=32, **SIZES),
    "llama": LlamaConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, max_position_embeddings=32, **SIZES
    ),
}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_environment():
    """Ends with a test what it leaves in the environment, as Snakemake does where it runs in this process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def repeatable():
    """torch as the workflow trains: deterministic kernels."""
    make_repeatable(0, threads=1)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session", params=FAMILIES)
def model_directory(request, tmp_path_factory):
    """A random model of one family, saved with a tokenizer of single letters and words."""
    directory = tmp_path_factory.mktemp(request.param)
    save_random_model(directory, FAMILIES[request.param])
    return directory


@pytest.fixture(scope="session")
def neox_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("neox")
    save_random_model(directory, FAMILIES["gpt_neox"])
    return directory


@pytest.fixture
def lm(neox_directory):
    return load_language_model(neox_directory, layer=1, device=torch.device("cpu"))


def save_random_model(directory, config):
    torch.manual_seed(0)
    save_with_tokenizer(AutoModelForCausalLM.from_config(config), directory)


@pytest.fixture
def tokens_CL():
    """Twelve contexts of 16 tokens, BOS first, another special token here and there."""
    tokens = torch.randint(2, VOCABULARY, (12, 16), generator=torch.Generator().manual_seed(1))
    tokens[:, 0] = 0
    tokens[3, 7] = 0
    return tokens


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A checkout in which the tiny run is complete."""
    checkout = new_checkout(tmp_path_factory.mktemp("check") / "with a space")  # a path that an unquoted variable would split
    process = snakemake(checkout, *TINY)
    assert process.returncode == 0, process.stdout + process.stderr
    return checkout


@pytest.fixture
def checkout(finished, tmp_path):
    """A copy of the finished one, to be disturbed; snakemake knows it by its contents and times."""
    shutil.copytree(finished, tmp_path / "a copy", symlinks=True)
    return tmp_path / "a copy"
