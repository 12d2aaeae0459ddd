"""A language model of Pythia-410m's sizes with random weights and a small tokenizer: what takes its time, without a network.

python benchmarks/random_pythia.py DIRECTORY
"""

import argparse
from pathlib import Path

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from measuring import ROOT
from wta_sae.text.tokenizer_training import train_tokenizer

VOCABULARY = 2048  # of the tokenizer; the model has embeddings of as many tokens as Pythia


def pythia_410m() -> GPTNeoXConfig:
    """Its sizes, as EleutherAI/pythia-410m-deduped says them."""
    return GPTNeoXConfig(
        vocab_size=50304,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        max_position_embeddings=2048,
    )


def save_random_pythia(directory: Path) -> None:
    torch.manual_seed(0)
    GPTNeoXForCausalLM(pythia_410m()).save_pretrained(directory)
    train_tokenizer((file.read_text() for file in sorted((ROOT / "docs").glob("*.md"))), VOCABULARY, directory / "tokenizer")
    for file in (directory / "tokenizer").iterdir():
        file.replace(directory / file.name)
    (directory / "tokenizer").rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    save_random_pythia(parser.parse_args().directory)


if __name__ == "__main__":
    main()
