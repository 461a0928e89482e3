"""Whose a document is to take in, change and delete, beside who reads it."""

from collections.abc import Iterable

from sovereign_rag.access import Principal, may_curate
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.errors import Forbidden
from sovereign_rag.roles import Scope
from sovereign_rag.services.uploads import is_upload_of


def require_curator(catalog: Catalog, record: DocumentRecord, principal: Principal) -> None:
    """Refuse to change or delete what `principal` reads and does not look after.

    Raises:
        Forbidden: It is no admin, and the document none of its curated groups or sources.
    """
    is_own = is_upload_of(record.uri, principal)
    if may_curate(principal, readers=record.readers, is_own=is_own):
        return
    sources = catalog.sources.holding(record.tenant, record.id)
    if not may_curate(principal, readers=record.readers, sources=sources):
        raise _refusal(principal)


def require_curation_for(readers: Iterable[str], principal: Principal) -> None:
    """Refuse to give a document readers that `principal` gives none.

    Raises:
        Forbidden: It is no admin, and these are not its curated groups and itself alone.
    """
    if not may_curate(principal, readers=readers):
        raise _refusal(principal)


def _refusal(principal: Principal) -> Forbidden:
    if Scope.INGEST not in principal.scopes:
        return Forbidden("Only a curator or an admin may change documents; ask for such a key.")
    reach = ", ".join(sorted(principal.curates))
    return Forbidden(
        f"This curator looks after {reach}, and after documents that only those and they "
        "themselves read. Ask an admin, or a curator of this document."
    )
