"""What a model wrote, or the extracts themselves, as the draft of an answer with its notice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.prompt import NOT_FOUND, Prompt
from sovereign_rag.answering.trust import Trust
from sovereign_rag.domain import AnswerKind, HouseMark, RequestedKind, Statement
from sovereign_rag.generation.protocol import Delta, LanguageModel
from sovereign_rag.text.lexicon import pattern


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answer says, before it is told how it came about."""

    kind: AnswerKind
    notice: str = ""
    text: str = ""  # what is said where that is no statement about documents
    statements: tuple[Statement, ...] = ()
    model: str | None = None
    prompt_version: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    house: HouseMark | None = None


def generated(
    text: str,
    checked: tuple[Statement, ...],
    prompt: Prompt,
    language_model: LanguageModel,
    last: Delta,
    language: str,
    *,
    trust: Trust,
) -> Draft:
    """What a model wrote, as it was checked; a model that says NOT FOUND has refused."""
    refused = not checked or NOT_FOUND in text or _says_none(checked[0], language)
    return Draft(
        kind=AnswerKind.NONE if refused else AnswerKind.GENERATED,
        notice="" if refused else _why("generated", language_model, trust, language),
        statements=() if refused else checked,
        model=language_model.info.id,
        prompt_version=prompt.version,
        usage={
            "prompt_tokens": last.prompt_tokens,
            "cached_tokens": last.cached_tokens,
            "completion_tokens": last.completion_tokens,
        },
    )


def _says_none(first: Statement, language: str) -> bool:
    """Whether a draft begins with words of its own for "not found".

    What the passages support is a statement of theirs ("the contract gives no price"), unless it
    speaks of the passages themselves.
    """
    if first.supported and not pattern(language, "answers", "its_reading").search(first.text):
        return False
    return bool(pattern(language, "answers", "say_none").search(first.text))


def withheld(draft: Draft, supported: tuple[Statement, ...], language: str) -> Draft:
    """The draft with what has support alone, and how much was left out."""
    count, every = len(draft.statements) - len(supported), len(draft.statements)
    if not count:
        return draft
    notice = message("withheld", language, count=str(count), all=str(every))
    return replace(
        draft,
        kind=AnswerKind.GENERATED if supported else AnswerKind.NONE,
        notice=f"{draft.notice} {notice}",
        statements=supported,
    )


def extracts_notice(
    kind: RequestedKind, language_model: LanguageModel | None, trust: Trust | None, language: str
) -> str:
    """Why an answer is made of extracts."""
    if kind == "extracts":
        return message("extracts_by_choice", language)
    if language_model is None or trust is None:
        return message("extracts_no_model", language)
    return _why("extracts", language_model, trust, language)


def _why(kind: str, language_model: LanguageModel, trust: Trust, language: str) -> str:
    """The notice of an answer of this kind, with what decided about the model."""
    return message(
        f"{kind}_{'trusted' if trust.trusted else 'untrusted'}_by_{trust.by}",
        language,
        model=language_model.info.name,
        questions=str(trust.questions),
        right=str(trust.right),
        extracts=str(trust.extracts_right),
    )


def distinct(extracts: Sequence[Extract]) -> Iterator[Extract]:
    """The extracts without those that repeat a better one, whole or as a part of it."""
    said: list[str] = []
    for extract in extracts:
        words = " ".join(extract.text.casefold().split())
        if not any(words in other or other in words for other in said):
            said.append(words)
            yield extract
