"""Small latents for tests of their pages: two SAEs by hand, on text that is hard to show."""

from types import SimpleNamespace

import torch

from wta_sae.metrics.latent_activations import Gathering
from wta_sae.metrics.latent_view import Looked, chosen_latents, sae_view
from wta_sae.sae.sae import SAE
from wta_sae.text.token_texts import TokenTexts

PIECES = [
    *("<bos>", " the", "<script>window.harmed=1</script>", "\n", "\u202e", "שלום", "عربي", " a&b", '"x"', "'y'", "caf\ufffd"),
    *("</style><img src=x onerror=window.harmed=1>", "\t", "👩\u200d🔬", " "),
]
HARD = TokenTexts(
    SimpleNamespace(
        convert_ids_to_tokens=lambda token: f"piece{token}",
        decode=lambda tokens, **_: "".join(PIECES[token] for token in tokens),
    )
)
TOKENS_CL = torch.arange(1, 4 * 7 + 1).remainder(len(PIECES)).view(4, 7)


def hard_views():
    """Of SAEs with six latents, of which the last never fires, and all are shown."""
    looked = {}
    for seed, name in enumerate(("topk-k2", "wta-k1")):
        generator = torch.Generator().manual_seed(seed)
        acts_TF = torch.rand(28, 6, generator=generator) * (torch.rand(28, 6, generator=generator) < 0.4)
        acts_TF[:, 5] = 0
        directions_FD = torch.randn(6, 5, generator=generator)
        sae = SAE(directions_FD.T, torch.zeros(6), directions_FD, torch.zeros(5), "relu")
        gathering = Gathering()
        gathering.add(acts_TF)
        acts = gathering.by_latents(6, 28)
        looked[name] = Looked(sae, acts, {"topics": {"<b>sport</b>": acts_TF.mean(0), "world": acts_TF.mean(0) / 2}})
    views = {}
    for name, one in looked.items():
        latents = chosen_latents(one, 10)
        logits_KV = one.sae.W_dec_FD[latents] @ torch.randn(5, len(PIECES), generator=torch.Generator().manual_seed(2))
        views[name] = sae_view(name, looked, latents, logits_KV, TOKENS_CL, 5)
    return views
