"""SAEBench's side of evaluation_speed.py: its own core evaluation, of a transformers model behind hooks.

Shape suffixes: B contexts, L positions, D model width, V vocabulary.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from sae_bench.custom_saes.topk_sae import TopKSAE
from sae_bench.evals.core.eval_config import CoreEvalConfig
from sae_bench.evals.core.main import run_evals
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from measuring import answer_calls, timed

made = SimpleNamespace()


class _Left(Exception):  # noqa: N818 (no error: how a forward pass ends early)
    pass


class HookedModel:
    """As much of a HookedTransformer as SAEBench's core evaluation calls, with nothing of its own to pay for."""

    def __init__(self, folder: str, layer: int) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
        self.block = self.model.gpt_neox.layers[layer]

    def __call__(self, tokens_BL: torch.Tensor, return_type: str, loss_per_token: bool) -> tuple[torch.Tensor, torch.Tensor]:
        logits_BLV = self.model(input_ids=tokens_BL, use_cache=False).logits
        log_probabilities_BLV = logits_BLV[:, :-1].log_softmax(-1)
        return logits_BLV, -log_probabilities_BLV.gather(-1, tokens_BL[:, 1:, None])[..., 0]

    def run_with_hooks(self, tokens_BL: torch.Tensor, fwd_hooks: list[tuple[str, Any]], **options: Any) -> Any:
        ((_, replace),) = fwd_hooks
        hook = self.block.register_forward_hook(lambda _block, _inputs, output: replace(output, hook=None))
        try:
            return self(tokens_BL, **options)
        finally:
            hook.remove()

    def run_with_cache(self, tokens_BL: torch.Tensor, names_filter: list[str], **_: Any) -> tuple[None, dict[str, Any]]:
        cache = {}

        def leave(_block: torch.nn.Module, _inputs: tuple, output: torch.Tensor) -> None:
            cache[names_filter[0]] = output
            raise _Left

        hook = self.block.register_forward_hook(leave)
        try:
            self.model(input_ids=tokens_BL, use_cache=False)
        except _Left:
            return None, cache
        finally:
            hook.remove()
        raise RuntimeError("the forward pass never came to the block")


class TokenStore:
    """As much of an ActivationsStore: the contexts from first to last, and again from the first when told."""

    def __init__(self, tokens_CL: torch.Tensor) -> None:
        self.tokens_CL, self.context_size, self.next = tokens_CL, tokens_CL.shape[1], 0

    def reset_input_dataset(self) -> None:
        self.next = 0

    def get_batch_tokens(self, count: int) -> torch.Tensor:
        self.next += count
        return self.tokens_CL[self.next - count : self.next]


def make(lm_folder: str, layer: int, tokens_file: str, saes: dict[str, tuple[str, int, bool]], batch_contexts: int) -> None:
    """saes: label -> weights, k, and whether it is read out by its threshold."""
    torch.set_num_threads(1)
    made.model, made.saes = HookedModel(lm_folder, layer), {}
    made.tokens_CL = torch.from_numpy(np.load(tokens_file).astype(np.int64))
    for label, (file, k, use_threshold) in saes.items():
        weights = load_file(file)
        width, latents = weights["W_enc"].shape
        sae = TopKSAE(width, latents, k, "", layer, torch.device("cpu"), torch.float32, use_threshold)
        sae.load_state_dict({name: weights.get(name, value) for name, value in sae.state_dict().items()})
        made.saes[label] = sae
    batches = len(made.tokens_CL) // batch_contexts
    made.config = CoreEvalConfig(
        model_name="",
        batch_size_prompts=batch_contexts,
        n_eval_reconstruction_batches=batches,
        n_eval_sparsity_variance_batches=batches,
        exclude_special_tokens_from_reconstruction=True,
        compute_kl=True,
        compute_ce_loss=True,
        compute_l2_norms=True,
        compute_sparsity_metrics=True,
        compute_variance_metrics=True,
        compute_featurewise_density_statistics=True,
    )


def evaluate(special_ids: list[int]) -> tuple[Any, dict[str, dict[str, float]]]:
    """Time, and each SAE's metrics."""
    found = {}

    def work() -> None:
        for label, sae in made.saes.items():
            groups, _ = run_evals(sae, TokenStore(made.tokens_CL), made.model, made.config, ignore_tokens=set(special_ids))
            found[label] = {name: value for group in groups.values() for name, value in group.items()}

    return timed(work), found


if __name__ == "__main__":
    answer_calls(make, evaluate)
