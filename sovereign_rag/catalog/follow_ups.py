"""What the vector store is still to be told of documents: rights that changed, removals.

The catalog is the wall that every hit has to pass, so what is taken from somebody stands in it at
once. The store follows, however long it is away; what is given to somebody takes effect when the
store has it. A row here is there as long as the two may differ.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select, update

from sovereign_rag.access import in_both
from sovereign_rag.catalog.database import CatalogPart, batches
from sovereign_rag.catalog.document_rows import (
    Rights,
    new_stamp,
    put_facts,
    put_rights,
    record_of,
    rights_of,
    rights_of_one,
    select_whole,
    stated_values,
)
from sovereign_rag.catalog.follow_up_table import follow_ups
from sovereign_rag.catalog.holding import UNFINISHED, require_held, said_metadata, said_rights
from sovereign_rag.catalog.records import DocumentRecord, Lease, TaskState
from sovereign_rag.catalog.tables import documents, tasks
from sovereign_rag.errors import NotFound
from sovereign_rag.metadata import Stated

LEASE_S: Final = 60.0
"""How long whoever follows up has a document to itself, unless it is known to have died."""

_FREE: Final[dict[str, Any]] = {"holder": None, "held_until": None}
_MAY_YET_PUBLISH = [*UNFINISHED, TaskState.FAILED.value, TaskState.CANCELLED.value]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One document that the store is to be told of, held by whoever tells it."""

    document_id: str
    tenant: str
    holder: str
    stamp: str
    rights: Rights | None  # what the store is to have; None: the document is gone from the catalog
    document: DocumentRecord | None = None  # without its readers; None: likewise
    is_stated: bool = False  # whether anything was ever stated of it
    is_spoken: bool = False  # whether its words may stand there in another language than stated


