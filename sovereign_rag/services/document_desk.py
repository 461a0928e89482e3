"""Several documents at a time, as whoever looks after them wants it done."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.errors import NotFound
from sovereign_rag.services.curation import require_curation_for
from sovereign_rag.services.documents import DocumentService
from sovereign_rag.services.editing import DocumentEditor, Edit


@dataclass(frozen=True, slots=True)
class Change:
    """A document before an edit and after it."""

    before: DocumentRecord
    after: DocumentRecord


@dataclass(frozen=True, slots=True)
class EditPreview:
    """What an edit would do, document by document; each chosen one stands in one of the first four.

    `losing` is how many of the changed ones whoever edits would read no longer.
    """

    changes: tuple[Change, ...]
    unchanged: tuple[DocumentRecord, ...]
    of_sources: tuple[DocumentRecord, ...]  # who may read them is said by a source
    not_theirs: tuple[DocumentRecord, ...]
    losing: int


class DocumentDesk:
    """Each act goes by the rules for one document, and is on the record as one."""

    def __init__(self, documents: DocumentService, editor: DocumentEditor) -> None:
        self._documents, self._editor = documents, editor

    def named(self, ids: Sequence[str], principal: Principal) -> list[DocumentRecord]:
        """Those that the principal may read, in the order given. Raises AuditError."""
        found: list[DocumentRecord] = []
        for id_ in dict.fromkeys(ids):
            with suppress(NotFound):
                found.append(self._documents.get(id_, principal))
        return found

    def looked_after(
        self, documents: Iterable[DocumentRecord], principal: Principal
    ) -> frozenset[str]:
        """The ids of those that are the principal's to change."""
        return frozenset(one.id for one in documents if self._editor.looks_after(one, principal))

    def to_edit(
        self, document_id: str, principal: Principal
    ) -> tuple[DocumentRecord, tuple[str, ...]]:
        """A document to be changed, and the sources that say who may read it.

        Raises:
            NotFound: Missing, or not the principal's to read.
            Forbidden: Not theirs to change.
            AuditError: That it is shown can't be recorded.
        """
        self._editor.editable(document_id, principal)
        record = self._documents.get(document_id, principal)
        return record, self._editor.sources_of(record)

    def preview(self, ids: Sequence[str], edit: Edit, principal: Principal) -> EditPreview:
        """What an edit would do to chosen documents; nothing is done.

        Raises:
            Forbidden: The readers are none that the principal gives a document.
            BadInput: What would be stated of one can't be.
            AuditError: That they are shown can't be recorded.
        """
        if edit.readers is not None:
            require_curation_for(edit.readers, principal)
        changes: list[Change] = []
        unchanged: list[DocumentRecord] = []
        of_sources: list[DocumentRecord] = []
        not_theirs: list[DocumentRecord] = []
        for record in self.named(ids, principal):
            after = edit.of(record)
            if not self._editor.looks_after(record, principal):
                not_theirs.append(record)
            elif edit.is_of_rights and self._editor.sources_of(record):
                of_sources.append(record)
            elif after == record:
                unchanged.append(record)
            else:
                changes.append(Change(record, after))
        losing = sum(self._editor.loses(one.before, edit, principal) for one in changes)
        return EditPreview(
            *(tuple(changes), tuple(unchanged), tuple(of_sources), tuple(not_theirs)), losing=losing
        )

    def delete(self, ids: Sequence[str], principal: Principal) -> int:
        """Delete documents one after the other; returns how many.

        One that is gone meanwhile, or was never the principal's to read, is passed over.

        Raises:
            Forbidden: One is not theirs to delete; those before it are gone.
            AuditError: It can't be recorded; those before it are gone.
        """
        deleted = 0
        for id_ in dict.fromkeys(ids):
            with suppress(NotFound):
                self._documents.delete(id_, principal)
                deleted += 1
        return deleted
