"""Passages and a question -> the messages for a language model, within its context.

The wording stands in `prompts/`, one file a language and a purpose; the hash of a file is the
version that an answer names.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.fence import harmless, label
from sovereign_rag.answering.question_kind import question_kind
from sovereign_rag.answering.reading import Reading, readings
from sovereign_rag.domain import LANGUAGES, Passage
from sovereign_rag.errors import BadInput
from sovereign_rag.generation.protocol import LanguageModel, Message

NOT_FOUND = "NOT FOUND"
"""What the prompts ask a model to say where the passages hold no answer."""

_FENCE = "passage"
_PART = re.compile(r"^\[(\w+)\]\n", re.MULTILINE)


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
    kinds: Mapping[str, str]  # what is added for a kind of question
    version: str  # e.g. "fr-3f9c2a71"

    def asking(self, question: str, language: str, passages: str) -> str:
        """The user's message that asks `question` over passages between their marks."""
        kind = self.kinds.get(question_kind(question, language), "")
        return self.user.format(
            passages=passages,
            kind=f"{kind}\n" if kind else "",
            question=harmless(question, _FENCE),
        )


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
    parts = _PART.split(text)[1:]  # name, text, name, text, ...
    said = {name: part.strip() for name, part in zip(parts[::2], parts[1::2], strict=True)}
    version = f"{language}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return Wording(said.pop("system"), said.pop("user"), said, version)


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
    in_time: int,
) -> Prompt:
    """The messages that ask `question` over what of the passages there is time to read.

    Args:
        extracts: Best first.
        max_tokens: Of the answer.
        in_time: Tokens of a prompt that there is time for.

    Raises:
        BadInput: Not even the best extract fits beside the question.
    """
    texts = wording(language)
    most = language_model.info.context_tokens - max_tokens

    def messages(read: Sequence[Reading]) -> tuple[Message, ...]:
        user = texts.asking(question, language, fenced(read))
        return Message("system", texts.system), Message("user", user)

    def count(read: Sequence[Reading]) -> int:
        return language_model.count_tokens(messages(read))

    read = readings(extracts, count, most=most, in_time=in_time)
    if count(read) > most:
        raise BadInput(
            "The question does not fit the language model's context beside one passage: shorten "
            "it, or raise generation.context_tokens."
        )
    return Prompt(messages(read), texts.version, tuple(r.passage for r in read))


def fenced(read: Sequence[Reading]) -> str:
    """What a model reads, each passage between marks that name its document and headings."""
    return "\n".join(
        f"<{_FENCE} {number}: {_named(reading.passage)}>\n"
        f"{harmless(reading.text, _FENCE)}\n</{_FENCE}>"
        for number, reading in enumerate(read, start=1)
    )


def _named(passage: Passage) -> str:
    """The title and the headings that a passage stands under, without what is said twice."""
    names = dict.fromkeys((passage.title, *passage.chunk.heading_path))
    return " / ".join(label(name) for name in names if name)
