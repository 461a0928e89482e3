"""Templates into responses, in the reader's language."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sovereign_rag.access import Principal
from sovereign_rag.domain import LANGUAGES
from sovereign_rag.http.sources import page_url, public_url
from sovereign_rag.roles import Scope
from sovereign_rag.services.container import Service
from sovereign_rag.settings import HouseSettings
from sovereign_rag.text.excerpt import excerpt
from sovereign_rag.text.locale import locale
from sovereign_rag.text.readable import readable
from sovereign_rag.version import VERSION
from sovereign_rag.web import views
from sovereign_rag.web.front_door import front_door
from sovereign_rag.web.house import colours_key
from sovereign_rag.web.locale import COOKIE, locale_of

_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"
_YEAR_S = 365 * 24 * 3600


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        excerpt=excerpt,
        version=VERSION,
        languages=[(language, locale(language)("language.name")) for language in LANGUAGES],
        page_url=page_url,
        front_door=front_door,
        image_url=views.image_url,
        thumbnail_url=views.thumbnail_url,
        pages_around=views.pages_around,
        passage_url=views.passage_url,
        type_name=views.type_name,
        leads_with_name=views.leads_with_name,
    )
    environment.filters["code"] = _code
    environment.filters["readable"] = readable
    return environment


def _code(text: str) -> Markup:
    """What stands between backticks as <code>, all of it escaped."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part
        for index, part in enumerate(parts)
    )


def fragment(request: Request, template: str, **context: Any) -> str:
    """A piece of HTML; everything put in is escaped."""
    app = request.scope.get("app")
    base = "" if app is None else public_url(app.state.service.settings.server, request)
    return _templates().get_template(template).render(t=locale_of(request), base=base, **context)


def page(
    request: Request,
    template: str,
    *,
    principal: Principal | None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A whole page; a language chosen by `?lang=` is kept in a cookie."""
    t = locale_of(request)
    app = request.scope.get("app")
    house = HouseSettings() if app is None else app.state.service.settings.house
    html = fragment(
        request,
        template,
        principal=principal,
        house=house,
        house_colours=colours_key(house),
        path=request.url.path,
        has_history=principal is not None and _keeps(request, principal),
        language_urls={
            language: str(request.url.include_query_params(lang=language).query)
            for language in LANGUAGES
        },
        **context,
    )
    response = HTMLResponse(html, status_code=status, headers={"Content-Language": t.language})
    if request.query_params.get("lang") == t.language:
        response.set_cookie(COOKIE, t.language, max_age=_YEAR_S, httponly=True, samesite="lax")
    return response


def _keeps(request: Request, principal: Principal) -> bool:
    service: Service = request.app.state.service
    return principal.may(Scope.ANSWER) and service.conversations.keeps(principal)
