"""Our nouns as plain JSON types: the one shape that the API and `--json` both print.

Times are ISO 8601 in UTC, sets are sorted lists, enums are their values; nothing here depends on
who asks, so whoever calls has already decided what that person may see.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sovereign_rag.catalog.records import DocumentRecord, JobProgress, JobRecord, TaskRecord
from sovereign_rag.domain import Answer, Box, Citation, Energy, PageText, Passage, Statement

Json = dict[str, Any]
"""An object as `json.dumps` takes it."""


def answer_to_dict(answer: Answer) -> Json:
    """An answer, whole. `citations` repeats those of the statements, in order of appearance."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "kind": answer.kind.value,
        "abstained": answer.abstained,
        "certainty": answer.certainty,
        "confidence": round(answer.confidence, 3),
        "notice": answer.notice,
        "statements": [statement_to_dict(statement) for statement in answer.statements],
        "citations": [citation_to_dict(citation) for citation in answer.citations],
        "passages": [passage_to_dict(passage) for passage in answer.passages],
        "language": answer.language,
        "model": answer.model,
        "prompt_version": answer.prompt_version,
        "index_version": answer.index_version,
        "timings_ms": {name: round(ms, 1) for name, ms in answer.timings_ms.items()},
        "usage": dict(answer.usage),
        "energy": _energy(answer.energy),
        "follow_up": None if answer.follow_up is None else asdict(answer.follow_up),
        "turns_dropped": answer.turns_dropped,
    }


def _energy(energy: Energy | None) -> Json | None:
    return None if energy is None else {"joules": energy.joules, "measured": energy.measured}


def statement_to_dict(statement: Statement) -> Json:
    return {
        "text": statement.text,
        "verdict": statement.verdict.value,
        "supported": statement.supported,
        "citations": [citation_to_dict(citation) for citation in statement.citations],
    }


def citation_to_dict(citation: Citation) -> Json:
    """A citation; `page` is null for a format without pages (its text is page 1 of the API)."""
    return {
        "quote": citation.quote,
        "document_id": citation.document_id,
        "title": citation.title,
        "uri": citation.uri,
        "page": citation.page,
        "start": citation.start,
        "end": citation.end,
        "boxes": [box_to_dict(box) for box in citation.boxes],
        "verified": citation.verified,
        "ocr_confidence": citation.ocr_confidence,
        "passage_id": citation.passage_id,
    }


def passage_to_dict(passage: Passage) -> Json:
    """A passage; `page` is where it begins, null for a format without pages."""
    chunk = passage.chunk
    return {
        "id": passage.id,
        "document_id": chunk.document_id,
        "title": passage.title,
        "uri": passage.uri,
        "page": chunk.spans[0].page if passage.paged else None,
        "spans": [
            {"page": span.page, "start": span.start, "end": span.end} for span in chunk.spans
        ],
        "heading_path": list(chunk.heading_path),
        "kind": chunk.kind,
        "language": chunk.language,
        "text": chunk.text,
        "score": round(passage.score, 6),
        "score_parts": {name: round(part, 6) for name, part in passage.score_parts.items()},
    }


def box_to_dict(box: Box) -> Json:
    """A rectangle in fractions of the page's width and height, origin top left."""
    return {
        "page": box.page,
        "left": box.left,
        "top": box.top,
        "right": box.right,
        "bottom": box.bottom,
    }


def document_to_dict(document: DocumentRecord) -> Json:
    """A document as its readers see it. Who else may read it is theirs to know alone: left out."""
    return {
        "document_id": document.id,
        "uri": document.uri,
        "name": document.name,
        "title": document.title,
        "status": document.status.value,
        "reason": document.reason,
        "media_type": document.media_type,
        "language": document.language,
        "paged": document.paged,
        "pages": document.pages,
        "chunks": document.chunks,
        "size": document.size,
        "sha256": document.content_hash,
        "modified": _time(document.modified),
        "level": document.level,
        "properties": dict(document.properties),
        "created": _time(document.created),
        "updated": _time(document.updated),
    }


def page_to_dict(page: PageText, *, has_image: bool) -> Json:
    """A page's canonical text; `width` and `height` in points, null without positions."""
    return {
        "number": page.number,
        "name": page.name,
        "text": page.text,
        "width": page.width,
        "height": page.height,
        "ocr_confidence": page.ocr_confidence,
        "has_image": has_image,
    }


def job_to_dict(job: JobRecord, tasks: Sequence[TaskRecord] | None = None) -> Json:
    """A job with its counts by state, and its tasks where they are given."""
    body: Json = {
        "job_id": job.id,
        "submitted_by": job.submitted_by,
        "created": _time(job.created),
        "finished": _time(job.finished),
        "cancelled": job.cancelled,
        "state": job.state.value,
        "pause_reason": job.pause_reason,
        "retry_at": _time(job.retry_at),
        "total": job.total,
        "done": job.done,
        "counts": {state.value: count for state, count in job.counts.items()},
    }
    if tasks is not None:
        body["tasks"] = [task_to_dict(task) for task in tasks]
    return body


def progress_to_dict(progress: JobProgress) -> Json:
    """A job with how far it is: what it is at, and what went wrong lately."""
    return {
        **job_to_dict(progress.job),
        "pages_done": progress.pages_done,
        "pages_known": progress.pages_known,
        "chunks": progress.chunks,
        "documents_per_minute": progress.documents_per_minute,
        "pages_per_minute": progress.pages_per_minute,
        "seconds_left": progress.seconds_left,
        "current": [task_to_dict(task) for task in progress.current],
        "failures": [task_to_dict(task) for task in progress.failures],
    }


def task_to_dict(task: TaskRecord) -> Json:
    """One document of a job; its place on this machine's disk stays here."""
    return {
        "task_id": task.id,
        "uri": task.uri,
        "name": task.name,
        "state": task.state.value,
        "reason": task.reason,
        "document_id": task.document_id,
        "pages": task.pages,
        "chunks": task.chunks,
        "attempts": task.attempts,
        "started": _time(task.started),
        "finished": _time(task.finished),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
