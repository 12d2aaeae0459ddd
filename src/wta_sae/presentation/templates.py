"""Text with values in it, from the templates beside the paper.

Jinja's signs are <<value>>, <% statement %> and <# comment #>, which neither LaTeX nor Markdown have. The filters and the
variable `sign` are the notation's: a template, and what it includes, prints the same value in LaTeX and in Markdown.
"""

import math
import re
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError

from wta_sae.base.errors import UserError
from wta_sae.presentation.notation import Notation

FILTERS = ("text", "code", "percent", "number", "shortest", "estimate", "rate", "rates", "listing")


def render(template: Path, notation: Notation, **values: Any) -> str:
    """The template with these values; what it includes lies beside it.

    Raises UserError, naming file and line, where it is absent or wrong, or asks for what is not there.
    """
    template = Path(template)
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        autoescape=False,  # the notation's filters do it
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {name: getattr(notation, name) for name in FILTERS} | {"line": line}
    environment.tests["measured"] = lambda value: not math.isnan(value)
    environment.globals["sign"] = notation
    try:
        return environment.get_template(template.name).render(values)
    except TemplateNotFound as error:
        raise UserError(f"{template.parent / str(error.name)}: no such file") from error
    except TemplateSyntaxError as error:
        raise UserError(f"{template.parent / (error.name or template.name)}: line {error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise UserError(f"{template}: {error.message or error}") from error


def line(text: str) -> str:
    """Text on one line, with single spaces."""
    return " ".join(text.split())


def filled(document: str, width: int = 120) -> str:
    """Markdown with its paragraphs and list items filled anew; tables and headings stay as they are."""
    return "\n\n".join(_filled(block, width) for block in re.split(r"\n{2,}", document.strip())) + "\n"


def _filled(block: str, width: int) -> str:
    if block.startswith(("|", "#")):
        return block
    items = [line(item) for item in re.split(r"\n(?=- )", block)]
    fill = partial(textwrap.fill, width=width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(fill(item, subsequent_indent="  " * item.startswith("- ")) for item in items)
