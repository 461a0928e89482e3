"""Messages -> prompt tokens, by the template inside the model's file.

The template's own marks ([INST], <|im_start|>) become special tokens; whatever stands in a message
stays plain text, so that a passage which spells such a mark can't end its turn and speak as
somebody else. For that the template is rendered over place holders, and tokenised around them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Protocol

from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sovereign_rag.errors import ModelError
from sovereign_rag.generation.protocol import Message

_PLACE = re.compile("\ue000(\\d+)\ue001")  # private use: no template holds it
_GENERATION_TAG = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")
_Turn = tuple[str, tuple[int, ...]]  # a role, and the indices of the messages it says
_MARGIN = 2  # tokens before a seam that what follows it may change


class Vocabulary(Protocol):
    """A model's tokens; every method may be called from any thread."""

    @property
    def marks(self) -> Mapping[str, int]:
        """Special tokens that a template writes as text, by that text."""
        ...

    @property
    def leading_token(self) -> int | None:
        """The token that every prompt begins with; None: it needs none."""
        ...

    @property
    def adds_space(self) -> bool:
        """Whether `tokenize` puts a space in front, as sentencepiece does."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """The tokens of plain text; marks in it are text."""
        ...


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a rendered prompt; `message` is its index, None: the template wrote it."""

    text: str
    message: int | None = None


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """A prompt; its first `public` tokens depend on nothing but messages that are public."""

    tokens: tuple[int, ...]
    public: int


class ChatTemplate:
    """A model's own template, in a sandbox without access to anything."""

    def __init__(self, source: str, *, bos_token: str, eos_token: str) -> None:
        """Compile it.

        Raises:
            ModelError: It isn't a valid jinja2 template.
        """
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals.update(raise_exception=_refuse, strftime_now=_now)
        # A tag of the training libraries around what the assistant says; here it means nothing.
        source = _GENERATION_TAG.sub(
            lambda tag: f"{tag[1]}{'endif' if tag[2] else 'if true'}{tag[3]}", source
        )
        try:
            self._template = environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ModelError(
                f"The model's chat template is broken: {error}. Bring a file whose template is a "
                "valid one."
            ) from error
        self._names = {"bos_token": bos_token, "eos_token": eos_token}

    def render(self, messages: Sequence[Message]) -> list[Segment]:
        """The prompt that asks the model for its next turn, cut at the messages' seams.

        A template without a place for system text gets it in front of the first user message.

        Raises:
            ModelError: The template refuses the messages, or leaves some out.
        """
        turns: list[_Turn] = [(m.role, (i,)) for i, m in enumerate(messages)]
        refusal: Exception | None = None
        for attempt in (turns, _fold_system(turns)):
            try:
                return self._segments(attempt, messages)
            except (TemplateError, TypeError, _LeftOut) as error:
                refusal = error
        raise ModelError(
            f"The model's chat template does not take these messages: {refusal}. Begin with the "
            "user, let user and assistant take turns, or choose another model."
        ) from refusal

    def _segments(self, turns: Sequence[_Turn], messages: Sequence[Message]) -> list[Segment]:
        held = self._render(
            (role, "\n\n".join(f"\ue000{i}\ue001" for i in parts)) for role, parts in turns
        )
        if {int(i) for i in _PLACE.findall(held)} != set(range(len(messages))):
            raise _LeftOut("it leaves out a message")
        plain = self._render(
            (role, "\n\n".join(messages[i].content for i in parts)) for role, parts in turns
        )
        raw = _fill(held, [m.content for m in messages])
        trimmed = _fill(held, [m.content.strip() for m in messages])
        same = "".join(s.text for s in trimmed) == plain != "".join(s.text for s in raw)
        return trimmed if same else raw

    def _render(self, turns: Iterator[tuple[str, str]]) -> str:
        return self._template.render(
            messages=[{"role": role, "content": content} for role, content in turns],
            add_generation_prompt=True,
            tools=None,
            documents=None,
            **self._names,
        )


