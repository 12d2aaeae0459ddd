"""dictionary_learning's side of test_jumprelu_peer.py, which runs `benchmarks/peers python tests/jumprelu_peer.py FOLDER`.

Reads the start and the batches from FOLDER/start.safetensors. Writes, to FOLDER/theirs.safetensors, the loss of each step and
the thresholds after the last, without their penalty, and the gradient of the thresholds on the first batch with it.
"""

import sys
from pathlib import Path

import torch
from dictionary_learning.trainers.jumprelu import JumpReluTrainer
from safetensors.torch import load_file, save_file


def trainer(start: dict[str, torch.Tensor], steps: int, penalty: float) -> JumpReluTrainer:
    latents, width = start["W_dec"].shape
    one = JumpReluTrainer(
        steps=steps,
        activation_dim=width,
        dict_size=latents,
        layer=0,
        lm_name="",
        lr=float(start["learning_rate"]),
        bandwidth=float(start["bandwidth"]),
        warmup_steps=int(start["warmup_steps"]),
        sparsity_penalty=penalty,
        sparsity_warmup_steps=None,
        target_l0=float(start["k"]),
    )
    with torch.no_grad():
        for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"):
            getattr(one.ae, name).copy_(start[name])
    return one


def main() -> None:
    torch.set_default_dtype(torch.float64)
    folder = Path(sys.argv[1])
    start = load_file(folder / "start.safetensors")
    batches = start["batches"]
    one, losses = trainer(start, len(batches), 0.0), []
    for step, x_BD in enumerate(batches):
        losses.append(one.update(step, x_BD))
        one.ae.b_dec.data.zero_()  # which they do not take from the encoder's input
    penalised = trainer(start, len(batches), 1.0)
    penalised.loss(batches[0], step=0).backward()
    found = {"losses": torch.tensor(losses), "threshold": one.ae.threshold.data, "gradient": penalised.ae.threshold.grad}
    save_file(found, folder / "theirs.safetensors")


if __name__ == "__main__":
    main()
