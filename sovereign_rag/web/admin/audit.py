"""The audit record: filtered, newest first, verified, and to take along."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.storage.audit_chain import AuditRecord
from sovereign_rag.storage.audit_search import AuditFilter, documents_of
from sovereign_rag.web.admin.frame import console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
PAGE_OF_RECORDS: Final = 50
MOST_NAMED: Final = 3
"""Documents of one record that are named in its row; all stand in its detail."""

_Admin = Annotated[Principal, Depends(entering(Part.AUDIT))]
_Words = Annotated[str, Query(max_length=200)]
_Day = Annotated[str, Query(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
_MEDIA: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


class _Asked:
    """What the form asks for, as it stands in the address."""

    def __init__(
        self,
        person: _Words = "",
        document: _Words = "",
        action: _Words = "",
        since: _Day = "",
        until: _Day = "",
    ) -> None:
        self.person, self.document, self.action = person.strip(), document.strip(), action.strip()
        self.since, self.until = since, until

    @property
    def filter(self) -> AuditFilter:
        """`until` is the last day that is meant."""
        last = _day(self.until)
        return AuditFilter(
            person=_label(self.person),
            document=self.document or None,
            action=self.action or None,
            since=_day(self.since),
            until=None if last is None else last + timedelta(days=1),
        )

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in vars(self).items() if value})


_AskedFor = Annotated[_Asked, Depends()]


@router.get("/admin/audit")
def audit_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    asked: _AskedFor,
    before: Annotated[str | None, Query(pattern=r"^[a-z0-9:,-]{1,2000}$")] = None,
    verify: Annotated[Literal["", "1"], Query()] = "",
) -> Response:
    desk = service.console.audit
    verified = desk.verify(admin) if verify else None
    page = desk.page(admin, asked.filter, limit=PAGE_OF_RECORDS, before=before)
    return console_page(
        request,
        "audit.html",
        Part.AUDIT,
        principal=admin,
        asked=asked,
        found=page,
        rows=[(r, _told(r, page.titles), _json(dict(r.entry.detail))) for r in page.records],
        writer=desk.writer,
        page_size=PAGE_OF_RECORDS,
        verified=verified,
        is_first=before is None,
    )


@router.get("/admin/audit/export")
def export(
    admin: _Admin,
    service: CurrentService,
    asked: _AskedFor,
    form: Annotated[Literal["csv", "jsonl"], Query()] = "csv",
) -> Response:
    desk = service.console.audit
    records = (_plain(record, desk.writer) for record in desk.export(admin, asked.filter))
    lines = _csv(records) if form == "csv" else (_json(plain) + "\n" for plain in records)
    name = f"audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form}"
    return StreamingResponse(
        lines,
        media_type=_MEDIA[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _label(person: str) -> str | None:
    """People are on the record as user:NAME, but for a few who are nobody's name."""
    if not person or ":" in person or person in {"owner", "system", "nobody"}:
        return person or None
    return f"user:{person}"


def _day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) if text else None
    except ValueError:  # a day that no month has
        return None


def _told(record: AuditRecord, titles: Mapping[str, str]) -> dict[str, str]:
    """The first few documents that a record tells of, with the titles that may be shown."""
    named = islice(documents_of(record.entry), MOST_NAMED)
    return {id_: titles.get(id_, "") for id_ in named}


def _plain(record: AuditRecord, own: str) -> dict[str, Any]:
    entry = record.entry
    return {
        "number": record.number,
        "at": entry.at.isoformat(),
        "action": entry.action,
        "principal": entry.principal,
        "by": dict(entry.by),
        "detail": dict(entry.detail),
        "writer": record.writer or own,
    }


def _csv(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield _row(["number", "at", "action", "principal", "by", "detail", "writer"])
    for plain in records:
        yield _row([v if not isinstance(v, dict) else _json(v) for v in plain.values()])


def _row(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    """What a spreadsheet would compute stays a text."""
    is_formula = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if is_formula else cell


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
