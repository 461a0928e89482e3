"""What each operation needs: the one table, for the API, the page and the tools.

An operation opens to who has one of its scopes, by role and key. A test walks the operations of
the application with a key of each role and holds this table, and docs/roles.md is made from it.
"""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.types import Scope as HttpScope

from sovereign_rag.access import DEFAULT_TENANT, Principal
from sovereign_rag.errors import Forbidden
from sovereign_rag.roles import SCOPES_OF, Role, Scope

Need = frozenset[Scope]

_OPEN: Final[Need] = frozenset()  # to anybody, known or not
_ANY: Final[Need] = frozenset(Scope)  # to anybody who is known
_READ: Final[Need] = frozenset({Scope.SEARCH})
_ASK: Final[Need] = frozenset({Scope.ANSWER})
_READ_OR_ASK: Final[Need] = _READ | _ASK
_INGEST: Final[Need] = frozenset({Scope.INGEST})
_FOLLOW: Final[Need] = _READ | _INGEST  # everybody sees the jobs that they sent in
_ADMIN: Final[Need] = frozenset({Scope.ADMIN})
_OVERSEE: Final[Need] = frozenset({Scope.ADMIN, Scope.AUDIT})

NEEDS: Final[Mapping[str, Need]] = {
    # questions and searches
    "POST /v1/answers": _ASK,
    "POST /v1/search": _READ,
    "POST /v1/search/facets": _READ,
    "POST /v1/chat/completions": _ASK,
    "POST /v1/embeddings": _READ,
    "POST /v1/vector_stores/{store}/search": _READ,
    "GET /v1/models": _READ_OR_ASK,
    "GET /v1/models/{model}": _READ_OR_ASK,
    # answers of the house
    "GET /v1/curated": _ADMIN,
    "POST /v1/curated": _ADMIN,
    "GET /v1/curated/{answer_id}": _ADMIN,
    "PUT /v1/curated/{answer_id}": _ADMIN,
    "POST /v1/curated/{answer_id}/check": _ADMIN,
    "DELETE /v1/curated/{answer_id}": _ADMIN,
    # documents
    "GET /v1/documents": _READ,
    "POST /v1/documents": _INGEST,
    "GET /v1/documents/{document_id}": _READ,
    "PATCH /v1/documents/{document_id}": _INGEST,
    "POST /v1/documents/edit": _INGEST,
    "POST /v1/documents/delete": _INGEST,
    "DELETE /v1/documents/{document_id}": _INGEST,
    "POST /v1/documents/{document_id}/reread": _INGEST,
    "GET /v1/documents/{document_id}/chunks": _READ,
    "GET /v1/documents/{document_id}/original": _READ,
    "GET /v1/documents/{document_id}/export": _READ,
    "GET /v1/documents/{document_id}/pages": _READ,
    "GET /v1/documents/{document_id}/pages/{number}": _READ,
    "GET /v1/documents/{document_id}/pages/{number}/image": _READ,
    # jobs
    "GET /v1/jobs": _FOLLOW,
    "GET /v1/jobs/{job_id}": _FOLLOW,
    "GET /v1/jobs/{job_id}/documents": _FOLLOW,
    "GET /v1/jobs/{job_id}/events": _FOLLOW,
    "POST /v1/jobs/{job_id}/cancel": _FOLLOW,
    "POST /v1/jobs/{job_id}/retry": _FOLLOW,
    # people
    "GET /v1/me": _ANY,
    "GET /v1/access/explain": _ADMIN,
    "GET /v1/keys": _ADMIN,
    "POST /v1/keys": _ADMIN,
    "POST /v1/keys/{key_id}/rotate": _ADMIN,
    "DELETE /v1/keys/{key_id}": _ADMIN,
    "GET /v1/webhooks/deliveries": _ADMIN,
    "POST /v1/webhooks/deliveries/{delivery_id}/resend": _ADMIN,
    "POST /v1/webhooks/{name}/ping": _ADMIN,
    "GET /v1/roles": _ADMIN,
    "POST /v1/roles": _ADMIN,
    "DELETE /v1/roles/{user}/{role}": _ADMIN,
    "GET /v1/settings": _ADMIN,
    "PATCH /v1/settings": _ADMIN,
    "POST /v1/settings/{name}/undo": _ADMIN,
    "GET /v1/usage": _OVERSEE,
    "GET /metrics": _OVERSEE,
    # the page
    "GET /": _ANY,  # leads who neither reads nor asks to the console
    "POST /c": _ASK,
    "GET /c": _ASK,
    "POST /c/delete": _ASK,
    "GET /c/shared/{share}": _READ_OR_ASK,
    "GET /c/{conversation_id}": _ASK,
    "POST /c/{conversation_id}/rename": _ASK,
    "POST /c/{conversation_id}/delete": _ASK,
    "POST /c/{conversation_id}/turns/{turn_id}/share": _ASK,
    "POST /c/{conversation_id}/turns/{turn_id}/vote": _ASK,
    "GET /c/{conversation_id}/turns/{turn_id}/export.{form}": _ASK,
    "GET /search": _READ,
    "GET /documents": _READ,
    "GET /documents/{document_id}": _OPEN,  # leads to the first page
    "GET /documents/{document_id}/find": _READ,
    "GET /documents/{document_id}/pages": _OPEN,  # leads to a page
    "GET /documents/{document_id}/pages/{number}": _READ,
    "POST /documents/{document_id}/reread": _INGEST,
    "GET /jobs": _FOLLOW,
    "GET /jobs/{job_id}": _FOLLOW,
    "GET /jobs/{job_id}/events": _FOLLOW,
    "POST /jobs/{job_id}/cancel": _FOLLOW,
    "POST /jobs/{job_id}/retry": _FOLLOW,
    # the console
    "GET /admin": _ADMIN,
    "GET /admin/upload": _INGEST,
    "POST /admin/upload": _INGEST,
    "GET /admin/jobs": _ADMIN,
    "POST /admin/jobs/{job_id}/cancel": _ADMIN,
    "POST /admin/jobs/{job_id}/retry": _ADMIN,
    "GET /admin/documents": _INGEST,
    "POST /admin/documents/chosen": _INGEST,
    "POST /admin/documents/edit": _INGEST,
    "GET /admin/documents/{document_id}/edit": _INGEST,
    "POST /admin/documents/{document_id}/edit": _INGEST,
    "GET /admin/people": _ADMIN,
    "GET /admin/people/readable": _ADMIN,
    "GET /admin/people/why": _ADMIN,
    "POST /admin/people/roles": _ADMIN,
    "POST /admin/people/roles/revoke": _ADMIN,
    "GET /admin/keys": _ADMIN,
    "POST /admin/keys": _ADMIN,
    "POST /admin/keys/{key_id}/rotate": _ADMIN,
    "POST /admin/keys/{key_id}/end": _ADMIN,
    "GET /admin/sources": _ADMIN,
    "POST /admin/sources": _ADMIN,
    "POST /admin/sources/remote": _ADMIN,
    "GET /admin/sources/{name:path}": _ADMIN,
    "GET /admin/sources/{name:path}/preview": _ADMIN,
    "POST /admin/sources/{name:path}/run": _ADMIN,
    "POST /admin/sources/{name:path}/pause": _ADMIN,
    "POST /admin/sources/{name:path}/resume": _ADMIN,
    "POST /admin/sources/{name:path}/remove": _ADMIN,
    "GET /admin/webhooks": _ADMIN,
    "POST /admin/webhooks/ping": _ADMIN,
    "POST /admin/webhooks/deliveries/{delivery_id}/resend": _ADMIN,
    "GET /admin/quality": _OVERSEE,
    "GET /admin/usage": _OVERSEE,
    "GET /admin/audit": _OVERSEE,
    "GET /admin/audit/export": _OVERSEE,
    "GET /admin/words": _ADMIN,
    "POST /admin/words": _ADMIN,
    "POST /admin/words/remove": _ADMIN,
    "GET /admin/words/answers/new": _ADMIN,
    "POST /admin/words/answers": _ADMIN,
    "GET /admin/words/answers/{answer_id}": _ADMIN,
    "POST /admin/words/answers/{answer_id}": _ADMIN,
    "POST /admin/words/answers/{answer_id}/check": _ADMIN,
    "POST /admin/words/answers/{answer_id}/remove": _ADMIN,
    "GET /admin/models": _ADMIN,
    "POST /admin/models/exam": _ADMIN,
    "POST /admin/models/import": _ADMIN,
    "POST /admin/models/switch": _ADMIN,
    "POST /admin/models/undo": _ADMIN,
    "POST /admin/models/stop": _ADMIN,
    "GET /admin/index": _ADMIN,
    "POST /admin/index/build": _ADMIN,
    "POST /admin/index/compare": _ADMIN,
    "POST /admin/index/switch": _ADMIN,
    "POST /admin/index/back": _ADMIN,
    "POST /admin/index/drop": _ADMIN,
    "POST /admin/index/stop": _ADMIN,
    "GET /admin/settings": _ADMIN,
    "POST /admin/settings": _ADMIN,
    "POST /admin/settings/undo": _ADMIN,
    # who comes in
    "GET /sign-in": _OPEN,
    "POST /sign-in": _OPEN,
    "POST /sign-out": _OPEN,
    "GET /sign-in/directory": _OPEN,
    "GET /sign-in/back": _OPEN,
    "POST /sign-in/logout": _OPEN,
    "GET /house/logo": _OPEN,
    "GET /house/colours.css": _OPEN,
    "GET /docs": _OPEN,
    "GET /design": _OPEN,  # where the settings open it, and of nobody's documents
    "POST /mcp": _ANY,  # each tool has its own need, see TOOLS
    "GET /healthz": _OPEN,
    "GET /readyz": _OPEN,
}

