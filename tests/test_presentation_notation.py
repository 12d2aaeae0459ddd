"""Values in LaTeX and in Markdown, and templates with values in them."""

import math

import pytest

from wta_sae.base.errors import UserError
from wta_sae.presentation.estimates import UNMEASURED, Estimate
from wta_sae.presentation.notation import LATEX, MARKDOWN
from wta_sae.presentation.templates import filled, render


@pytest.mark.parametrize(
    ("value", "digits", "latex", "markdown"),
    [
        (0.6789, 2, "0.68", "0.68"),
        (-0.5, 1, r"\textminus{}0.5", MARKDOWN.minus + "0.5"),
        (-0.0004, 2, "0.00", "0.00"),
        (math.nan, 2, "---", "—"),
        (-12345.6, 2, r"\textminus{}12{,}346", MARKDOWN.minus + "12,346"),
        (math.inf, 1, r"\ensuremath{\infty}", "∞"),
        (100_000_000, 0, "100{,}000{,}000", "100,000,000"),
    ],
)
def test_number(value, digits, latex, markdown):
    assert (LATEX.number(value, digits), MARKDOWN.number(value, digits)) == (latex, markdown)


@pytest.mark.parametrize(
    ("value", "latex", "markdown"),
    [
        (1e-6, r"\ensuremath{10^{-6}}", "1e-6"),
        (5e-6, r"\ensuremath{5\times 10^{-6}}", "5e-6"),
        (1e-3, "0.001", "0.001"),
        (0.0078125, "0.0078125", "0.0078125"),
        (0.05, "0.05", "0.05"),
        (1, "1", "1"),
    ],
)
def test_rate(value, latex, markdown):
    assert (LATEX.rate(value), MARKDOWN.rate(value)) == (latex, markdown)


def test_rates_spreads_shares_and_lists():
    assert MARKDOWN.rates([1e-6, 5e-6, 1e-5]) == "1e-6 to 1e-5"
    assert MARKDOWN.rates([0.05]) == "0.05" and LATEX.rates([]) == "---"
    assert MARKDOWN.estimate(Estimate(0.893, 0.0021, 3), 3) == "0.893 ± 0.002"
    assert LATEX.estimate(Estimate(0.893, 0.0021, 3), 3) == r"0.893 \ensuremath{\pm} 0.002"
    assert MARKDOWN.estimate(Estimate(0.893, math.nan, 1), 3) == "0.893"
    assert MARKDOWN.estimate(UNMEASURED, 3) == "—"
    assert (LATEX.percent(87.4), MARKDOWN.percent(87.4)) == (r"87\,\%", "87 %")
    assert (LATEX.shortest(20.0, 1), LATEX.shortest(20.25, 1)) == ("20", "20.2")
    assert (LATEX.listing(["a"]), LATEX.listing(["a", "b", "c"]), LATEX.listing([])) == ("a", "a, b and c", "---")


def test_text_and_code_stand_for_themselves():
    assert LATEX.text(r"batch_topk & 5% \ {x} #1 ~ ^ $") == (
        r"batch\_topk \& 5\% \textbackslash{} \{x\} \#1 \textasciitilde{} \textasciicircum{} \$"
    )
    assert (LATEX.code("a_b"), MARKDOWN.code("a_b")) == (r"\texttt{a\_b}", "`a_b`")


def test_a_template_prints_the_same_value_in_both_notations(tmp_path):
    (tmp_path / "shared.j2").write_text("<% macro of(x) %><< x | number(1) >> of << sign.theta >><% endmacro %>")
    template = tmp_path / "page.j2"
    template.write_text('<% from "shared.j2" import of with context %>\n<# a comment #>\n<< of(value) >>\n')
    assert render(template, MARKDOWN, value=-2) == f"{MARKDOWN.minus}2.0 of θ\n"
    assert render(template, LATEX, value=-2) == "\\textminus{}2.0 of \\ensuremath{\\theta}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n<< absent >>\n", r"page\.j2: 'absent' is undefined"),
        ("one\n<% if %>\n", r"page\.j2: line 2: "),
        ('<% include "other.j2" %>', r"other\.j2: no such file"),
        (None, r"page\.j2: no such file"),
    ],
)
def test_a_template_that_cannot_be_filled_is_one_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / "page.j2").write_text(text)
    with pytest.raises(UserError, match=message):
        render(tmp_path / "page.j2", LATEX)


def test_filled_fills_text_and_leaves_tables():
    text = "# A\n\none two\nthree\n\n\n\n- four five six\n  seven\n- eight\n\n| a |\n| --- |\n\n"
    assert filled(text, width=12) == "# A\n\none two\nthree\n\n- four five\n  six seven\n- eight\n\n| a |\n| --- |\n"
