"""Options that leave out some of what the asker may read; the same as the API's filters."""

import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sovereign_rag.access import EVERYONE
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.store.protocol import SearchFilter

_PANEL: Final = "Filters: each one given must hold; those that may be repeated: any of their values"
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="Only documents of this type: pdf, docx, xlsx, ... or a media type. May be repeated.",
        rich_help_panel=_PANEL,
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="PATH|URI",
        help="Only this document, or those below this folder. May be repeated.",
        rich_help_panel=_PANEL,
    ),
]
Languages = Annotated[
    list[str] | None,
    typer.Option(
        "--language",
        metavar="CODE",
        help="Only passages in this language: fr, de, en, es, it. May be repeated.",
        rich_help_panel=_PANEL,
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="LABEL",
        help="Only what may be read by this label of the asker's own: everyone, group:NAME, "
        "user:NAME. May be repeated.",
        rich_help_panel=_PANEL,
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DATE",
        help="Only documents last changed on this day or later, e.g. 2024-01-31; or a time, "
        "2024-01-31T12:00+01:00. UTC unless it says.",
        rich_help_panel=_PANEL,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="DATE",
        help="Only documents last changed on this day or earlier; or before this time.",
        rich_help_panel=_PANEL,
    ),
]
Documents = Annotated[
    list[str] | None,
    typer.Option(
        "--document",
        metavar="ID",
        help="Only this document, by the id of `documents list`. May be repeated.",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class Filters:
    """The options that leave something out; one that isn't given leaves nothing out."""

    types: Types = None
    sources: Sources = None
    languages: Languages = None
    labels: Labels = None
    from_: From = None
    to: To = None
    documents: Documents = None

    def search_filter(self) -> "SearchFilter":
        """What the options leave out.

        Raises:
            BadInput: A value isn't of the shape that its option takes.
        """
        from sovereign_rag.store.protocol import SearchFilter

        begin = _moment(self.from_, "--from")
        end = _moment(self.to, "--to", whole_day=True)
        if begin is not None and end is not None and begin >= end:
            raise BadInput(
                f"--from {self.from_} is not before --to {self.to}: no document can be in between."
            )
        return SearchFilter(
            documents=_all(self.documents, _document),
            languages=_all(self.languages, _language),
            media_types=_all(self.types, _media_type),
            sources=_all(self.sources, _source),
            labels=_all(self.labels, _label),
            modified_from=begin,
            modified_before=end,
        )


def _all(given: list[str] | None, read: Callable[[str], str]) -> frozenset[str] | None:
    return frozenset(map(read, given)) if given else None


def _media_type(given: str) -> str:
    name = given.casefold().removeprefix(".")
    if name in _TYPES:
        return _TYPES[name]
    if re.fullmatch(r"[a-z]+/[\w.+-]+", name):
        return name
    raise BadInput(
        f"--type {given} is not known. Write one of {', '.join(_TYPES)}, or a media type such as "
        "application/pdf; `sovereign-rag facets` tells which there are."
    )


def _source(given: str) -> str:
    """A URI as it is, a path as the URI that `ingest` made of it."""
    if re.match(r"[a-z][a-z0-9+.-]*:", given):
        return given
    return f"file://{os.path.abspath(Path(given).expanduser())}"


def _language(given: str) -> str:
    from sovereign_rag.domain import LANGUAGES

    if given not in LANGUAGES:
        raise BadInput(f"--language {given} is not known. Write one of {', '.join(LANGUAGES)}.")
    return given


def _label(given: str) -> str:
    if given != EVERYONE and not re.fullmatch(r"(?:user|group):.+", given):
        raise BadInput(f"--label {given} is none. Write everyone, group:NAME or user:NAME.")
    return given


def _document(given: str) -> str:
    try:
        return str(uuid.UUID(given))
    except ValueError as error:
        raise BadInput(
            f"--document {given} is no document's id; `sovereign-rag documents list` shows them."
        ) from error


def _moment(given: str | None, option: str, *, whole_day: bool = False) -> datetime | None:
    """The time of an option; of a day its beginning, or with `whole_day` its end."""
    if given is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", given):
            day = date.fromisoformat(given) + timedelta(days=whole_day)
            return datetime.combine(day, time(), UTC)
        moment = datetime.fromisoformat(given)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{option} {given} is no date. Write it as 2024-01-31, or with a time as "
            "2024-01-31T12:00."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_OPEN: Final = "application/vnd.oasis.opendocument"
_TYPES: Final = {
    "pdf": "application/pdf",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "doc": "application/msword",
    "ppt": "application/vnd.ms-powerpoint",
    "xls": "application/vnd.ms-excel",
    "odt": f"{_OPEN}.text",
    "ods": f"{_OPEN}.spreadsheet",
    "odp": f"{_OPEN}.presentation",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
    "html": "text/html",
    "md": "text/markdown",
    "txt": "text/plain",
    "csv": "text/csv",
    "xml": "application/xml",
    "eml": "message/rfc822",
    "msg": "application/vnd.ms-outlook",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "tiff": "image/tiff",
}
"""What people call a type, and what documents are stored under."""
