"""What is said of a document that is there, changed; nothing of it is read again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sovereign_rag.access import Principal, read_scope, stored_readers
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.operations import Operation
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.errors import BadInput, DocumentChanged, Forbidden, NotFound, RightsOfSource
from sovereign_rag.metadata import Stated
from sovereign_rag.services.curation import require_curation_for, require_curator
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.operations import EDIT, OperationRecorder
from sovereign_rag.services.submission import access


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be another; None stays as it is."""

    readers: frozenset[str] | None = None  # labels; empty: nobody but the owner
    level: int | None = None
    stated: Callable[[Stated], Stated] | None = None  # of what was stated, what is from now on

    @property
    def is_empty(self) -> bool:
        return not self.is_of_rights and self.stated is None

    @property
    def is_of_rights(self) -> bool:
        return self.readers is not None or self.level is not None

    def of(self, record: DocumentRecord) -> DocumentRecord:
        """The document as it is once this is done."""
        return replace(
            record,
            readers=record.readers if self.readers is None else self.readers,
            level=record.level if self.level is None else self.level,
            stated=record.stated if self.stated is None else self.stated(record.stated),
        )


@dataclass(frozen=True, slots=True)
class Edited:
    """A document as it is after an edit."""

    document: DocumentRecord
    is_settled: bool  # False: who is new reads it once the store is back; who is out is out


class DocumentEditor:
    """Changes who may read documents and what is said of them, for who looks after them."""

    def __init__(
        self, *, catalog: Catalog, erasure: Erasure, operations: OperationRecorder
    ) -> None:
        self._catalog, self._erasure, self._operations = catalog, erasure, operations

    def edit(
        self, document_id: str, edit: Edit, principal: Principal, *, content_hash: str | None = None
    ) -> Edited:
        """Change a document; on the record before it takes effect.

        Who may not read it any more finds nothing of it when this returns, whether the store
        answers or not.

        Args:
            content_hash: Only as long as the document has this content; None: whatever it has.

        Raises:
            NotFound: Missing, or not this principal's to read.
            Forbidden: The principal reads it, and it is not theirs to change, or not for those.
            BadInput: Nothing is to be changed.
            DocumentChanged: It has another content.
            RightsOfSource: Its source says who may read it.
            AuditError: It can't be recorded; nothing is changed.
        """
        record = self.editable(document_id, principal, content_hash=content_hash)
        if edit.is_empty:
            raise BadInput("Nothing is to be changed: say readers, level or metadata.")
        if edit.is_of_rights:
            self._refuse_rights_of_sources(record)
        if edit.readers is not None:
            require_curation_for(edit.readers, principal)
        after = edit.of(record)
        readers, level, stated = after.readers, after.level, after.stated
        said = {} if edit.stated is None else {"metadata": stated.plain()}
        detail = {
            **{"document": record.id, "uri": record.uri, **access(readers, level)},
            "before": access(record.readers, record.level),
            "seen": record.updated.isoformat(),
            **said,
        }
        with self._operations.begun(EDIT, principal, detail) as act:
            if edit.is_of_rights and not self._erasure.change_readers(
                record.tenant, record.id, readers, level
            ):
                raise NotFound("The document was deleted at this very moment.")
            if edit.stated is not None:
                self._erasure.state(record.tenant, record.id, stated)
            is_settled = not self._catalog.follow_ups.is_noted(record.id)
            act.outcome["store"] = "told" if is_settled else "follows"
        known = self._catalog.documents.known(record.tenant, record.id)
        return Edited(known or record, is_settled)

    def resume(self, operation: Operation) -> None:
        """Go on with an edit that was interrupted, where nobody has changed the document since."""
        detail = operation.detail
        known = self._catalog.documents.known(operation.tenant, detail["document"])
        if known is None or known.updated.isoformat() != detail["seen"]:
            return
        if access(known.readers, known.level) != access(detail["readers"], detail["level"]):
            self._erasure.change_readers(
                known.tenant, known.id, frozenset(detail["readers"]), detail["level"]
            )
        if "metadata" in detail:
            self._erasure.state(known.tenant, known.id, Stated.of(detail["metadata"]))

    def edit_all(
        self, document_ids: Sequence[str], edit: Edit, principal: Principal
    ) -> list[Edited]:
        """Change several documents alike: all of them, or none where one can't be.

        Raises:
            As `edit`, before anything is changed.
        """
        ids = list(dict.fromkeys(document_ids))
        for id_ in ids:
            record = self.editable(id_, principal)
            if edit.is_of_rights:
                self._refuse_rights_of_sources(record)
            edit.of(record)
        return [self.edit(id_, edit, principal) for id_ in ids]

    def editable(
        self, document_id: str, principal: Principal, *, content_hash: str | None = None
    ) -> DocumentRecord:
        """A document that the principal may change. Raises as `edit`."""
        record = self._catalog.documents.get(document_id, read_scope(principal))
        require_curator(self._catalog, record, principal)
        if content_hash is not None and content_hash != record.content_hash:
            raise DocumentChanged(
                f"The document's content is {record.content_hash} by now. Look at it again, then "
                "send that as If-Match."
            )
        return record

    def looks_after(self, record: DocumentRecord, principal: Principal) -> bool:
        """Whether a document that the principal reads is theirs to change."""
        try:
            require_curator(self._catalog, record, principal)
        except Forbidden:
            return False
        return True

    def loses(self, record: DocumentRecord, edit: Edit, principal: Principal) -> bool:
        """Whether the principal, who reads a document, no longer does once it is changed."""
        after = edit.of(record)
        return not read_scope(principal).allows(
            tenant=after.tenant, readers=stored_readers(after.readers), level=after.level
        )

    def sources_of(self, record: DocumentRecord) -> tuple[str, ...]:
        """Names of the sources that say who may read a document; none: an edit may."""
        return tuple(self._catalog.sources.holding(record.tenant, record.id))

    def _refuse_rights_of_sources(self, record: DocumentRecord) -> None:
        names = self.sources_of(record)
        if names:
            raise RightsOfSource(
                f"Who may read it is said by the source {', '.join(names)}, and the next sync "
                "would say it again: change it there, then `sovereign-rag sync`."
            )
