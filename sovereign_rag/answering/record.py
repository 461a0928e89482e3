"""What the audit record holds of a question: who asked what, and what was disclosed."""

from collections.abc import Sequence

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.domain import Answer, Passage
from sovereign_rag.storage.audit import disclosed, entry


def search_entry(question: str, principal: Principal, passages: Sequence[Passage]) -> AuditEntry:
    """Of the search that an answer begins with; written before any passage is released."""
    detail = {"question": question, "disclosed": disclosed(passages)}
    return entry("answer.search", principal, detail)


def answer_entry(answer: Answer, principal: Principal) -> AuditEntry:
    """Of the answer itself; written before it is released."""
    detail: dict[str, object] = {
        "question": answer.question,
        "disclosed": disclosed(answer.passages),
        "kind": answer.kind.value,
        "confidence": round(answer.confidence, 3),
        "model": answer.model,
        "models": list(answer.models),
        "prompt": answer.prompt_version,
        "index": answer.index_version,
        "statements": len(answer.statements),
        "level": answer.level,
        "unsupported": sum(not s.supported for s in answer.statements),
    }
    if answer.house is not None:
        detail["curated"] = answer.house.id
    if answer.follow_up is not None:
        detail["understood_as"] = answer.follow_up.question
    return entry("answer", principal, detail)