TOOLS: Final[Mapping[str, Need]] = {
    "search": _READ,
    "fetch": _READ,
    "ask": _ASK,
    "list_documents": _READ,
}
"""Of the tools at `/mcp`, by whichever way they are called."""


def need_of_page(url: str) -> Need:
    """What a page of the console needs; one that nobody declared is an admin's."""
    return NEEDS.get(f"GET {url}", _ADMIN)


def described_needs(operation: str) -> list[list[str]]:
    """Lists of scopes, each of which opens an operation; an empty one: any key does."""
    need = NEEDS.get(operation, _ANY)
    return [[]] if need == _ANY else [[scope] for scope in Scope if scope in need]


def operation_of(scope: HttpScope) -> str:
    """Method and template of the route that was found; "other" where none was."""
    path = getattr(scope.get("route"), "path", None)
    name = f"{scope['method']} {path or scope['path']}"
    # The door of the tools is a route that the framework does not tell of.
    return name if path or name in NEEDS else "other"


def require_for(request: Request, principal: Principal) -> None:
    """Refuse an operation that is not open to `principal`.

    Raises:
        Forbidden: Its role, or the scopes of its key, don't open it.
    """
    operation = operation_of(request.scope)
    if operation in NEEDS:
        require(principal, NEEDS[operation])
        return
    # What nobody declared takes all that a reader has; the test of the table names it.
    for scope in SCOPES_OF[Role.READER]:
        require(principal, frozenset({scope}))


def require(principal: Principal, need: Need) -> None:
    """Raises Forbidden: `principal` has none of the scopes."""
    if need and not principal.may(*need):
        wanted = " or ".join(scope for scope in Scope if scope in need)
        roles = " or ".join(role for role in Role if SCOPES_OF[role] & need)
        raise Forbidden(
            f"This takes the scope {wanted}, which the role {roles} has and this caller has not. "
            "An admin makes another key: `sovereign-rag keys create --role ROLE`."
        )


def looks_after_the_machine(principal: Principal) -> bool:
    """Whether somebody may see addresses, folders and settings of the machine."""
    return principal.is_admin and principal.tenant == DEFAULT_TENANT


def require_machine(principal: Principal) -> None:
    """Raises Forbidden: it concerns all tenants, and `principal` is another one's."""
    if not looks_after_the_machine(principal):
        raise Forbidden("This concerns the whole machine: an admin of the house's own does it.")
