"""HTML pages that show what the latents of SAEs are: what they fire on, what they write, which are like them.

A page for each SAE, and index.html, which leads to them; they open from disk. Those in report/ hold what a report can show.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from torch import Tensor

from wta_sae.activations.text_cache import TextCache
from wta_sae.base.errors import UserError
from wta_sae.language_model.hook import Hook
from wta_sae.language_model.unembedding import direct_logits
from wta_sae.machine.files import replacing, write_text
from wta_sae.metrics.latent_activations import latent_activations
from wta_sae.metrics.latent_view import Looked, chosen_latents, sae_view
from wta_sae.metrics.pooling import BATCH_TEXTS, pool_texts
from wta_sae.presentation.latent_pages import latent_pages
from wta_sae.sae.compatibility import checked_differences, starts_with_bos
from wta_sae.sae.load import load_sae
from wta_sae.sae.sae import SAE
from wta_sae.sae.saelens_config import read_saelens_config
from wta_sae.stages.language_model_inputs import add_token_arguments, load_tokens_of
from wta_sae.stages.sae_inputs import add_mismatch_argument
from wta_sae.text.token_texts import TokenTexts


def add_arguments(parser: ArgumentParser) -> None:
    add_token_arguments(parser)
    parser.add_argument("--saes", type=Path, nargs="+", required=True, help="SAE directories, to be shown beside each other")
    add_mismatch_argument(parser)
    parser.add_argument("--contexts", type=int, default=1024, help="how many to look at, from the first on (default: 1024)")
    parser.add_argument(
        "--shown-latents", type=int, default=256, help="of each SAE, evenly over their densities (default: 256)"
    )
    parser.add_argument("--window-tokens", type=int, default=16, help="of a text around an activation (default: 16)")
    parser.add_argument(
        "--residual-folders",
        type=Path,
        nargs="+",
        default=[],
        help="of cache-texts, of classes (none: no activations by class)",
    )
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    lm, tokens_CL = load_tokens_of(arguments)
    tokens_CL = tokens_CL[: arguments.contexts]
    hook = lm.hook()
    contexts = tokens_CL.shape[1], starts_with_bos(lm.bos_id, tokens_CL)
    saes: dict[str, SAE] = {}
    for directory in arguments.saes:
        checked_differences(directory, read_saelens_config(directory).metadata, hook, *contexts, arguments.allow_mismatch)
        if directory.name in saes:
            raise UserError(f"--saes: two are called {directory.name!r}; give their folders different names")
        saes[directory.name] = load_sae(directory)
    on_device = {name: sae.to(lm.device) for name, sae in saes.items()}
    acts = latent_activations(lm, on_device, tokens_CL, arguments.batch_contexts)
    means = class_means(arguments.residual_folders, hook, on_device)
    looked = {name: Looked(sae, acts[name], means[name]) for name, sae in saes.items()}
    views = {}
    for name, sae in saes.items():
        latents = chosen_latents(looked[name], arguments.shown_latents)
        print(f"{name}: {len(latents)} of {len(sae.W_dec_FD):,} latents")
        logits_KV = direct_logits(lm, sae.W_dec_FD[latents])
        views[name] = sae_view(name, looked, latents, logits_KV, tokens_CL, arguments.window_tokens)
    with replacing(arguments.out) as folder:
        folder.mkdir()
        for name, page in latent_pages(views, TokenTexts(lm.tokenizer), f"{lm.source}, {lm.hook_name}").items():
            (folder / name).parent.mkdir(exist_ok=True)
            write_text(folder / name, page)


def class_means(folders: list[Path], hook: Hook, saes: dict[str, SAE]) -> dict[str, dict[str, dict[str, Tensor]]]:
    """SAE -> set of texts, by its folder's name -> class -> mean activation of each latent (F) on the class's test texts."""
    found: dict[str, dict[str, dict[str, Tensor]]] = {name: {} for name in saes}
    for folder in folders:
        cache = TextCache(folder, next(iter(saes.values())).W_dec_FD.device)
        if cache.description.hook != hook:
            raise UserError(f"{folder}: of another model or block than --lm and --layer; cache these texts anew")
        pooled = pool_texts(cache, saes, cache.description.groups["test"], BATCH_TEXTS)
        for name, codes_NF in pooled.codes.items():
            found[name][folder.name] = {group: codes_NF[pooled.rows(group)].mean(0).cpu() for group in pooled.sizes}
    return found
