"""A page of the console: its navigation, by role, and what was just done."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.access import Principal
from sovereign_rag.web.admin.guard import Part, parts_of
from sovereign_rag.web.rendering import page

_DONE: Final = frozenset(
    {"cancelled", "retried", "source_added", "source_wanted", "source_paused"}
    | {"source_resumed", "source_removed", "key_ended", "deleted", "word_added", "word_removed"}
    | {"edited", "edited_follows", "message_sent"}
    | {"curated_kept", "curated_checked", "curated_removed"}
    | {"setting_changed", "setting_undone"}
    | {"role_granted", "role_revoked"}
    | {"work_asked", "work_stopped", "model_switched"}
)
"""What a page may say was done; anything else in an address is not repeated."""


def console_page(
    request: Request, template: str, part: Part, *, principal: Principal, **context: Any
) -> Response:
    """A page of one part. `template` lies in `templates/admin`."""
    done = request.query_params.get("done")
    return page(
        request,
        f"admin/{template}",
        principal=principal,
        part=part,
        parts=parts_of(principal),
        done=done if done in _DONE else None,
        **context,
    )


def back_to(part: Part, done: str, **parameters: str | None) -> Response:
    """Where a form leads when it was carried out: the list, which says so."""
    given = {name: value for name, value in parameters.items() if value} | {"done": done}
    return RedirectResponse(f"{part.url}?{urlencode(given)}", status_code=303)
