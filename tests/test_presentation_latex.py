"""Numbers and text as LaTeX."""

import pytest

from wta_sae.presentation import latex


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.6789, 2, "0.68"),
        (-0.5, 1, r"\textminus{}0.5"),
        (-0.0004, 2, "0.00"),
        (None, 2, "---"),
        (float("nan"), 2, "---"),
        (-12345.6, 2, r"\textminus{}12{,}346"),
        (float("inf"), 1, r"\ensuremath{\infty}"),
    ],
)
def test_number(value, digits, text):
    assert latex.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-6, r"\ensuremath{10^{-6}}"),
        (5e-6, r"\ensuremath{5\times 10^{-6}}"),
        (1e-3, "0.001"),
        (0.0078125, "0.0078125"),
        (0.05, "0.05"),
        (1, "1"),
    ],
)
def test_rate(value, text):
    assert latex.rate(value) == text


def test_count_shortest_and_listing():
    assert latex.count(100000000) == "100{,}000{,}000"
    assert (latex.shortest(20.0, 1), latex.shortest(20.25, 1)) == ("20", "20.2")
    assert latex.listing(["a"]) == "a"
    assert latex.listing(["a", "b", "c"]) == "a, b and c"
    assert latex.listing([]) == "---"


def test_escape_makes_every_special_character_literal():
    assert latex.escape(r"batch_topk & 5% \ {x} #1 ~ ^ $") == (
        r"batch\_topk \& 5\% \textbackslash{} \{x\} \#1 \textasciitilde{} \textasciicircum{} \$"
    )