def encode(
    segments: Sequence[Segment], vocabulary: Vocabulary, *, public: frozenset[int] = frozenset()
) -> PromptTokens:
    """Tokens of a rendered prompt: marks in the template's text alone are special.

    Text between two marks is tokenised as one, whoever wrote it, so that harmless messages give
    the tokens that the whole prompt would give at once.

    Args:
        public: Indices of the messages that hold nothing of any tenant.
    """
    marks = _pattern(vocabulary.marks)
    tokens: list[int] = [] if vocabulary.leading_token is None else [vocabulary.leading_token]
    shared: int | None = None  # tokens before the first that depends on a private message
    run: list[Segment] = []

    def finish_run() -> None:
        nonlocal shared
        found = _tokenize_run(run, vocabulary, marks)
        private = next(
            (k for k, s in enumerate(run) if s.message is not None and s.message not in public),
            None,
        )
        if shared is None and private is not None:
            before = _tokenize_run(run[:private], vocabulary, marks)[:-_MARGIN]
            shared = len(tokens) + (len(before) if found[: len(before)] == before else 0)
        tokens.extend(found)
        run.clear()

    for segment in segments:
        if segment.message is not None:
            run.append(segment)
            continue
        for part in marks.split(segment.text) if marks else [segment.text]:
            mark = vocabulary.marks.get(part)
            if mark is None:
                run.append(Segment(part))
                continue
            finish_run()
            if tokens != [mark] or mark != vocabulary.leading_token:  # the template wrote it too
                tokens.append(mark)
    finish_run()
    return PromptTokens(tuple(tokens), len(tokens) if shared is None else shared)


def _tokenize_run(
    run: Sequence[Segment], vocabulary: Vocabulary, marks: re.Pattern[str] | None
) -> list[int]:
    """Tokens of text without marks; a mark that a message spells is taken apart."""
    run = [segment for segment in run if segment.text]
    text = "".join(segment.text for segment in run)
    if vocabulary.adds_space and run and run[0].message is None:
        # "[INST] " in a template means the space that sentencepiece adds by itself.
        text = text.removeprefix(" ")
    if not text:
        return []
    tokens = vocabulary.tokenize(text)
    forbidden = set(vocabulary.marks.values())
    if marks is None or forbidden.isdisjoint(tokens):
        return tokens
    # Only tokens that a vocabulary calls "user-defined" come here: they are found in any text.
    pieces: list[str] = [""]
    at = 0
    for match in marks.finditer(text):
        middle = (match.start() + match.end() + 1) // 2
        pieces[-1] += text[at:middle]
        pieces.append("")
        at = middle
    pieces[-1] += text[at:]
    return [
        t for piece in pieces if piece for t in vocabulary.tokenize(piece) if t not in forbidden
    ]


def _pattern(marks: Mapping[str, int]) -> re.Pattern[str] | None:
    if not marks:
        return None
    longest_first = sorted(marks, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})")


def _fill(held: str, contents: Sequence[str]) -> list[Segment]:
    segments: list[Segment] = []
    at = 0
    for match in _PLACE.finditer(held):
        index = int(match[1])
        segments += [Segment(held[at : match.start()]), Segment(contents[index], index)]
        at = match.end()
    segments.append(Segment(held[at:]))
    return [s for s in segments if s.text or s.message is not None]


def _fold_system(turns: Sequence[_Turn]) -> list[_Turn]:
    system = tuple(i for role, parts in turns if role == "system" for i in parts)
    folded = [(role, parts) for role, parts in turns if role != "system"]
    for k, (role, parts) in enumerate(folded):
        if role == "user":
            folded[k] = (role, system + parts)
            return folded
    return list(turns)


class _LeftOut(Exception):
    """The template shows the model less than it was given."""


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _now(layout: str) -> str:
    return datetime.now().strftime(layout)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
