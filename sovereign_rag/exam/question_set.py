"""The exam's passages and questions, as they are shipped in `question_set.toml`."""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class ExamPassage:
    id: str
    language: str  # ISO 639-1
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ExamQuestion:
    id: str
    language: str
    text: str
    answers: tuple[str, ...] = ()  # a right answer holds one of them; none: nothing answers it
    example: str = ""  # a right answer in full


@dataclass(frozen=True, slots=True)
class Paper:
    passages: tuple[ExamPassage, ...]
    questions: tuple[ExamQuestion, ...]
    version: str  # hash of the file, 8 hex digits


@cache
def the_paper() -> Paper:
    """The exam that this version of the product ships."""
    data = resources.files("sovereign_rag.exam").joinpath("question_set.toml").read_bytes()
    content = tomllib.loads(data.decode("utf-8"))
    questions = (
        ExamQuestion(**{**entry, "answers": tuple(entry.get("answers", ()))})
        for entry in content["questions"]
    )
    return Paper(
        passages=tuple(ExamPassage(**entry) for entry in content["passages"]),
        questions=tuple(questions),
        version=hashlib.sha256(data).hexdigest()[:8],
    )
