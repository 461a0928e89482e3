"""Every part of the pages in every state, for who changes them: `/design`, in development only."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.domain import Answer, AnswerKind, Citation, QuoteVerdict, Statement, Verdict
from sovereign_rag.errors import NotFound
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.rendering import page
from sovereign_rag.web.views import answer_view

router = APIRouter(include_in_schema=False)

_LAST: Final = date(2026, 3, 31)
_NOW: Final = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)
_PLACE: Final = "00000000-0000-5000-8000-000000000000"
_QUOTES: Final = {
    "verified": (QuoteVerdict.VERIFIED, None, 3),
    "recognised": (QuoteVerdict.VERIFIED, 0.97, 1),
    "scan": (QuoteVerdict.SCAN, 0.83, 2),
    "unverified": (QuoteVerdict.UNVERIFIED, None, 4),
    "without a page": (QuoteVerdict.VERIFIED, None, None),
}


@router.get("/design")
def design_page(request: Request, service: CurrentService) -> Response:
    """Raises NotFound: the settings don't open it."""
    if not service.settings.server.design_page:
        raise NotFound("There is no such page.")
    return page(request, "design.html", principal=None, **_parts())


def _parts() -> dict[str, Any]:
    quotes = {name: _citation(n, *facts) for n, (name, facts) in enumerate(_QUOTES.items())}
    two = tuple(quotes.values())[:2]
    written = tuple(Statement(f"A statement that is {v}.", v, two) for v in Verdict)
    quoted = tuple(Statement(one.quote, Verdict.QUOTED, (one,)) for one in quotes.values())
    answers = (
        _answer(AnswerKind.GENERATED, written),
        _answer(AnswerKind.EXTRACTS, quoted),
        _answer(AnswerKind.NONE, ()),
    )
    return {
        "answers": [answer_view(one, anchor=f"answer-{n}") for n, one in enumerate(answers)],
        "days": [(_LAST - timedelta(days=n), (n * 7) % 11, n % 3) for n in range(30, -1, -1)],
        "moment_of": _NOW,
    }


def _citation(
    number: int, verdict: QuoteVerdict, confidence: float | None, on_page: int | None
) -> Citation:
    return Citation(
        quote=f"The {number + 1}. quote, as it stands in its document.",
        document_id=_PLACE,
        title="Rules of the house",
        uri="file:///rules.pdf",
        page=on_page,
        start=100 * number,
        end=100 * number + 40,
        boxes=(),
        verdict=verdict,
        ocr_confidence=confidence,
    )


def _answer(kind: AnswerKind, statements: tuple[Statement, ...]) -> Answer:
    return Answer(
        question="When is the door closed?",
        text=" ".join(one.text for one in statements) or "Nothing was found that answers this.",
        kind=kind,
        notice="Composed of quotes." if kind is AnswerKind.EXTRACTS else "",
        statements=statements,
        passages=(),
        language="en",
        model="model@1234" if kind is AnswerKind.GENERATED else None,
        prompt_version="1",
        index_version="chunks-1",
        timings_ms={"search": 20.0, "total": 1_840.0},
        usage={},
    )
