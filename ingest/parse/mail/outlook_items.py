"""What Outlook keeps, as it shows it: mails, appointments, contacts, tasks, notes.

Sources: [MS-OXOCAL] appointments, [MS-OXOCNTC] contacts, [MS-OXOTASK] tasks, [MS-OXOSMIME]
protected mails, RFC 2047 for encoded words in headers.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from pathlib import Path
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from ingest.parse.document.attachments import Inner, stored, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft
from ingest.parse.document.job import Job
from ingest.parse.document.text import one_line
from ingest.parse.mail import mapi
from ingest.parse.mail.compressed_rtf import decompressed
from ingest.parse.mail.mapi import Attached, Bag, Key, MapiMessage
from ingest.parse.mail.message import encrypted_mail, mail_draft
from ingest.parse.markup.html import html_blocks
from ingest.parse.markup.plain import text_blocks
from ingest.parse.office.rtf import rtf_draft
from sovereign_rag.errors import DocumentError

MOMENT = "%d.%m.%Y %H:%M"
DAY = "%d.%m.%Y"
_TO, _CC = 1, 2
_START, _END, _WHOLE_DAY = ((mapi.APPOINTMENT, n) for n in (0x820D, 0x820E, 0x8215))
_ZONE, _ZONE_NAME = (mapi.APPOINTMENT, 0x825E), (mapi.APPOINTMENT, 0x8234)
_COMMON_START, _COMMON_END = (mapi.COMMON, 0x8516), (mapi.COMMON, 0x8517)
_PERCENT, _TASK_STATE = (mapi.TASK, 0x8102), (mapi.TASK, 0x8101)
_STATES = ("Not started", "In progress", "Complete", "Waiting on someone else", "Deferred")
_APPOINTMENT_TEXTS: tuple[tuple[str, Key], ...] = (
    ("Location", (mapi.APPOINTMENT, 0x8208)),
    ("Recurrence", (mapi.APPOINTMENT, 0x8232)),
    ("Organizer", 0x0042),
    ("Required attendees", (mapi.APPOINTMENT, 0x823B)),
    ("Optional attendees", (mapi.APPOINTMENT, 0x823C)),
)
_CONTACT_TEXTS: tuple[tuple[str, tuple[Key, ...]], ...] = (
    ("Company", (0x3A16,)),
    ("Department", (0x3A18,)),
    ("Job title", (0x3A17,)),
    ("Business phone", (0x3A08,)),
    ("Business phone 2", (0x3A1B,)),
    ("Company phone", (0x3A57,)),
    ("Home phone", (0x3A09,)),
    ("Home phone 2", (0x3A2F,)),
    ("Mobile phone", (0x3A1C,)),
    ("Other phone", (0x3A1F,)),
    ("Primary phone", (0x3A1A,)),
    ("Assistant's phone", (0x3A2E,)),
    ("Pager", (0x3A21,)),
    ("Business fax", (0x3A24,)),
    ("Home fax", (0x3A25,)),
    ("E-mail", ((mapi.ADDRESS, 0x8084), (mapi.ADDRESS, 0x8083))),
    ("E-mail 2", ((mapi.ADDRESS, 0x8094), (mapi.ADDRESS, 0x8093))),
    ("E-mail 3", ((mapi.ADDRESS, 0x80A4), (mapi.ADDRESS, 0x80A3))),
    ("Messenger", ((mapi.ADDRESS, 0x8062),)),
    ("Web page", ((mapi.ADDRESS, 0x802B), 0x3A51, 0x3A50)),
    ("Business address", ((mapi.ADDRESS, 0x801B),)),
    ("Home address", ((mapi.ADDRESS, 0x801A),)),
    ("Other address", ((mapi.ADDRESS, 0x801C),)),
    ("Postal address", (0x3A15,)),
    ("Office", (0x3A19,)),
    ("Profession", (0x3A46,)),
    ("Manager", (0x3A4E,)),
    ("Assistant", (0x3A30,)),
    ("Spouse", (0x3A48,)),
    ("Nickname", (0x3A4F,)),
)
_TASK_TEXTS: tuple[tuple[str, Key], ...] = (
    ("Owner", (mapi.TASK, 0x811F)),
    ("Recurrence", (mapi.APPOINTMENT, 0x8232)),
)


def item_draft(message: MapiMessage, job: Job, folder: Path) -> DocumentDraft:
    """A message, whatever it is, with what is attached to it.

    Raises:
        DocumentError: "encrypted".
    """
    own = message.properties
    kind = own.text(mapi.CLASS).lower()
    if "smime" in kind and "multipartsigned" not in kind:
        raise encrypted_mail()
    inner = [_attached(attachment) for attachment in message.attachments]
    body, lost = _body(own)
    draft = mail_draft(
        _headers(message), body, [item.name for item in inner], fields=list(_fields(own, kind))
    )
    return with_inner(replace(draft, warnings=tuple(lost)), inner, job, folder)


def _headers(message: MapiMessage) -> dict[str, str]:
    own = message.properties
    kind = own.text(mapi.CLASS).lower()
    headers = {"subject": _spoken(own.text(mapi.SUBJECT, mapi.TOPIC, mapi.NAME))}
    if not kind.startswith(("ipm.contact", "ipm.stickynote", "ipm.distlist")):
        sender = own.text(mapi.SENDER_SMTP, mapi.SENDER_EMAIL)
        headers["from"] = _person(own.text(mapi.SENDER_NAME), sender)
        headers["to"] = _people(message.recipients, _TO)
        headers["cc"] = _people(message.recipients, _CC)
        sent = own.moment(mapi.SENT, mapi.RECEIVED)
        headers["date"] = sent.replace(tzinfo=None, microsecond=0).isoformat(" ") if sent else ""
    headers["message-id"] = own.text(mapi.MESSAGE_ID)
    return headers


def _people(recipients: list[Bag], kind: int) -> str:
    """Those who were addressed in one way; whoever isn't said to be in copy is in the first."""
    found = []
    for person in recipients:
        number = person.number(mapi.RECIPIENT_KIND)
        own = int(number) & 0xF if number is not None else _TO
        if own == kind:
            found.append(_person(person.text(mapi.NAME), person.text(mapi.SMTP, mapi.EMAIL)))
    return ", ".join(filter(None, found))


