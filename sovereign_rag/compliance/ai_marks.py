"""Marks that a machine reads of what an AI system gave (AI Act, article 50), and their check.

JSON     "ai": {"is_ai_system": true, "written_by_model": …, "digital_source_type": …}
header   AI-Disclosure: mode=machine-generated; model="…"
HTML     <meta name="ai-disclosure" content="…">
files    see `file_marks`
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from sovereign_rag.compliance.file_marks import found_in
from sovereign_rag.services.serialization.ai_mark import SOURCE_TYPES

_META: Final = re.compile(r'<meta\s+name="ai-disclosure"\s+content="mode=(?:machine-generated|ai-)')


def problems(content: bytes) -> list[str]:
    """What is missing of the marks in an answer (JSON, or lines of it), a page (HTML) or a file."""
    if content.startswith((b"%PDF", b"PK")):
        return _of_file(content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return ["this is none of PDF, DOCX, HTML, JSON and Markdown"]
    return _of_file(content) if text.lstrip().startswith("#") else _of_text(text)


def _of_file(content: bytes) -> list[str]:
    told = found_in(content)
    if told is None:
        return ["the file has no machine-readable mark"]
    is_written = told.get("WrittenByModel")
    if is_written not in {"true", "false"}:
        return ["the file does not say whether a model wrote it"]
    if told.get("DigitalSourceType") != SOURCE_TYPES[is_written == "true"]:
        return ["its digital source type is not that of such an answer"]
    if not told.get("AISystemUsed", "").startswith("Sovereign RAG"):
        return ["the file does not name the system that gave it"]
    return []


def _of_text(content: str) -> list[str]:
    if content.lstrip().startswith("<"):
        return [] if _META.search(content) else ['the page has no <meta name="ai-disclosure">']
    try:
        answers = list(_answers(content))
    except ValueError:
        return ["this is none of PDF, DOCX, HTML, JSON and Markdown"]
    if not answers:
        return ["there is no answer in it"]
    return [problem for answer in answers for problem in _of_answer(answer)]


def _answers(content: str) -> Iterator[dict[str, Any]]:
    try:
        found = [json.loads(content)]
    except ValueError:
        found = [json.loads(line) for line in content.splitlines() if line.strip()]
    for one in found:
        if isinstance(one, dict) and "answer" in one:
            yield one


def _of_answer(answer: dict[str, Any]) -> Iterator[str]:
    mark = answer.get("ai")
    if not isinstance(mark, dict) or mark.get("is_ai_system") is not True:
        yield "the answer does not say that an AI system gave it"
        return
    is_written = answer.get("kind") == "generated"
    if mark.get("written_by_model") is not is_written:
        yield f"an answer of kind {answer.get('kind')!r} says otherwise of who wrote it"
    if is_written and not mark.get("model"):
        yield "a model wrote it, and it is not named"
    if mark.get("digital_source_type") != SOURCE_TYPES[is_written]:
        yield "its digital source type is not that of such an answer"
