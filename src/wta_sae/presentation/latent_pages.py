"""Static HTML that shows what the latents of SAEs are: a page an SAE with all of it inside, and one that leads to them.

They need no server and no network; without scripts only sorting and filtering are missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch

from wta_sae.metrics.latent_examples import Window, spread_over_densities
from wta_sae.metrics.latent_view import MATCH_STRONGEST, QUANTILES, LatentView, SAEView
from wta_sae.presentation.html_templates import html_environment
from wta_sae.text.token_texts import TokenTexts

REPORT_BYTES = 1_500_000
"""In Snakemake's report a page is an address, in base64, and Chromium opens none of more than 2 MB."""
SHADES = 10  # of a token, by its activation's share of the latent's largest


@dataclass(frozen=True)
class ShadedToken:
    """A token of a window: as it is shown, its activation, its shade from 0 to SHADES, whether the window is about it."""

    text: str
    act: float
    shade: int
    chosen: bool


def latent_pages(views: Mapping[str, SAEView], texts: TokenTexts, hook: str) -> dict[str, str]:
    """File name -> HTML: index.html, NAME.html of each SAE, and report/NAME.html, which a report can show.

    hook: where the SAEs read the language model. Those for the report stand alone, with as many latents as REPORT_BYTES allow.
    """
    environment = html_environment(
        shaded=lambda window, largest: shaded(window, largest, texts),
        label=lambda token: texts.shown(token).replace(" ", "␣"),
        words=lambda view: "\n".join(map(texts.text, searched_tokens(view))),
        zip=zip,
    )
    environment.globals |= {"match_strongest": MATCH_STRONGEST, "quantiles": QUANTILES}
    of_sae = environment.get_template("sae.html.j2")
    shown = {name: _numbers(view) for name, view in views.items()}
    pages = {"index.html": environment.get_template("index.html.j2").render(saes=views, hook=hook)}
    for name, view in views.items():
        page_of = partial(of_sae.render, name=name, others=[other for other in views if other != name], hook=hook)
        pages[f"{name}.html"] = page_of(sae=view, shown=shown, alone=False)
        pages[f"report/{name}.html"] = _fitting(page_of, name, view)
    return pages


def _numbers(view: SAEView) -> set[int]:
    return {one.latent for one in view.views}


def _fitting(page_of: Callable[..., str], name: str, view: SAEView) -> str:
    """The page of as many of the latents as fit into REPORT_BYTES, evenly over their densities, but one at least."""
    while True:
        page, count = page_of(sae=view, shown={name: _numbers(view)}, alone=True), len(view.views)
        size = len(page.encode())
        if size <= REPORT_BYTES or count <= 1:
            return page
        density_K = torch.tensor([one.density for one in view.views])
        fewer = spread_over_densities(density_K, min(count - 1, max(1, count * REPORT_BYTES // size)))
        view = replace(view, views=[view.views[row] for row in fewer])


def shaded(window: Window, largest: float, texts: TokenTexts) -> list[ShadedToken]:
    """The window's tokens, shaded by their share of the latent's largest activation: the weakest that fires has a shade too."""
    return [
        ShadedToken(texts.shown(token), act, _shade(act, largest), place == window.position)
        for place, (token, act) in enumerate(zip(window.tokens, window.acts, strict=True))
    ]


def searched_tokens(view: LatentView) -> list[int]:
    """By which a latent is found: its favourites, and those that its strongest windows are about."""
    return list(dict.fromkeys([*view.favourites, *(window.tokens[window.position] for window in view.strongest)]))


def _shade(act: float, largest: float) -> int:
    return 0 if act <= 0 else max(1, round(SHADES * min(act / largest, 1.0)))
