"""What stands around the box before anything was asked, and what can be chosen beside it."""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from sovereign_rag.access import Principal
from sovereign_rag.catalog.document_overview import Overview
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.services.container import Service
from sovereign_rag.text.locale import Locale

_EXAMPLES: Final = 3
_OWN: Final = 5
_MOST_FOLDERS: Final = 200  # that can be chosen; the fullest
_NAMES: Final = {  # where the usual ending is not what people call it
    "text/plain": "TXT",
    "message/rfc822": "EML",
    "image/jpeg": "JPG",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a question or a list can be narrowed to."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Choices:
    folders: tuple[Choice, ...]
    types: tuple[Choice, ...]
    languages: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class FirstScreen:
    overview: Overview
    examples: tuple[str, ...]
    own: tuple[str, ...]


def first_screen(service: Service, principal: Principal, t: Locale) -> FirstScreen:
    """What one can ask of: counts, questions that the documents at hand answer, one's own last."""
    look = service.first_look.first_look(principal, newest=4 * _EXAMPLES, language=t.language)
    own = tuple(service.conversations.own_questions(principal, limit=_OWN))
    return FirstScreen(look.overview, _examples(look.newest, t), own)


def choices_of(overview: Overview, t: Locale) -> Choices:
    """What the filters offer: nothing that stands in no document of the reader's."""
    folders = list(overview.folders.items())[:_MOST_FOLDERS]
    labels = _folder_labels([uri for uri, _ in folders])
    return Choices(
        folders=tuple(
            sorted((Choice(uri, labels[uri], n) for uri, n in folders), key=lambda c: c.label)
        ),
        types=_choices(overview.media_types, {m: type_label(m) for m in overview.media_types}),
        languages=_choices(
            overview.languages, {code: t.language_name(code) for code in overview.languages}
        ),
    )


def type_label(media_type: str) -> str:
    """A short word for a format, as file names end: PDF, DOCX."""
    ending = mimetypes.guess_extension(media_type) or ""
    return _NAMES.get(media_type) or ending.removeprefix(".").upper() or media_type


def folder_label(uri: str) -> str:
    """A folder as people say it: its last two names."""
    parts = [part for part in unquote(uri).split("/") if part and not part.endswith(":")]
    return "/".join(parts[-2:]) or uri


def _examples(newest: tuple[DocumentRecord, ...], t: Locale) -> tuple[str, ...]:
    """Questions that the newest documents answer; a title that asks one is such a question."""
    titles = list(dict.fromkeys(record.title for record in newest if record.title))
    titles.sort(key=lambda title: not title.rstrip().endswith("?"))
    asked = [
        title if title.rstrip().endswith("?") else t("example.summary", title=title)
        for title in titles[: _EXAMPLES - 1]
    ]
    return (*asked, t("example.list")) if titles else ()


def _choices(counts: Mapping[str, int], labels: Mapping[str, str]) -> tuple[Choice, ...]:
    return tuple(Choice(value, labels[value], n) for value, n in counts.items())


def _folder_labels(uris: list[str]) -> dict[str, str]:
    """The last name where that tells them apart, else two."""
    last = [folder_label(uri).rpartition("/")[2] for uri in uris]
    return {
        uri: name if last.count(name) == 1 else folder_label(uri)
        for uri, name in zip(uris, last, strict=True)
    }
