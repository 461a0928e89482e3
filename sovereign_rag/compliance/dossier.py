"""An answer as evidence: what was asked with which rights, shown and written, by what; signed.

Made of an answer as the API or `ask --json` gave it, once the audit record tells that it was given
here. Months later it is held against the stored texts (`verify`), and computed again (`replay`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sovereign_rag.access import OWNER, Principal, local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.domain import AnswerKind, RequestedKind
from sovereign_rag.errors import ModelError, NotFound
from sovereign_rag.models.inventory import models_in_use
from sovereign_rag.services.container import Service
from sovereign_rag.services.contents import require_taking_along
from sovereign_rag.services.serialization.answers import AnswerOut, CitationOut
from sovereign_rag.storage.audit import entry
from sovereign_rag.storage.audit_all import AllRecords
from sovereign_rag.storage.audit_chain import AuditRecord
from sovereign_rag.version import VERSION

KIND: Final = "answer"

_REQUESTED: Final[Mapping[AnswerKind, RequestedKind]] = {
    AnswerKind.EXTRACTS: "extracts",
    AnswerKind.GENERATED: "generated",
}

Standing = Literal["stands", "stands in a newer version", "changed", "gone"]
"""Of a quote: at its place in the same content; in the document's new text; not there any more;
the document is not there any more."""


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    """What became of a quote."""

    quote: str
    document: str
    title: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Verified:
    """What a dossier is worth today."""

    is_on_record: bool  # the record still tells of the answer, as the dossier says
    quotes: tuple[QuoteCheck, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What an answer that was computed again says otherwise."""

    what: str
    then: Any
    now: Any


def export(service: Service, answer: AnswerOut, principal: Principal) -> dict[str, Any]:
    """What a dossier says of an answer, in plain JSON types; that it is made is on the record.

    Raises:
        NotFound: The record tells of no such answer: it was not given here, or was changed since.
        Forbidden: It, or a document that it was drawn from, is of a level that leaves as no file.
        AuditError: It can't be recorded.
    """
    record = _given(service, answer, principal.tenant)
    if record is None:
        raise NotFound(
            "The audit record tells of no such answer. Give it as `ask --json` or the API wrote "
            "it, on a machine of the installation that wrote it."
        )
    contents = dict(_contents(service, answer, record.entry.tenant))
    level = max(
        int(record.entry.detail.get("level", 0)),
        answer.level,
        *(told["level"] for told in contents.values()),
    )
    require_taking_along(service.settings.labels, level)
    told = {"record": record.number, "documents": sorted(_documents(answer)), "level": level}
    service.audit.append(entry("answer.export", principal, told))
    settings = service.settings
    parts = ("answer", "retrieval", "chunk", "embedding")
    return {
        "version": VERSION,
        "answer": answer.plain(),
        "record": {
            "number": record.number,
            "at": record.entry.at.isoformat(),
            "tenant": record.entry.tenant,
            "principal": record.entry.principal,
            "by": dict(record.entry.by),
            **({"writer": record.writer} if record.writer is not None else {}),
        },
        "level": level,
        "documents": contents,
        "passages": {p.id: _sha256(p.text) for p in answer.passages},
        "models": _passports(service),
        "settings": {name: getattr(settings, name).model_dump(mode="json") for name in parts},
    }


def verify(service: Service, facts: dict[str, Any], principal: Principal) -> Verified:
    """Hold a dossier, whose signature is good, against the record and the stored texts."""
    answer = AnswerOut.model_validate(facts["answer"])
    tenant, told = facts["record"]["tenant"], facts["record"]
    service.audit.append(entry("answer.verify", principal, {"record": told["number"]}))
    record = _given(service, answer, tenant)
    is_on_record = (
        record is not None
        and record.number == told["number"]
        and record.entry.at.isoformat() == told["at"]
        and record.entry.principal == told["principal"]
    )
    quotes = tuple(
        QuoteCheck(c.quote, c.document_id, c.title, _standing(service, c, facts))
        for c in dict.fromkeys(answer.citations)
    )
    return Verified(is_on_record, quotes)


