"""Conversations that stay: each its owner's alone, sealed, for as long as the settings say."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.conversations import (
    ConversationRow,
    KeptAnswer,
    Owner,
    TurnRow,
    VotedRow,
)
from sovereign_rag.domain import Answer, AnswerKind
from sovereign_rag.errors import BadInput, Forbidden, NotFound
from sovereign_rag.retrieval.conversation import MOST_TURNS, Turn
from sovereign_rag.roles import Scope
from sovereign_rag.services.kept_answers import KeptAnswers, Shown, encode
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.sealing import Sealer

MOST_TITLE_CHARS: Final = 200
MOST_REASON_CHARS: Final = 1_000
MOST_VOTES: Final = 50  # whose words are told at once
_SEARCHED: Final = 10_000  # questions of one person, the newest: opening one takes some 10 µs
_TEXTS: Final = 32  # documents whose page texts are held
_NOBODY: Final = "anonymous"  # whoever calls without a key; theirs would be everybody's


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A question of a conversation, and what its reader may see of the answer."""

    id: int
    number: int  # in its conversation, from 1
    asked: datetime
    question: str
    shown: Shown | None  # None: no answer came, or it is gone with a document
    is_gone: bool
    share: str | None
    is_helpful: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in somebody's history."""

    id: str
    title: str
    updated: datetime
    turns: int
    found: tuple[str, ...] = ()  # its questions that hold what was searched for


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    title: str
    turns: tuple[KeptTurn, ...]


@dataclass(frozen=True, slots=True)
class Vote:
    """What somebody thinks of an answer; nobody is named."""

    asked: datetime
    question: str
    kind: str | None  # of the answer
    is_helpful: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Votes:
    """A period's votes, counted, and the words of some: the unhelpful first, then the newest."""

    helpful: int
    unhelpful: int
    told: tuple[Vote, ...]
    withheld: int  # of those looked at: showed documents that who looks may not read


