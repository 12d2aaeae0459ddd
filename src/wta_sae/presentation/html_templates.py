"""HTML from the templates in `presentation/html`: each page is one file, with its style and script in it, to open from disk."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

FOLDER = "presentation/html"


def html_environment(**filters: Callable[..., Any]) -> Environment:
    """Whatever is put into a template is text, and escaped. filters: beside jinja's own."""
    environment = Environment(
        loader=PackageLoader("wta_sae", FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    folder = files("wta_sae") / FOLDER
    for name, file in {"style": "style.css", "script": "table.js"}.items():
        environment.globals[f"global_{name}"] = (folder / file).read_text(encoding="utf-8")
    return environment


def values_page(title: str, values: Any) -> str:
    """A page that shows what a JSON file holds, objects as tables within tables."""
    return html_environment().get_template("values.html.j2").render(title=title, values=values)
