"""Conversations and their turns, each its owner's alone; what was said in them comes sealed."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from sovereign_rag.catalog.conversation_tables import conversations, turn_documents, turns
from sovereign_rag.catalog.database import CatalogPart, batches
from sovereign_rag.catalog.tables import documents
from sovereign_rag.errors import NotFound

_NO_SUCH = "There is no such conversation, or it is not yours. Your own are listed at /c."


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a conversation is."""

    tenant: str
    label: str  # "user:ana"


@dataclass(frozen=True, slots=True)
class ConversationRow:
    id: str
    title: bytes
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class TurnRow:
    """A question as it was asked, and what is kept of its answer."""

    id: int
    conversation_id: str
    asked: datetime
    question: bytes
    answer: bytes | None
    kind: str | None  # of the answer; None: it never came
    share: str | None
    is_helpful: bool | None
    reason: bytes | None


@dataclass(frozen=True, slots=True)
class VotedRow:
    """A turn that was voted on, and the ids of the documents that its answer was drawn from."""

    turn: TurnRow
    documents: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What is kept of an answer."""

    body: bytes  # sealed
    kind: str
    holds_words: bool  # a model's or other words drawn from documents, not just where quotes stand
    documents: Sequence[str]  # that it was drawn from, by id


_TURN = [turns.c[name] for name in TurnRow.__dataclass_fields__]
_CONVERSATION = [conversations.c[name] for name in ConversationRow.__dataclass_fields__]


class Conversations(CatalogPart):
    """Every method that takes an owner raises NotFound for what is somebody else's, or nobody's."""

    def begin(self, owner: Owner, id_: str, title: bytes) -> None:
        """Begin a conversation; `id_` is a new one, see `new_id`."""
        now = self._clock()
        values = {"id": id_, "tenant": owner.tenant, "owner": owner.label, "title": title}
        with self._database.writing() as connection:
            connection.execute(insert(conversations).values(**values, created=now, updated=now))

    @staticmethod
    def new_id() -> str:
        return str(uuid.uuid4())

    def add_turn(self, owner: Owner, id_: str, question: bytes) -> int:
        """Note that something was asked; gives the turn's id."""
        now = self._clock()
        with self._database.writing() as connection:
            _require(connection, owner, id_)
            values = {"conversation_id": id_, "asked": now, "question": question}
            made = insert(turns).values(**values).returning(turns.c.id)
            turn_id: int = connection.execute(made).scalar_one()
            its_own = conversations.c.id == id_
            connection.execute(update(conversations).where(its_own).values(updated=now))
        return turn_id

    def keep_answer(self, turn_id: int, kept: KeptAnswer) -> None:
        """Keep what was answered; the conversation that is gone meanwhile stays gone."""
        values = {"answer": kept.body, "kind": kept.kind, "holds_words": kept.holds_words}
        named = sorted(set(kept.documents))
        with self._database.writing() as connection:
            there = select(func.count()).where(documents.c.id.in_(named))
            if kept.holds_words and connection.execute(there).scalar_one() < len(named):
                values["answer"] = None  # one was deleted while this was written from it
            changed = connection.execute(update(turns).where(turns.c.id == turn_id).values(values))
            if not changed.rowcount or not named:
                return
            rows = [{"turn_id": turn_id, "document_id": id_} for id_ in named]
            connection.execute(insert(turn_documents), rows)

    def get(self, owner: Owner, id_: str) -> tuple[ConversationRow, list[TurnRow]]:
        """A conversation with its turns, the oldest first."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(*_CONVERSATION).where(_owned(owner), conversations.c.id == id_)
            ).first()
            if row is None:
                raise NotFound(_NO_SUCH)
            its_own = select(*_TURN).where(turns.c.conversation_id == id_).order_by(turns.c.id)
            return ConversationRow(*row), [TurnRow(*t) for t in connection.execute(its_own)]

    def turn(self, owner: Owner, turn_id: int) -> TurnRow:
        """One turn of a conversation."""
        return self._turn(and_(_owned(owner), turns.c.id == turn_id))

    def shared(self, tenant: str, share: str) -> TurnRow:
        """The turn that a link leads to, for whoever of the tenant opens it."""
        return self._turn(and_(conversations.c.tenant == tenant, turns.c.share == share))

    def recent(
        self, owner: Owner, *, limit: int, before: datetime | None = None
    ) -> list[ConversationRow]:
        """Conversations, that last gone on with first; `before` is the last one's `updated`."""
        condition = _owned(owner)
        if before is not None:
            condition = and_(condition, conversations.c.updated < before)
        newest = select(*_CONVERSATION).where(condition)
        newest = newest.order_by(conversations.c.updated.desc()).limit(limit)
        with self._database.reading() as connection:
            return [ConversationRow(*row) for row in connection.execute(newest)]

    def questions(self, owner: Owner, *, limit: int) -> list[TurnRow]:
        """The last `limit` questions of all of somebody's conversations, the newest first."""
        joined = turns.join(conversations)
        newest = select(*_TURN).select_from(joined).where(_owned(owner))
        newest = newest.order_by(turns.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [TurnRow(*row) for row in connection.execute(newest)]

    def rename(self, owner: Owner, id_: str, title: bytes) -> None:
        """Give a conversation another title."""
        with self._database.writing() as connection:
            _require(connection, owner, id_)
            its_own = conversations.c.id == id_
            connection.execute(update(conversations).where(its_own).values(title=title))

    def delete(self, owner: Owner, id_: str | None) -> int:
        """Delete a conversation, or with None all of somebody's; gives how many were there."""
        condition = _owned(owner)
        if id_ is not None:
            condition = and_(condition, conversations.c.id == id_)
        with self._database.writing() as connection:
            return connection.execute(delete(conversations).where(condition)).rowcount

    def expire(self, before: datetime) -> int:
        """Delete what nobody went on with since; gives how many conversations."""
        with self._database.reading() as connection:
            old = conversations.c.updated < before
            if not connection.execute(select(exists().where(old))).scalar_one():
                return 0
        with self._database.writing() as connection:
            return connection.execute(delete(conversations).where(old)).rowcount

    def set_share(self, owner: Owner, turn_id: int, *, is_shared: bool) -> str | None:
        """Make the link of a turn, or end it; one that is there stays as it is. Gives its word."""
        turn = self.turn(owner, turn_id)
        share = (turn.share or secrets.token_urlsafe(32)) if is_shared else None
        self._set(turn_id, share=share)
        return share

    def vote(self, owner: Owner, turn_id: int, *, is_helpful: bool, reason: bytes | None) -> None:
        """Note what somebody thinks of an answer to their own question; the last word counts."""
        self.turn(owner, turn_id)
        self._set(turn_id, is_helpful=is_helpful, reason=reason, voted=self._clock())

    def voted(
        self, tenant: str, *, since: datetime, updated: datetime, limit: int
    ) -> list[VotedRow]:
        """Turns that were voted on, whoever's they are: the unhelpful first, then the newest.

        Args:
            since: When the question was asked, at the earliest.
            updated: When its conversation was gone on with, at the earliest.
        """
        found = select(*_TURN).select_from(turns.join(conversations))
        found = found.where(*_votes_of(tenant, since, updated))
        found = found.order_by(turns.c.is_helpful, turns.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = [TurnRow(*row) for row in connection.execute(found)]
            drawn = select(turn_documents.c.turn_id, turn_documents.c.document_id)
            drawn = drawn.where(turn_documents.c.turn_id.in_([row.id for row in rows]))
            documents: dict[int, set[str]] = {}
            for turn_id, document_id in connection.execute(drawn):
                documents.setdefault(turn_id, set()).add(document_id)
        return [VotedRow(row, frozenset(documents.get(row.id, ()))) for row in rows]

    def vote_counts(self, tenant: str, *, since: datetime, updated: datetime) -> Mapping[bool, int]:
        """How many such votes say helpful (True), and how many not (False); see `voted`."""
        counted = select(turns.c.is_helpful, func.count()).select_from(turns.join(conversations))
        counted = counted.where(*_votes_of(tenant, since, updated)).group_by(turns.c.is_helpful)
        with self._database.reading() as connection:
            return {bool(is_helpful): n for is_helpful, n in connection.execute(counted)}

    def counts(self, ids: Sequence[str]) -> dict[str, int]:
        """How many turns conversations have, by id."""
        found: dict[str, int] = {}
        with self._database.reading() as connection:
            for some in batches(ids):
                counted = select(turns.c.conversation_id, func.count())
                counted = counted.where(turns.c.conversation_id.in_(some))
                rows = connection.execute(counted.group_by(turns.c.conversation_id))
                found.update((id_, n) for id_, n in rows)
        return found

    def _turn(self, condition: ColumnElement[bool]) -> TurnRow:
        with self._database.reading() as connection:
            joined = turns.join(conversations)
            row = connection.execute(select(*_TURN).select_from(joined).where(condition)).first()
        if row is None:
            raise NotFound("There is no such answer, or it is not shared with you.")
        return TurnRow(*row)

    def _set(self, turn_id: int, **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(update(turns).where(turns.c.id == turn_id).values(**values))


def _votes_of(tenant: str, since: datetime, updated: datetime) -> list[ColumnElement[bool]]:
    return [
        conversations.c.tenant == tenant,
        conversations.c.updated >= updated,
        turns.c.asked >= since,
        turns.c.is_helpful.is_not(None),
    ]


def forget_document(connection: Connection, document_id: str) -> None:
    """Take what answers hold of a document's words out of every conversation."""
    its_turns = select(turn_documents.c.turn_id).where(turn_documents.c.document_id == document_id)
    connection.execute(
        update(turns).where(turns.c.id.in_(its_turns), turns.c.holds_words).values(answer=None)
    )
    connection.execute(delete(turn_documents).where(turn_documents.c.document_id == document_id))


def _owned(owner: Owner) -> ColumnElement[bool]:
    return and_(conversations.c.tenant == owner.tenant, conversations.c.owner == owner.label)


def _require(connection: Connection, owner: Owner, id_: str) -> None:
    is_there = exists().where(_owned(owner), conversations.c.id == id_)
    if not connection.execute(select(is_there)).scalar_one():
        raise NotFound(_NO_SUCH)