class ConversationService:
    """What people do with their conversations. Every method raises NotFound for others'."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        audit: AuditTrail,
        sealer: Sealer,
        keep_days: int,
    ) -> None:
        """`keep_days` after somebody last went on with one, it is deleted; 0: none is kept."""
        self._rows, self._audit, self._sealer = catalog.conversations, audit, sealer
        self._keep = timedelta(days=keep_days)
        self._live = catalog.documents.live_versions
        self._answers = KeptAnswers(
            live=self._live,
            texts=lru_cache(maxsize=_TEXTS)(content.page_texts),
        )

    def keeps(self, principal: Principal) -> bool:
        """Whether this person's conversations are kept here."""
        return bool(self._keep) and principal.user != _NOBODY

    def earlier(self, id_: str, principal: Principal) -> tuple[Turn, ...]:
        """What the next question of a conversation may lean on, the oldest first."""
        _, rows = self._get(id_, principal)
        shown = (self._turn(row, 0, principal) for row in rows[-MOST_TURNS:])
        return tuple(
            Turn(turn.question) if turn.shown is None else Turn.of(turn.shown.answer)
            for turn in shown
        )

    def begin_turn(self, question: str, id_: str | None, principal: Principal) -> tuple[str, int]:
        """Keep a question before it is answered; None begins a conversation.

        Returns:
            The ids of the conversation and of the turn.
        """
        owner = _owner(principal)
        if id_ is None:
            self.expire()
            id_ = self._rows.new_id()
            title = " ".join(question.split())[:MOST_TITLE_CHARS]
            self._rows.begin(owner, id_, self._sealed("title", id_, title, owner.tenant))
        return id_, self._rows.add_turn(
            owner, id_, self._sealed("question", id_, question, owner.tenant)
        )

    def keep_answer(self, id_: str, turn_id: int, answer: Answer, tenant: str) -> None:
        """Keep what was answered to a question of `begin_turn`."""
        made = encode(answer)
        sealed = self._sealer.seal(made.body, _context("answer", id_), tenant)
        kept = KeptAnswer(sealed, answer.kind.value, made.holds_words, sorted(made.documents))
        self._rows.keep_answer(turn_id, kept)

    def read(self, id_: str, principal: Principal) -> Conversation:
        """A conversation with what its owner may read of it now, on the audit record."""
        row, rows = self._get(id_, principal)
        turns = tuple(self._turn(turn, n, principal) for n, turn in enumerate(rows, start=1))
        self._record("conversation.read", principal, id_, turns)
        return Conversation(row.id, self._opened("title", row.id, row.title), turns)

    def turn(
        self,
        id_: str,
        turn_id: int,
        principal: Principal,
        *,
        action: str = "conversation.read",
    ) -> KeptTurn:
        """One turn of it, on the audit record as `action`."""
        _, rows = self._get(id_, principal)
        for number, row in enumerate(rows, start=1):
            if row.id == turn_id:
                turn = self._turn(row, number, principal)
                self._record(action, principal, id_, (turn,))
                return turn
        raise NotFound("There is no such answer in this conversation.")

    def shared(self, share: str, principal: Principal) -> KeptTurn:
        """The turn that a link leads to, with what *this* reader may see; on the audit record."""
        row = self._rows.shared(principal.tenant, share)
        if self._is_over(row.asked):
            raise NotFound("There is no such answer, or it is not shared with you.")
        turn = self._turn(row, 1, principal)
        self._record("conversation.shared", principal, row.conversation_id, (turn,))
        return turn

    def recent(
        self, principal: Principal, *, limit: int, before: datetime | None = None
    ) -> list[Listed]:
        """Somebody's conversations, that last gone on with first."""
        if not self.keeps(principal):
            return []
        rows = self._rows.recent(_owner(principal), limit=limit, before=before)
        rows = [row for row in rows if not self._is_over(row.updated)]
        counts = self._rows.counts([row.id for row in rows])
        return [self._listed(row, counts.get(row.id, 0)) for row in rows]

    def search(self, words: str, principal: Principal, *, limit: int) -> list[Listed]:
        """Somebody's conversations with a question, or a title, that holds all of `words`."""
        wanted = words.casefold().split()
        asked: dict[str, list[str]] = {}
        for row in self._rows.questions(_owner(principal), limit=_SEARCHED):
            question = self._opened("question", row.conversation_id, row.question)
            asked.setdefault(row.conversation_id, []).append(question)
        found: list[Listed] = []
        for listed in self.recent(principal, limit=_SEARCHED):
            mine = asked.get(listed.id, [])
            holding = tuple(question for question in mine if _holds(question, wanted))
            if holding or _holds(listed.title, wanted):
                found.append(
                    Listed(listed.id, listed.title, listed.updated, listed.turns, holding[:3])
                )
        return found[:limit]

    def own_questions(self, principal: Principal, *, limit: int) -> list[str]:
        """The last things that somebody asked, each once."""
        if not self.keeps(principal):
            return []
        rows = self._rows.questions(_owner(principal), limit=4 * limit)
        opened = (self._opened("question", row.conversation_id, row.question) for row in rows)
        return list(dict.fromkeys(opened))[:limit]

    def rename(self, id_: str, title: str, principal: Principal) -> None:
        """Give a conversation another title.

        Raises:
            BadInput: The title is empty or longer than MOST_TITLE_CHARS.
        """
        title = " ".join(title.split())
        if not 0 < len(title) <= MOST_TITLE_CHARS:
            raise BadInput(f"A title has 1 to {MOST_TITLE_CHARS} characters.")
        self._get(id_, principal)
        self._audit.append(entry("conversation.rename", principal, {"conversation": id_}))
        sealed = self._sealed("title", id_, title, principal.tenant)
        self._rows.rename(_owner(principal), id_, sealed)

    def delete(self, id_: str | None, principal: Principal) -> int:
        """Delete a conversation, or with None all of somebody's; on the record before it is."""
        if id_ is not None:
            self._get(id_, principal)
        detail = {"conversation": id_ or "all"}
        self._audit.append(entry("conversation.delete", principal, detail))
        return self._rows.delete(_owner(principal), id_)

    def share(self, id_: str, turn_id: int, principal: Principal, *, is_shared: bool) -> None:
        """Make an answer's link for colleagues, or end it; on the record before it is."""
        self._own(id_, turn_id, principal)
        action = "conversation.share" if is_shared else "conversation.unshare"
        self._audit.append(entry(action, principal, {"conversation": id_, "turn": turn_id}))
        self._rows.set_share(_owner(principal), turn_id, is_shared=is_shared)

    def vote(
        self, id_: str, turn_id: int, principal: Principal, *, is_helpful: bool, reason: str
    ) -> None:
        """Note what somebody thinks of an answer. Raises BadInput for a very long reason."""
        if len(reason) > MOST_REASON_CHARS:
            raise BadInput(f"A reason has at most {MOST_REASON_CHARS} characters.")
        self._own(id_, turn_id, principal)
        told = reason.strip()
        sealed = self._sealed("reason", id_, told, principal.tenant) if told else None
        detail = {"conversation": id_, "turn": turn_id, "helpful": is_helpful}
        self._audit.append(entry("conversation.vote", principal, detail))
        self._rows.vote(_owner(principal), turn_id, is_helpful=is_helpful, reason=sealed)

    def votes(self, principal: Principal, *, days: int, limit: int = MOST_VOTES) -> Votes:
        """What answers to questions of the last `days` were voted; on the audit record.

        A question and a reason may repeat what documents say, so that they are told where the
        principal may read all of those that the answer showed, also as near to the question.

        Raises:
            Forbidden: The principal neither audits nor administers.
        """
        if not principal.may(Scope.AUDIT, Scope.ADMIN):
            raise Forbidden("Only an auditor or an admin may look at votes; ask for such a key.")
        since = datetime.now(UTC) - timedelta(days=days)
        which = {"since": since, "updated": self._oldest()}
        counts = self._rows.vote_counts(principal.tenant, **which)
        rows = self._rows.voted(principal.tenant, **which, limit=limit)
        readable: Collection[str] = ()
        if principal.reads_documents:
            drawn_from = sorted({id_ for row in rows for id_ in row.documents})
            readable = self._live(drawn_from, read_scope(principal)).keys()
        told = [row.turn for row in rows if self._is_open(row, readable, principal)]
        detail = {"days": days, "turns": [turn.id for turn in told]}
        self._audit.append(entry("conversation.votes", principal, detail))
        return Votes(
            helpful=counts.get(True, 0),
            unhelpful=counts.get(False, 0),
            told=tuple(self._vote(turn) for turn in told),
            withheld=len(rows) - len(told),
        )

    def expire(self) -> int:
        """Delete conversations whose time is over; gives how many. Where none is kept, all."""
        return self._rows.expire(self._oldest())

    def held_of(self, tenant: str, label: str) -> list[dict[str, Any]]:
        """All that somebody asked, and what they said of the answers, in plain JSON types."""
        rows = self._rows.questions(Owner(tenant, label), limit=_SEARCHED)
        return [
            {
                "conversation": row.conversation_id,
                "asked": row.asked.isoformat(),
                "question": self._opened("question", row.conversation_id, row.question),
                "found": row.kind,
                "helpful": row.is_helpful,
                "reason": self._reason(row),
            }
            for row in rows
        ]

    def _get(self, id_: str, principal: Principal) -> tuple[ConversationRow, list[TurnRow]]:
        row, rows = self._rows.get(_owner(principal), id_)
        if self._is_over(row.updated):
            raise NotFound("This conversation is not kept any more.")
        return row, rows

    def _own(self, id_: str, turn_id: int, principal: Principal) -> None:
        if self._rows.turn(_owner(principal), turn_id).conversation_id != id_:
            raise NotFound("There is no such answer in this conversation.")

    def _turn(self, row: TurnRow, number: int, principal: Principal) -> KeptTurn:
        body = None
        if row.answer is not None:
            body = self._sealer.open(row.answer, _context("answer", row.conversation_id))
        return KeptTurn(
            id=row.id,
            number=number,
            asked=row.asked,
            question=self._opened("question", row.conversation_id, row.question),
            shown=None if body is None else self._answers.show(body, read_scope(principal)),
            is_gone=body is None and row.kind is not None,
            share=row.share,
            is_helpful=row.is_helpful,
            reason=self._reason(row),
        )

    def _is_open(self, row: VotedRow, readable: Collection[str], principal: Principal) -> bool:
        """Whether a vote's words can repeat nothing but what the principal may read."""
        turn = row.turn
        if not all(id_ in readable for id_ in row.documents):
            return False
        if turn.kind == AnswerKind.NONE:
            return True
        if turn.answer is None or not row.documents:  # nobody knows what it was drawn from
            return False
        body = self._sealer.open(turn.answer, _context("answer", turn.conversation_id))
        # Of a document that is gone only the answer itself still tells.
        return body is not None and not self._answers.show(body, read_scope(principal)).withheld

    def _vote(self, row: TurnRow) -> Vote:
        question = self._opened("question", row.conversation_id, row.question)
        return Vote(row.asked, question, row.kind, bool(row.is_helpful), self._reason(row))

    def _listed(self, row: ConversationRow, turns: int) -> Listed:
        return Listed(row.id, self._opened("title", row.id, row.title), row.updated, turns)

    def _reason(self, row: TurnRow) -> str:
        return self._opened("reason", row.conversation_id, row.reason) if row.reason else ""

    def _record(
        self, action: str, principal: Principal, id_: str, turns: Sequence[KeptTurn]
    ) -> None:
        named = {id_ for turn in turns if turn.shown for id_ in turn.shown.documents}
        detail = {"conversation": id_, "documents": sorted(named)}
        self._audit.append(entry(action, principal, detail))

    def _sealed(self, what: str, id_: str, text: str, tenant: str) -> bytes:
        return self._sealer.seal(text.encode("utf-8", "replace"), _context(what, id_), tenant)

    def _opened(self, what: str, id_: str, sealed: bytes) -> str:
        opened = self._sealer.open(sealed, _context(what, id_))
        return "…" if opened is None else opened.decode()  # the key is another one than it was

    def _oldest(self) -> datetime:
        return datetime.now(UTC) - self._keep

    def _is_over(self, last: datetime) -> bool:
        return last < self._oldest()


def _owner(principal: Principal) -> Owner:
    return Owner(principal.tenant, principal.label)


def _context(what: str, id_: str) -> str:
    return f"conversation {what}\n{id_}"


def _holds(text: str, words: Sequence[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)
