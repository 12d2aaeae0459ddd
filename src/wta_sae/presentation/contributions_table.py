r"""Table 2 of the paper, who contributed what: a complete LaTeX table, ready for \input."""

from typing import Any

from wta_sae.presentation.latex import escape, table_environment


def table2(contributions: dict[str, Any]) -> str:
    """Table 2: the published work's author contributions (`read_contributions`)."""
    body = [
        rf"\textbf{{{escape(person['name'])}}} & {escape(person['contributions'])} \\"
        for person in contributions["contributors"]
    ]
    return table_environment(
        caption=escape(contributions["caption"]),
        label="tab:contributions",
        columns=r"@{}lp{0.66\columnwidth}@{}",
        head=[r"Contributor & Contributions \\"],
        body=body,
        environment="table",
    )
