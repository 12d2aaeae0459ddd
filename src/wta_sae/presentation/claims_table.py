"""The paper's conclusions and what became of them, as a LaTeX and as a Markdown table."""

from wta_sae.presentation import latex, markdown
from wta_sae.presentation.claims import Claim

CAPTION = (
    "The paper's conclusions, decided on this run. WTA is read out by the rule that is named, the baselines by their own; at "
    "equal $L_0$ either each by its own kind of cut (one a latent for WTA, one for all latents for BatchTopK) or all by the "
    "$k$ largest of each token. A margin counts where it is more than twice the joint standard deviation over seeds; rates "
    "trained with one seed borrow the spread of those with several. Cannot be told: not measured, or no spread is known."
)


def table_claims(claims: list[Claim]) -> str:
    """A LaTeX table over both columns: each statement, then its readings."""
    body = []
    for claim in claims:
        body.append(rf"\addlinespace\multicolumn{{3}}{{@{{}}l}}{{{claim.statement} \textit{{({_place(claim)})}}}} \\")
        for finding in claim.findings:
            cells = [rf"\quad {finding.reading.label}", markdown.to_latex(finding.measured), finding.verdict]
            body.append(" & ".join(cells) + r" \\")
    head = [r"Read out & Measured & Verdict \\"]
    return latex.table_environment(caption=CAPTION, label="tab:claims", columns="@{}lll@{}", head=head, body=body)


def markdown_claims(claims: list[Claim]) -> str:
    """A Markdown table: each statement in the first row of its readings, verdicts in bold."""
    rows = [
        [
            f"{claim.statement} ({_place(claim)})" if first else "",
            finding.reading.label,
            finding.measured,
            f"**{finding.verdict}**",
        ]
        for claim in claims
        for first, finding in zip([True] + [False] * len(claim.findings), claim.findings, strict=False)
    ]
    return markdown.table(["the paper", "read out", "here", "verdict"], rows)


def _place(claim: Claim) -> str:
    return claim.section if claim.section.isalpha() else f"section {claim.section}"
