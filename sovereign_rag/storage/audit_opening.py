"""The audit record by itself, for commands that open nothing else of the data folder."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import FILE_NAME
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import anchors_of


@contextmanager
def opened_audit(settings: Settings) -> Iterator[AuditLog]:
    """The record with its anchors; noted there at the end.

    A folder without a catalog, such as a copy of the record alone, is not given one.
    """
    with ExitStack() as stack:
        catalog = stack.enter_context(Catalog.open(settings)) if has_catalog(settings) else None
        audit = AuditLog(settings.data_dir, anchors=anchors_of(settings, catalog))
        stack.callback(audit.close)
        yield audit


@contextmanager
def opened_catalog(settings: Settings) -> Iterator[Catalog | None]:
    """What notes, and has copies of, the records of all writers; None: there is no catalog."""
    if not has_catalog(settings):
        yield None
        return
    with Catalog.open(settings) as catalog:
        yield catalog


def has_catalog(settings: Settings) -> bool:
    """Whether the record stands in a data folder that is in use, or is a copy by itself."""
    return settings.catalog.url is not None or (settings.data_dir / FILE_NAME).exists()