class FollowUps(CatalogPart):
    """Rights and removals: in the catalog at once as far as they narrow, noted for the store."""

    def change(
        self,
        tenant: str,
        document_id: str,
        readers: frozenset[str],
        level: int,
        lease: Lease | None = None,
    ) -> None:
        """Change who may read a document: who may not any more may not from now on.

        Who is new may once the store has been told, see `end`. What jobs still publish of the
        document gets the same rights, whatever was said of it before.

        Args:
            lease: Of the worker that asks; then it is what its task says by now, and what was
                handed in after that task says its own.

        Raises:
            NotFound: The tenant has no such document.
            LeaseLost: The worker that holds `lease` does not hold it any more.
        """
        with self._database.writing() as connection:
            require_held(connection, lease)
            known = rights_of_one(connection, tenant, document_id)
            if known is None:
                raise NotFound("There is no such document.")
            wanted = (readers, level)
            if lease is not None:  # what it was handed in with may have been taken back since
                wanted = said_rights(connection, lease, document_id) or wanted
            put_rights(connection, document_id, known, narrowed(known, wanted), self._clock())
            note(connection, tenant, document_id, self._clock(), wanted=wanted)
            said = {"readers": sorted(wanted[0]), "level": wanted[1]}
            _say_to_tasks(connection, tenant, document_id, said, lease)

    def state(
        self,
        tenant: str,
        document_id: str,
        stated: Stated | None = None,
        *,
        lease: Lease | None = None,
    ) -> bool:
        """Change what is stated of a document; the store is still to be told.

        What jobs that were handed in before publish of it keeps to this.

        Args:
            stated: From now on; None: as the task says that `lease` is of.

        Returns:
            False: It was stated already.

        Raises:
            NotFound: The tenant has no such document.
            LeaseLost: The worker that holds `lease` does not hold it any more.
        """
        now, own = self._clock(), and_(documents.c.id == document_id, documents.c.tenant == tenant)
        with self._database.writing() as connection:
            require_held(connection, lease)
            row = connection.execute(select_whole(None).where(own)).mappings().first()
            if row is None:
                raise NotFound("There is no such document.")
            if stated is None and lease is not None:
                stated = said_metadata(connection, lease)
            if stated is None or stated == Stated.of(row["stated"]):
                return False
            found = connection.scalar(select(documents.c.found_title).where(own))
            before = record_of(row, ())
            title, language = found or before.title, before.found_language
            record = replace(before, stated=stated, title=title, language=language)
            changed = {**stated_values(record), "updated": now, "stamp": new_stamp()}
            changed["stated"] = stated.plain()  # also of nothing: the store is to forget facts
            if found is None and before.stated.title is None:
                changed["found_title"] = row["title"]  # of a document from before it was kept
            connection.execute(update(documents).where(own).values(changed))
            put_facts(connection, document_id, stated)
            _say_to_tasks(connection, tenant, document_id, {"stated": stated.plain()}, lease)
            spoken = stated.spoken != before.stated.spoken
            note_again(connection, tenant, document_id, now, spoken=spoken)
            return True

    def narrow(self, tenant: str, rights: Mapping[str, Rights], *, job_id: str) -> None:
        """Take documents from those whom what is on its way does not name as readers.

        Args:
            rights: What they will have once it is published, by document; one that the tenant
                doesn't have is passed over, and so is one that loses nothing.
            job_id: By which they are on their way; what other jobs still publish of them is not
                for those people either.
        """
        for some in batches(sorted(rights.items())):
            wanted = dict(some)
            with self._database.writing() as connection:
                given = _given(connection, list(wanted))
                for document_id, known in rights_of(connection, tenant, list(wanted)).items():
                    less = narrowed(known, wanted[document_id])
                    if less != known or document_id in given:
                        put_rights(connection, document_id, known, less, self._clock())
                        note(connection, tenant, document_id, self._clock(), wanted=less)
                self._narrow_tasks(connection, tenant, wanted, job_id)

    def _narrow_tasks(
        self, connection: Connection, tenant: str, wanted: Mapping[str, Rights], job_id: str
    ) -> None:
        earlier = select(tasks.c.id, tasks.c.target, tasks.c.readers, tasks.c.level).where(
            tasks.c.target.in_(list(wanted)),
            tasks.c.tenant == tenant,
            tasks.c.job_id != job_id,
            _may_publish(),
        )
        for id_, target, readers, level in connection.execute(earlier).all():
            known = (frozenset(readers), level)
            less = narrowed(known, wanted[target])
            if less != known:
                values = {"readers": sorted(less[0]), "level": less[1]}
                connection.execute(update(tasks).where(tasks.c.id == id_).values(values))

    def pending(self, tenant: str) -> frozenset[str]:
        """Documents of which the store may say more than may be told."""
        statement = select(follow_ups.c.document_id).where(follow_ups.c.tenant == tenant)
        with self._database.reading() as connection:
            return frozenset(connection.scalars(statement))

    def is_noted(self, document_id: str) -> bool:
        """Whether the store is still to be told of a document."""
        with self._database.reading() as connection:
            return connection.execute(_row(document_id)).first() is not None

    def claim(
        self, holder: str, *, document_id: str | None = None, lease: Lease | None = None
    ) -> FollowUp | None:
        """The oldest that nobody is at, held from now on; None: there is none.

        No worker begins with the document while it is held, and none is at work on it.

        Args:
            document_id: This one alone.
            lease: Of a worker that asks: its own task is in nobody's way.
        """
        now = self._clock()
        free = or_(follow_ups.c.holder.is_(None), follow_ups.c.held_until < now)
        in_work = and_(
            tasks.c.target == follow_ups.c.document_id,
            tasks.c.worker.is_not(None),
            tasks.c.id != (0 if lease is None else lease.task_id),
        )
        chosen = select(follow_ups).where(free, ~exists().where(in_work))
        if document_id is not None:
            chosen = chosen.where(follow_ups.c.document_id == document_id)
        chosen = chosen.order_by(follow_ups.c.noted, follow_ups.c.document_id).limit(1)
        with self._database.reading() as connection:  # nearly always there is none
            if connection.execute(chosen).first() is None:
                return None
        with self._database.writing() as connection:
            row = connection.execute(chosen).mappings().first()
            if row is None:
                return None  # another was faster
            until = now + timedelta(seconds=LEASE_S)
            own = follow_ups.c.document_id == row["document_id"]
            held = {"holder": holder, "held_until": until}
            connection.execute(update(follow_ups).where(own).values(held))
            rights = rights_of_one(connection, row["tenant"], row["document_id"])
            if rights is not None and row["readers"] is not None:
                rights = (frozenset(row["readers"]), row["level"])
            whole = select_whole(None).where(documents.c.id == row["document_id"])
            known = connection.execute(whole).mappings().first()
            return FollowUp(
                *(row["document_id"], row["tenant"], holder, row["stamp"], rights),
                document=None if known is None else record_of(known, ()),
                is_stated=known is not None and known["stated"] is not None,
                is_spoken=row["language"],
            )

    def end(self, followed: FollowUp) -> None:
        """The store has been told; what is given to somebody takes effect now.

        Where something else was said meanwhile, it is still to be told that.
        """
        now, own = self._clock(), follow_ups.c.document_id == followed.document_id
        with self._database.writing() as connection:
            as_told = and_(own, follow_ups.c.stamp == followed.stamp)
            if connection.execute(delete(follow_ups).where(as_told)).rowcount:
                known = rights_of_one(connection, followed.tenant, followed.document_id)
                if known is not None and followed.rights is not None:
                    put_rights(connection, followed.document_id, known, followed.rights, now)
                return
            # Whoever told the store otherwise may have been before this: it is told once more.
            again = update(follow_ups).where(own).values(stamp=uuid.uuid4().hex)
            if not connection.execute(again).rowcount:
                note(connection, followed.tenant, followed.document_id, now)
            self._let_go(connection, followed)

    def release(self, followed: FollowUp) -> None:
        """It could not be told for now: whoever comes next tries again."""
        with self._database.writing() as connection:
            self._let_go(connection, followed)

    def holders(self) -> list[str]:
        """Who is at one."""
        statement = select(follow_ups.c.holder).where(follow_ups.c.holder.is_not(None)).distinct()
        with self._database.reading() as connection:
            return sorted(connection.scalars(statement))

    def free(self, holder: str) -> None:
        """Take back what `holder` has, for a caller who knows that it has died."""
        with self._database.writing() as connection:
            connection.execute(
                update(follow_ups).where(follow_ups.c.holder == holder).values(_FREE)
            )

    def _let_go(self, connection: Connection, followed: FollowUp) -> None:
        its_holder = follow_ups.c.holder == followed.holder
        own = and_(follow_ups.c.document_id == followed.document_id, its_holder)
        connection.execute(update(follow_ups).where(own).values(_FREE))


