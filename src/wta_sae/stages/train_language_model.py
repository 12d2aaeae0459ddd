"""Trains a small GPT-NeoX on tokenized text and writes it, with its tokenizer, as a transformers directory."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd
import torch

from wta_sae.language_model.pretraining import (
    LanguageModelOptions,
    held_out_loss,
    new_language_model,
    save_language_model,
    train_language_model,
)
from wta_sae.machine.devices import best_device, prepare_to_compute
from wta_sae.machine.files import replacing, write_json, write_text
from wta_sae.stages.options import add_options, add_threads, read_options
from wta_sae.text.token_files import read_tokens
from wta_sae.text.tokenizer import load_tokenizer

LOG_EVERY = 10


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--tokenizer", type=Path, required=True, help="transformers directory")
    parser.add_argument("--train-token-file", type=Path, required=True, help="safetensors of (contexts, length)")
    parser.add_argument("--evaluation-token-file", type=Path, required=True, help="the same, for the held-out loss")
    add_options(parser, LanguageModelOptions)
    parser.add_argument("--seed", type=int, required=True)
    add_threads(parser)
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    prepare_to_compute(arguments.seed, arguments.threads)
    options = read_options(arguments, LanguageModelOptions)
    tokenizer = load_tokenizer(arguments.tokenizer)
    train_CL, evaluation_CL = (
        read_tokens(path, tokenizer) for path in (arguments.train_token_file, arguments.evaluation_token_file)
    )
    model = new_language_model(options, tokenizer, train_CL.shape[1], arguments.seed)
    torch.nn.Module.to(model, best_device())
    curve = train_language_model(model, train_CL, options, arguments.seed, LOG_EVERY)
    loss = held_out_loss(model, evaluation_CL, options.batch_contexts)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    with replacing(arguments.out) as directory:
        save_language_model(directory, model, tokenizer)
        write_text(directory / "training.csv", pd.DataFrame(curve).to_csv(index=False))
        write_json(directory / "training.json", {"held_out_loss": loss, "parameters": parameters})
    print(f"held-out loss: {loss:.3f} nats a token, {parameters:,} parameters")
