"""Documents: what a scope may see of them, and the write side's way in.

The labels of a document's readers stand in `document_readers`, the owner's among them, so that
the rule of `ReadScope.allows` is part of every statement that answers a reader.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
    update,
)

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.content_use import in_use
from sovereign_rag.catalog.conversations import forget_document
from sovereign_rag.catalog.curated_answers import forget_quotes
from sovereign_rag.catalog.database import IndexedPart, batches
from sovereign_rag.catalog.document_rows import (
    failed_record,
    put_document,
    readers_of,
    record_of,
    select_whole,
    spoken_of,
)
from sovereign_rag.catalog.follow_ups import note, settle_published
from sovereign_rag.catalog.holding import (
    UNFINISHED,
    close_finished_jobs,
    keeps_access,
    require_held,
    said_rights,
    stated_now,
)
from sovereign_rag.catalog.index_rows import drop_row, in_index, leave_rows, require_live
from sovereign_rag.catalog.records import (
    DocumentRecord,
    Lease,
    LiveDocument,
    TaskRecord,
    TaskState,
    document_id,
)
from sovereign_rag.catalog.tables import document_readers, documents, index_documents, tasks
from sovereign_rag.errors import NotFound

_NOT_READ: Final = "The newest version could not be read; the one before it is used."
_NOT_READ_ANEW: Final = "It could not be read again; what was read before is used."
_LIVE = [
    index_documents.c.version if name == "version" else documents.c[name]
    for name in LiveDocument.__dataclass_fields__
]


class Documents(IndexedPart):
    """What of documents is on record.

    What readers ask for takes the scope, and none has a default for it; the rest is for ingestion
    and removal, and may not answer a reader.
    """

    def get(self, document_id: str, scope: ReadScope) -> DocumentRecord:
        """One document.

        Raises:
            NotFound: It does not exist, or the scope may not read it: the same answer.
        """
        found = self._documents(and_(documents.c.id == document_id, readable_by(scope)), limit=1)
        if not found:
            raise NotFound("There is no such document, or none that you may read.")
        return found[0]

    def readable(
        self, scope: ReadScope, *, limit: int, after: str | None = None
    ) -> list[DocumentRecord]:
        """Readable documents by ascending id, failed ones among them.

        Args:
            limit: Most documents to return.
            after: The last id of the page before.
        """
        condition = readable_by(scope)
        if after is not None:
            condition = and_(condition, documents.c.id > after)
        return self._documents(condition, limit=limit)

    def count(self, scope: ReadScope) -> int:
        """How many documents the scope may read, failed ones among them."""
        statement = select(func.count()).select_from(documents).where(readable_by(scope))
        with self._database.reading() as connection:
            return connection.execute(statement).scalar_one()

    def live_versions(
        self, document_ids: Sequence[str], scope: ReadScope
    ) -> Mapping[str, LiveDocument]:
        """The searchable versions by document id, of those that the scope may read right now."""
        found: dict[str, LiveDocument] = {}
        asked = {
            "tenant": scope.tenant,
            "clearance": scope.clearance,
            "labels": sorted(scope.labels),
        }
        with self._database.reading() as connection:
            for ids in batches(document_ids):
                rows = connection.execute(_live_versions(self._index), {**asked, "ids": ids})
                found.update((row[0], LiveDocument(*row)) for row in rows)
        return found

    def contents(self, versions: Mapping[str, str]) -> Mapping[str, str]:
        """The content hashes by document id, of those that still are in the version given.

        For what is kept beside a content; who may read a document is not asked here.
        """
        found: dict[str, str] = {}
        with self._database.reading() as connection:
            for ids in batches(list(versions)):
                rows = connection.execute(_contents(self._index), {"ids": ids})
                found.update(
                    (id_, hash_) for id_, version, hash_ in rows if version == versions[id_]
                )
        return found

    def find(self, tenant: str, uri: str) -> DocumentRecord | None:
        """The document that `uri` names in `tenant`, whoever may read it."""
        return self.known(tenant, document_id(tenant, uri))

    def known(self, tenant: str, id_: str) -> DocumentRecord | None:
        """The document of that id in `tenant`, whoever may read it."""
        with self._database.reading() as connection:
            return self._stored(connection, tenant, id_)

    def access_of(
        self, tenant: str, document_ids: Sequence[str]
    ) -> Mapping[str, tuple[frozenset[str], int]]:
        """Readers and level by document id, of those that the tenant has, whoever may read them."""
        found: dict[str, tuple[frozenset[str], int]] = {}
        with self._database.reading() as connection:
            for ids in batches(document_ids):
                of_tenant = and_(documents.c.id.in_(ids), documents.c.tenant == tenant)
                levels = select(documents.c.id, documents.c.level).where(of_tenant)
                readers = readers_of(connection, ids)
                for id_, level in connection.execute(levels):
                    found[id_] = (frozenset(readers[id_]), level)
        return found

    def titles_of(self, document_ids: Sequence[str]) -> Mapping[str, str]:
        """Titles by document id, of those that are there, whoever may read them."""
        found: dict[str, str] = {}
        with self._database.reading() as connection:
            for ids in batches(document_ids):
                titles = select(documents.c.id, documents.c.title).where(documents.c.id.in_(ids))
                found.update((row.id, row.title) for row in connection.execute(titles))
        return found

    def publish(self, record: DocumentRecord, lease: Lease | None = None) -> DocumentRecord:
        """Write a document's row and readers: in this moment searches switch to its version.

        A document that was there keeps its time of creation. Of a content that it had before,
        nothing is found any more in any index. Readers and level are those that its task has by
        now; under the lease of one that keeps access, those that it has itself.

        Returns:
            The record as it was written.

        Raises:
            LeaseLost: The worker that holds `lease` does not hold it any more.
            IndexSwitched: This is the catalog of an index that is not the live one (any more).
        """
        with self._database.writing() as connection:
            require_held(connection, lease)
            known = self._stored(connection, record.tenant, record.id)
            said = None if lease is None else said_rights(connection, lease, record.id)
            keeps = lease is not None and keeps_access(connection, lease)
            if keeps and known is not None:
                said = (known.readers, known.level)
            written = (record.readers, record.level)
            readers, level = said or written
            stated = stated_now(connection, record, known, lease)
            # What its chunks were written with; those that move say what they said before.
            differs = (readers, level) != written or stated.found_by != record.stated.found_by
            spoken = lease is not None and stated.spoken != record.stated.spoken
            record = replace(record, readers=readers, level=level, stated=stated)
            put_document(connection, record, require_live(connection, self._index))
            settle_published(
                connection,
                record.tenant,
                record.id,
                self._clock(),
                differs=differs,
                spoken=spoken,
                keeps_access=keeps,
            )
        title, language = record.stated.title or record.title, spoken_of(record)
        return replace(record, title=title, language=language)

    def live_version(self, tenant: str, document_id: str) -> str | None:
        """The version that searches return; None where there is none."""
        live = (
            select(index_documents.c.version)
            .select_from(documents.join(index_documents, in_index(self._index)))
            .where(documents.c.id == document_id, documents.c.tenant == tenant)
        )
        with self._database.reading() as connection:
            return connection.scalar(live) or None

    def record_failure(self, task: TaskRecord, reason: str, lease: Lease | None = None) -> None:
        """Note that the task's document could not be read.

        An older version stays searchable with the status and the readers that it had, and its
        `reason` says that it is the older one. Without an older version the document is there as
        failed.

        Raises:
            LeaseLost: As `publish`.
        """
        now = self._clock()
        with self._database.writing() as connection:
            require_held(connection, lease)
            known = self._stored(connection, task.tenant, document_id(task.tenant, task.uri))
            if known is not None and known.version:
                note = f"{_NOT_READ_ANEW if task.keeps_access else _NOT_READ} {reason}"
                connection.execute(
                    update(documents)
                    .where(documents.c.id == known.id)
                    .values(reason=note, updated=now)
                )
                return
            failed = failed_record(task, reason, now)
            said = None if lease is None else said_rights(connection, lease, failed.id)
            if said is not None:
                failed = replace(failed, readers=said[0], level=said[1])
            put_document(connection, failed, require_live(connection, None))

    def remove(self, tenant: str, document_id: str) -> None:
        """Forget a document, and its words in kept answers; that it is gone is no error.

        From now on nothing of it is found; that its chunks go is noted, see `FollowUps`.
        """
        with self._database.writing() as connection:
            live = require_live(connection, None)
            forget_document(connection, document_id)
            forget_quotes(connection, document_id)
            gone = connection.execute(
                delete(documents).where(documents.c.id == document_id, documents.c.tenant == tenant)
            )
            note(connection, tenant, document_id, self._clock())
            if gone.rowcount:
                drop_row(connection, live, document_id)
                leave_rows(connection, document_id, but=live)  # what is left there has to go

    def withdraw(self, tenant: str, document_id: str) -> None:
        """End what jobs still want to do for a document that is about to be deleted.

        Waiting tasks end now, one in work when its worker notices, which publishes nothing any
        more. Later submissions are not concerned.
        """
        now = self._clock()
        its_own = and_(tasks.c.target == document_id, tasks.c.tenant == tenant)
        with self._database.writing() as connection:
            affected = connection.scalars(
                select(tasks.c.job_id).where(its_own, tasks.c.state == TaskState.WAITING.value)
            ).all()
            connection.execute(
                update(tasks)
                .where(its_own, tasks.c.state == TaskState.WAITING.value)
                .values(
                    state=TaskState.CANCELLED.value,
                    reason="The document was deleted.",
                    finished=now,
                    password=None,
                )
            )
            connection.execute(
                update(tasks).where(its_own, tasks.c.state.in_(UNFINISHED)).values(cancelled=now)
            )
            connection.execute(
                update(tasks)
                .where(its_own, tasks.c.state.not_in(UNFINISHED))
                .values(content_hash=None)
            )
            close_finished_jobs(connection, affected, now)

    def content_in_use(self, content_hash: str) -> bool:
        """Whether a document of any tenant, or a task that may yet be done, needs this content.

        The empty hash, of a document whose bytes never came in, is always in use: there is
        nothing to remove.
        """
        with self._database.reading() as connection:
            return in_use(connection, content_hash, self._clock())

    def is_held_by_others_alone(self, tenant: str, content_hash: str) -> bool:
        """Whether other tenants have this content, or are taking it in, and `tenant` has not."""
        same = documents.c.content_hash == content_hash
        own = exists().where(same, documents.c.tenant == tenant)
        others = exists().where(same, documents.c.tenant != tenant)
        coming = exists().where(
            tasks.c.content_hash == content_hash,
            tasks.c.tenant != tenant,
            tasks.c.state.in_(UNFINISHED),
        )
        with self._database.reading() as connection:
            return bool(connection.execute(select(~own & (others | coming))).scalar_one())

    def unless_in_use(self, content_hash: str, remove: Callable[[], None]) -> None:
        """Call `remove`, which takes the content away, if nothing needs it.

        No task for the content can be written meanwhile, so whoever records the task before it
        looks for the bytes never loses them. `remove` is quick: writers wait for it.
        """
        with self._database.writing() as connection:
            if not in_use(connection, content_hash, self._clock()):
                remove()

    def _documents(self, condition: ColumnElement[bool], *, limit: int) -> list[DocumentRecord]:
        statement = select_whole(self._index).where(condition).order_by(documents.c.id).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings().all()
            readers = readers_of(connection, [row["id"] for row in rows])
        return [record_of(row, readers[row["id"]]) for row in rows]

    def _stored(self, connection: Connection, tenant: str, id_: str) -> DocumentRecord | None:
        condition = and_(documents.c.id == id_, documents.c.tenant == tenant)
        row = connection.execute(select_whole(self._index).where(condition)).mappings().first()
        return None if row is None else record_of(row, readers_of(connection, [id_])[id_])


def readable_by(scope: ReadScope, *, of_many: bool = False) -> ColumnElement[bool]:
    """`ReadScope.allows` in SQL; `of_many`: nearly all documents are gone through."""
    # As an expression the label is no place to search the index at: a document's few readers are
    # looked at, in place of one search for each of the asker's many labels.
    label = document_readers.c.label.concat("") if of_many else document_readers.c.label
    return _allowed(scope.tenant, scope.clearance, sorted(scope.labels), label)


def _allowed(
    tenant: Any, clearance: Any, labels: Any, label: ColumnElement[str] = document_readers.c.label
) -> ColumnElement[bool]:
    """The rule, for values or for parameters that get them later."""
    return and_(
        documents.c.tenant == tenant,
        documents.c.level <= clearance,
        exists().where(document_readers.c.document_id == documents.c.id, label.in_(labels)),
    )


@lru_cache(maxsize=16)
def _live_versions(index: int | None) -> Select[Any]:
    """Part of every search, so it isn't made anew for each: that takes longer than its answer."""
    labels: BindParameter[Any] = bindparam("labels", expanding=True)
    return (
        select(*_LIVE)
        .select_from(documents.join(index_documents, in_index(index)))
        .where(
            documents.c.id.in_(bindparam("ids", expanding=True)),
            index_documents.c.version != "",
            _allowed(bindparam("tenant"), bindparam("clearance"), labels),
        )
    )


@lru_cache(maxsize=16)
def _contents(index: int | None) -> Select[Any]:
    return (
        select(documents.c.id, index_documents.c.version, documents.c.content_hash)
        .select_from(documents.join(index_documents, in_index(index)))
        .where(documents.c.id.in_(bindparam("ids", expanding=True)))
    )