def _person(name: str, address: str) -> str:
    name, address = _spoken(name), one_line(address)
    if not name or name.strip("'\"") == address or "@" not in address:
        return name or address
    return f"{name} <{address}>"


def _spoken(text: str) -> str:
    """A header's text, without the encoded words that some writers leave in it."""
    if "=?" not in text:
        return one_line(text)
    try:
        return one_line(str(make_header(decode_header(" ".join(text.split())))))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return one_line(text)


def _body(own: Bag) -> tuple[list[Block], list[str]]:
    """The richest version of a body that can be read, and what is to be said of it."""
    blocks = list(html_blocks(mapi.html_of(own)))
    blocks = blocks or list(text_blocks(own.text(mapi.BODY)))
    rich = own.bytes(mapi.RTF)
    if blocks or not rich:
        return blocks, []
    try:
        draft = rtf_draft(decompressed(rich))
    except (ValueError, DocumentError) as error:
        return [], [f"The body of the message was not read: {error}."]
    return [item for page in draft.pages for item in page.blocks], list(draft.warnings)


def _attached(attachment: Attached) -> Inner:
    own = attachment.properties
    name = _spoken(own.text(mapi.LONG_FILE_NAME, mapi.FILE_NAME, mapi.NAME))
    if (message := attachment.message) is not None:
        subject = _spoken(message.properties.text(mapi.SUBJECT))

        def read(folder: Path, job: Job) -> DocumentDraft:
            return item_draft(message, job, folder)

        return Inner(subject[:150] or name or "mail", read)
    return stored(name, own.bytes(mapi.DATA))


def _fields(own: Bag, kind: str) -> Iterator[str]:
    """What an appointment, a contact or a task says beside its text, one line each."""
    if kind.startswith(("ipm.appointment", "ipm.schedule")):
        yield from _appointment(own)
    elif kind.startswith(("ipm.contact", "ipm.distlist")):
        yield from _contact(own)
    elif kind.startswith("ipm.task"):
        yield from _task(own)
    elif kind.startswith("ipm.activity"):
        yield from _times(own, (mapi.COMMON, 0x8516), (mapi.COMMON, 0x8517), None)
    if categories := own.text(mapi.KEYWORDS):
        yield f"Categories: {one_line(categories)}"


def _appointment(own: Bag) -> Iterator[str]:
    start = _START if own.moment(_START) else _COMMON_START
    end = _END if own.moment(_END) else _COMMON_END
    yield from _times(own, start, end, _zone(own))
    for label, key in _APPOINTMENT_TEXTS:
        if said := one_line(own.text(key)):
            yield f"{label}: {said}"


def _times(own: Bag, start: Key, end: Key, zone: tzinfo | None) -> Iterator[str]:
    for label, key in (("Start", start), ("End", end)):
        moment = own.moment(key)
        if moment is None:
            continue
        local = moment.astimezone(zone or UTC)
        if own.number(_WHOLE_DAY) and label == "End" and local.strftime("%H:%M") == "00:00":
            continue  # the day that follows
        form = DAY if own.number(_WHOLE_DAY) else MOMENT
        named = "" if own.number(_WHOLE_DAY) else f" ({getattr(zone, 'key', None) or 'UTC'})"
        yield f"{label}: {local.strftime(form)}{named}"


def _zone(own: Bag) -> tzinfo | None:
    """The time zone in which an appointment was made, by the name that Windows has for it."""
    data = own.bytes(_ZONE)
    length = 2 * int.from_bytes(data[6:8], "little")
    name = data[8 : 8 + length].decode("utf-16-le", "replace")
    known = WINDOWS_TO_OLSON.get(name)
    return ZoneInfo(known) if known else None


def _contact(own: Bag) -> Iterator[str]:
    for label, keys in _CONTACT_TEXTS:
        if said := one_line(own.text(*keys).replace("\n", ", ")):
            yield f"{label}: {said}"
    if birthday := own.moment(0x3A42):
        yield f"Birthday: {_day(birthday)}"


def _task(own: Bag) -> Iterator[str]:
    for label, number in (("Start", 0x8104), ("Due", 0x8105), ("Completed", 0x810F)):
        if (moment := own.moment((mapi.TASK, number))) is not None:
            yield f"{label}: {_day(moment)}"
    state = own.number(_TASK_STATE)
    if state is not None and 0 <= int(state) < len(_STATES):
        yield f"Status: {_STATES[int(state)]}"
    if (share := own.number(_PERCENT)) is not None:
        yield f"Done: {share:.0%}"
    for label, key in _TASK_TEXTS:
        if said := one_line(own.text(key)):
            yield f"{label}: {said}"


def _day(moment: datetime) -> str:
    """A day, which is kept as its midnight in the zone of its writer: at most 12 hours off."""
    shifted = moment.timestamp() + 12 * 3600 if moment.hour >= 12 else moment.timestamp()
    return datetime.fromtimestamp(shifted, UTC).strftime(DAY)