def narrowed(known: Rights, wanted: Rights) -> Rights:
    """What both allow: nobody reads by it who does not by each of the two."""
    return in_both(known[0], wanted[0]), max(known[1], wanted[1])


def note(
    connection: Connection,
    tenant: str,
    document_id: str,
    now: datetime,
    *,
    wanted: Rights | None = None,
    spoken: bool = False,
) -> None:
    """Note that the store is to be told of a document.

    Args:
        wanted: What the store, and then the catalog, is to have; None: what the catalog has.
        spoken: Its words are there in another language than is stated.
    """
    values: dict[str, Any] = {
        "readers": None if wanted is None else sorted(wanted[0]),
        "level": None if wanted is None else wanted[1],
        **_anew(spoken),
    }
    own = follow_ups.c.document_id == document_id
    if not connection.execute(update(follow_ups).where(own).values(values)).rowcount:
        row = {"document_id": document_id, "tenant": tenant, "noted": now, **values}
        connection.execute(insert(follow_ups).values(row))


def _say_to_tasks(
    connection: Connection,
    tenant: str,
    document_id: str,
    said: Mapping[str, Any],
    lease: Lease | None,
) -> None:
    """Have what jobs still publish of a document go by what was said; later words stay."""
    own = and_(tasks.c.target == document_id, tasks.c.tenant == tenant, _may_publish())
    if lease is not None:
        own = and_(own, tasks.c.id <= lease.task_id)
    connection.execute(update(tasks).where(own).values(dict(said)))


def note_again(
    connection: Connection, tenant: str, document_id: str, now: datetime, *, spoken: bool = False
) -> None:
    """Note a document, and leave what is still to come of its rights as it is. See `note`."""
    own = update(follow_ups).where(follow_ups.c.document_id == document_id)
    if not connection.execute(own.values(_anew(spoken))).rowcount:
        note(connection, tenant, document_id, now, spoken=spoken)


def _anew(spoken: bool) -> dict[str, Any]:
    """What is noted with each change; that the language changed stays until the store has it."""
    return {"stamp": uuid.uuid4().hex, **({"language": True} if spoken else {})}


def is_followed_up(target: ColumnElement[str], now: datetime) -> ColumnElement[bool]:
    """Whether somebody tells the store of the document at this moment."""
    return exists().where(
        follow_ups.c.document_id == target,
        follow_ups.c.holder.is_not(None),
        follow_ups.c.held_until >= now,
    )


def settle_published(
    connection: Connection,
    tenant: str,
    document_id: str,
    now: datetime,
    *,
    differs: bool,
    spoken: bool,
    keeps_access: bool,
) -> None:
    """A version was published: what was still to come of rights is what it was published with.

    Args:
        differs: Its chunks were written with other rights.
        spoken: Its chunks were written in another language than is stated.
        keeps_access: It was read again, and no word on rights: what is to come comes.
    """
    again = update(follow_ups).where(follow_ups.c.document_id == document_id)
    if keeps_access and connection.execute(again.values(_anew(spoken))).rowcount:
        return
    if differs or spoken or connection.execute(_row(document_id)).first() is not None:
        note(connection, tenant, document_id, now, spoken=spoken)


def _row(document_id: str) -> Any:
    return select(follow_ups).where(follow_ups.c.document_id == document_id)


def _may_publish() -> ColumnElement[bool]:
    return tasks.c.state.in_(_MAY_YET_PUBLISH)


def _given(connection: Connection, ids: list[str]) -> frozenset[str]:
    """Those that somebody is to get once the store has been told."""
    given = and_(follow_ups.c.document_id.in_(ids), follow_ups.c.level.is_not(None))
    return frozenset(connection.scalars(select(follow_ups.c.document_id).where(given)))
