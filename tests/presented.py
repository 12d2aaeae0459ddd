"""What the presentation makes of a table of metrics, by the names of its files."""

from synthetic_metrics import CONFIG, MATCHED_RATE, METRICS, PROVENANCE, PUBLISHED, ROOT, TABLE_K, TABLE_RATE, run_of
from wta_sae.presentation import tables
from wta_sae.presentation.checksums import table_provenance
from wta_sae.presentation.notation import LATEX
from wta_sae.presentation.outlook_metrics import Outlook
from wta_sae.presentation.prose import numbers_tex, outlook_section, reproduction_report, table_claims, truth_section
from wta_sae.presentation.published import read_contributions
from wta_sae.presentation.run_metrics import RunMetrics
from wta_sae.presentation.templates import render

TABLES = (
    *("table1.tex", "table_matched.tex", "table_outlook.tex", "table_published.tex"),
    *("table_claims.tex", "table2.tex", "table_truth.tex", "table_provenance.tex"),
)


def presented(name, metrics=METRICS, config=CONFIG, provenance=PROVENANCE, rate=TABLE_RATE, contributions=None):
    template = ROOT / f"paper/templates/{name}.j2"
    match name:
        case "table1.tex" | "table_published.tex":
            table = getattr(tables, name.removesuffix(".tex"))
            return table(template, RunMetrics(metrics), PUBLISHED, rate, TABLE_K)
        case "table_matched.tex":
            return tables.table_matched(template, RunMetrics(metrics), MATCHED_RATE, TABLE_K)
        case "table2.tex":
            found = contributions or read_contributions(ROOT / "paper/contributions.yaml")
            return render(template, LATEX, contributions=found)
        case "table_claims.tex":
            return table_claims(template, run_of(metrics, config))
        case "table_truth.tex":
            return tables.table_truth(template, RunMetrics(metrics).synthetic)
        case "table_provenance.tex":
            return table_provenance(template, provenance)
        case "table_outlook.tex":
            return tables.table_outlook(template, Outlook(RunMetrics(metrics), MATCHED_RATE, TABLE_K))
        case "outlook.tex":
            return outlook_section(template, run_of(metrics, config))
        case "truth.tex":
            return truth_section(template, run_of(metrics, config))
        case "numbers.tex":
            return numbers_tex(template, run_of(metrics, config), provenance)
        case "reproduction.md":
            return reproduction_report(template, run_of(metrics, config))
