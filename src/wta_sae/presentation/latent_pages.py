"""Static HTML that shows what the latents of SAEs are: a page an SAE with all of it inside, and one that leads to them.

They need no server and no network; without scripts only sorting and filtering are missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from wta_sae.metrics.latent_examples import Window
from wta_sae.metrics.latent_view import MATCH_STRONGEST, QUANTILES, LatentView, SAEView
from wta_sae.text.token_texts import TokenTexts

FOLDER = "presentation/html"
SHADES = 10  # of a token, by its activation's share of the latent's largest


@dataclass(frozen=True)
class ShadedToken:
    """A token of a window: as it is shown, its activation, its shade from 0 to SHADES, whether the window is about it."""

    text: str
    act: float
    shade: int
    chosen: bool


def latent_pages(views: Mapping[str, SAEView], texts: TokenTexts, hook: str) -> dict[str, str]:
    """File name -> HTML: index.html, and NAME.html of each SAE. hook: where the SAEs read the language model."""
    environment = _environment(texts)
    shown = {name: {one.latent for one in view.views} for name, view in views.items()}
    common = {"saes": views, "shown": shown, "hook": hook}
    pages = {f"{name}.html": environment.get_template("sae.html.j2").render(name=name, **common) for name in views}
    return {"index.html": environment.get_template("index.html.j2").render(common)} | pages


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


def _environment(texts: TokenTexts) -> Environment:
    environment = Environment(
        loader=PackageLoader("wta_sae", FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shaded": lambda window, largest: shaded(window, largest, texts),
        "label": lambda token: texts.shown(token).replace(" ", "␣"),
        "words": lambda view: "\n".join(map(texts.text, searched_tokens(view))),
        "zip": zip,
    }
    environment.globals |= {"match_strongest": MATCH_STRONGEST, "quantiles": QUANTILES}
    folder = files("wta_sae") / FOLDER
    for name, file in {"style": "style.css", "script": "table.js"}.items():
        environment.globals[f"global_{name}"] = (folder / file).read_text(encoding="utf-8")
    return environment
