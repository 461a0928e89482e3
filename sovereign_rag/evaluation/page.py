"""A comparison -> one page that stands by itself: no script, nothing loaded, nothing from a run
taken for markup.
"""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sovereign_rag.evaluation.compare import ALL, Comparison
from sovereign_rag.evaluation.plots import intervals, questions, signed, verdict
from sovereign_rag.version import VERSION


def comparison_page(comparison: Comparison, *, least: float | None = None) -> str:
    """The HTML of a comparison.

    Args:
        comparison: What is shown.
        least: The least difference that was asked for; None: none was.

    Raises:
        BadInput: A least difference is asked for and a question has no partner.
    """
    deciding = comparison.deciding
    named = [(found.measure, found) for found in comparison.overall]
    languages = [(found.language, found) for found in comparison.by_language]
    return _template().render(
        c=comparison,
        deciding=deciding,
        tone=verdict(deciding),
        least=least,
        failed=least is not None and comparison.falls_below(least),
        measures_plot=intervals(named),
        languages_plot=intervals(languages) if languages else None,
        questions_plot=questions(
            (*comparison.regressions, *comparison.improvements), deciding.ties
        ),
        rows=(*comparison.overall, *comparison.by_language),
        all=ALL,
        version=VERSION,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["signed"] = signed
    environment.filters["verdict"] = verdict
    return environment.get_template("comparison.html")