def replay(service: Service, facts: dict[str, Any]) -> list[Difference]:
    """Ask again, with the rights of then, and compare; nothing but times differs: an empty list.

    That it is asked is on the record, as the owner's view of who asked.
    """
    then = AnswerOut.model_validate(facts["answer"])
    asked = AnswerRequest(
        then.question,
        _asker(facts["record"]),
        language=then.language,
        kind=_REQUESTED.get(then.kind),
    )
    now = AnswerOut.of(service.answers.answer(asked))
    return list(_differences(then, now))


def _differences(then: AnswerOut, now: AnswerOut) -> Iterator[Difference]:
    for name in ("kind", "answer", "model", "prompt_version", "index_version", "certainty"):
        before, after = getattr(then, name), getattr(now, name)
        if before != after:
            yield Difference(name, before, after)
    before, after = _quotes(then.citations), _quotes(now.citations)
    if before != after:
        yield Difference("quotes", before, after)
    before, after = ([_sha256(p.text) for p in one.passages] for one in (then, now))
    if before != after:
        yield Difference("passages", len(before), len(after))


def _quotes(citations: Sequence[CitationOut]) -> list[str]:
    return [f"{c.title}, {c.page}: {c.quote}" for c in citations]


def _asker(record: dict[str, Any]) -> Principal:
    who, by = record["principal"].rpartition(" as ")[2], record["by"]
    if who == OWNER:
        return local_owner(record["tenant"])
    return Principal(
        user=who.removeprefix("user:"),
        groups=frozenset(by.get("groups", ())),
        tenant=record["tenant"],
        clearance=int(by.get("clearance", 0)),
        is_view=True,
    )


def _given(service: Service, answer: AnswerOut, tenant: str) -> AuditRecord | None:
    """The last record of an answer like that; what an erasure left of one is none."""
    found = None
    for record in AllRecords(service.audit, service.catalog).read():
        act = record.entry
        if (act.action, act.tenant) == ("answer", tenant) and _is_of(act.detail, answer):
            found = record
    return found


def _is_of(detail: Any, answer: AnswerOut) -> bool:
    shown = [
        (one["document"], [(s["page"], s["start"], s["end"]) for s in one["spans"]])
        for one in detail.get("disclosed", ())
    ]
    passages = [
        (p.document_id, [(s.page, s.start, s.end) for s in p.spans]) for p in answer.passages
    ]
    return (
        (detail.get("question"), detail.get("kind")) == (answer.question, answer.kind)
        and detail.get("model") == answer.model
        and detail.get("statements") == len(answer.statements)
        and shown == passages
    )


def _documents(answer: AnswerOut) -> set[str]:
    return {p.document_id for p in answer.passages} | {c.document_id for c in answer.citations}


def _contents(
    service: Service, answer: AnswerOut, tenant: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for id_ in sorted(_documents(answer)):
        known = service.catalog.documents.known(tenant, id_)
        if known is not None:
            yield id_, {"title": known.title, "sha256": known.content_hash, "level": known.level}


def _passports(service: Service) -> list[dict[str, Any]]:
    try:
        used = models_in_use(service.settings)
    except ModelError:  # it was taken away since
        return []
    return [
        {"id": m.id, "role": m.role, "name": m.name, "sha256": m.sha256, "licence": m.licence}
        | {"source": m.source, "size": m.size, "state": m.state, "known_limits": m.limits}
        for m in used
    ]


def _standing(service: Service, citation: CitationOut, facts: dict[str, Any]) -> Standing:
    known = service.catalog.documents.known(facts["record"]["tenant"], citation.document_id)
    if known is None:
        return "gone"
    parsed = service.content.parsed(known.content_hash, known.parse_key)
    pages = parsed.pages if parsed is not None else ()
    then = facts["documents"].get(citation.document_id, {}).get("sha256")
    at = citation.page or 1
    place = next(
        (page.text[citation.start : citation.end] for page in pages if page.number == at), ""
    )
    if known.content_hash == then and place == citation.quote:
        return "stands"
    return (
        "stands in a newer version" if any(citation.quote in p.text for p in pages) else "changed"
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
