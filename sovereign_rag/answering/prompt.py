"""Passages and a question -> the messages for a language model, within its context.

The wording stands in `prompts/`, one file a language and a purpose; the hash of a file is the
version that an answer names.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.fence import harmless, label
from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.domain import LANGUAGES, Passage
from sovereign_rag.errors import BadInput
from sovereign_rag.generation.protocol import LanguageModel, Message
from sovereign_rag.text.sentences import sentences

NOT_FOUND = "NOT FOUND"
"""What the prompts ask a model to say where the passages hold no answer."""

_FENCE = "passage"
_NEIGHBOURHOOD = 240  # characters kept on either side of an extract


@dataclass(frozen=True, slots=True)
class Prompt:
    messages: tuple[Message, ...]
    version: str  # e.g. "fr-3f9c2a71"
    passages: tuple[Passage, ...]  # those that the model reads


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of a prompt; `user` has places for what is put in."""

    system: str
    user: str
    version: str  # e.g. "fr-3f9c2a71"


ANSWER, FOLLOW_UP = "", "follow_up_"
"""What a prompt is for, as its file's name begins."""


@cache
def wording(language: str, purpose: str = ANSWER) -> Wording:
    """The texts in `language`; in English where we don't speak it."""
    folder = resources.files("sovereign_rag.answering") / "prompts"
    file = folder / f"{purpose}{language}.txt"
    if not file.is_file():
        language, file = "en", folder / f"{purpose}en.txt"
    text = file.read_text(encoding="utf-8")
    system, _, user = text.partition("[user]\n")
    version = f"{language}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return Wording(system.removeprefix("[system]\n").strip(), user.strip(), version)


def system_prompts() -> tuple[str, ...]:
    """The system messages of all languages; they hold nothing of any tenant."""
    return tuple(
        wording(language, purpose).system
        for purpose in (ANSWER, FOLLOW_UP)
        for language in LANGUAGES
    )


def answer_prompts() -> tuple[str, ...]:
    """The versions of the prompts that ask for an answer, of all languages."""
    return tuple(wording(language).version for language in LANGUAGES)


def build_prompt(
    question: str,
    language: str,
    extracts: Sequence[Extract],
    language_model: LanguageModel,
    *,
    max_tokens: int,
) -> Prompt:
    """The messages that ask `question` over the best extracts and what stands around them.

    Not whole passages: on a CPU each prompt token costs, and a small model gives three times as
    many right answers from the sentences that matter. The least needed extracts are left out
    until prompt and answer fit the context.

    Raises:
        BadInput: Not even the best extract fits beside the question.
    """
    texts = wording(language)
    for count in range(len(extracts), 0, -1):
        windows = _windows(extracts[:count])
        fenced = "\n".join(
            f"<{_FENCE} {number}: {label(passage.title)}>\n{harmless(text, _FENCE)}\n</{_FENCE}>"
            for number, (passage, text) in enumerate(windows, start=1)
        )
        messages = (
            Message("system", texts.system),
            Message(
                "user", texts.user.format(passages=fenced, question=harmless(question, _FENCE))
            ),
        )
        if language_model.count_tokens(messages) + max_tokens <= language_model.info.context_tokens:
            return Prompt(messages, texts.version, tuple(passage for passage, _ in windows))
    raise BadInput(
        "The question does not fit the language model's context beside one passage: shorten it, "
        "or raise generation.context_tokens."
    )


def _windows(extracts: Sequence[Extract]) -> list[tuple[Passage, str]]:
    """One text a passage: its extracts with their neighbourhood, in reading order."""
    by_passage: dict[str, list[Extract]] = {}
    for extract in extracts:
        by_passage.setdefault(extract.passage.id, []).append(extract)
    windows: list[tuple[Passage, str]] = []
    for group in by_passage.values():
        passage, text = group[0].passage, group[0].passage.chunk.text
        spans: list[tuple[int, int]] = []
        for extract in sorted(group, key=lambda e: e.start):
            start = max(0, extract.start - _NEIGHBOURHOOD)
            start = 0 if start == 0 else text.find(" ", start) + 1
            end = min(len(text), extract.end + _NEIGHBOURHOOD)
            end = len(text) if end == len(text) else max(extract.end, text.rfind(" ", 0, end))
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], end))
            else:
                spans.append((start, end))
        windows.append((passage, " … ".join(_shown(passage, a, b) for a, b in spans)))
    return windows


def _shown(passage: Passage, start: int, end: int) -> str:
    """`text[start:end]` of the passage, without the sentences that speak to a model."""
    text, shown = passage.chunk.text, ""
    for first, last in sentences(text, passage.chunk.language):
        if speaks_to_a_model(text[first:last]):
            shown += text[start : max(start, min(first, end))]
            start = max(start, last)
    return (shown + text[start : max(start, end)]).strip()
