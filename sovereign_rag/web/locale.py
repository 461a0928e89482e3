"""Which language the page speaks to whoever asks for it."""

from typing import Final

from starlette.requests import Request

from sovereign_rag.domain import Language
from sovereign_rag.text.locale import DEFAULT, Locale, locale, speaks

COOKIE: Final = "srag_lang"


def locale_of(request: Request) -> Locale:
    """What somebody chose (`?lang=`, else the cookie), else what their browser asks for."""
    for choice in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if speaks(choice):
            return locale(choice)
    return locale(_accepted(request.headers.get("accept-language", "")))


def _accepted(header: str) -> Language:
    """The best of LANGUAGES in an Accept-Language header; the first named wins a tie."""
    best: Language = DEFAULT
    best_weight = 0.0
    for item in header.split(",")[:20]:
        tag, _, parameter = item.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if speaks(language) and weight > best_weight:
            best, best_weight = language, weight
    return best
