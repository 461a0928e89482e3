"""Calendars (ICS): entries with their fields, one line each.

Source: RFC 5545 (iCalendar).
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path

from icalendar import BrokenCalendarProperty, Calendar, Component
from icalendar.parser import unescape_backslash

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode, one_line
from ingest.parse.mail.folding import unfolded
from ingest.parse.mail.recurrence import repeats
from ingest.parse.markup.html import html_blocks
from ingest.parse.markup.plain import text_blocks
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

MOMENT, DAY = "%d.%m.%Y %H:%M", "%d.%m.%Y"
_ENTRIES = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Journal", "VFREEBUSY": "Busy"}
_MOMENTS = (("Start", "DTSTART"), ("End", "DTEND"), ("Due", "DUE"), ("Completed", "COMPLETED"))
_TEXTS = (
    *(("Location", "LOCATION"), ("Categories", "CATEGORIES"), ("Contact", "CONTACT")),
    *(("Resources", "RESOURCES"), ("Web page", "URL")),
)
_PRIORITIES = {**dict.fromkeys("1234", "high"), "5": "normal", **dict.fromkeys("6789", "low")}
_ROLES = {"CHAIR": "chair", "OPT-PARTICIPANT": "optional", "NON-PARTICIPANT": "for information"}
_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentative"}
_ANSWERS |= {"DELEGATED": "delegated"}
_MARKUP = re.compile(
    r"</?(?:html|body|p|br|div|span|ul|ol|li|table|b|i|u|a)\b[^<>]*>", re.IGNORECASE
)
_EDGE = re.compile(r"(?im)^(BEGIN|END):[ \t]*([\w-]+)[ \t]*$")
_CUT_OFF = "The calendar is cut off: what stood behind its last line is missing. Export it anew."


def read_calendar(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of iCalendar files.

    Raises:
        DocumentError: "broken".
    """
    del job
    text, is_cut_off = _closed(decode(unfolded(path.read_bytes())))
    try:
        calendars = Calendar.from_ical(text, multiple=True)
    except (ValueError, IndexError, KeyError) as error:
        raise DocumentError(
            "broken", f"The calendar is damaged ({error}). Export it anew from its program."
        ) from error
    entries = [
        (entry, _text(calendar.get("METHOD", "")).upper() == "CANCEL")
        for calendar in calendars
        for entry in calendar.walk()
        if entry.name in _ENTRIES
    ]
    names = (one_line(str(calendar.get("X-WR-CALNAME", ""))) for calendar in calendars)
    title = next(filter(None, names), None)
    if title is None and len(entries) == 1:
        title = one_line(str(entries[0][0].get("SUMMARY", ""))) or None
    made = (b for entry, is_cancelled in entries for b in _entry(entry, is_cancelled))
    warnings = [_CUT_OFF] * is_cut_off
    lost = sum(name is None for c in calendars for part in c.walk() for name, _ in part.errors)
    if lost:
        warnings.append(f"The calendar has {lost} lines that are no fields; they were not read.")
    return unpaged(made, title=title, warnings=tuple(warnings))


def _closed(text: str) -> tuple[str, bool]:
    """A calendar with the ends of what it leaves open, and whether there were such."""
    left_open: list[str] = []
    for edge, name in _EDGE.findall(text.replace("\r", "")):
        if edge.upper() == "BEGIN":
            left_open.append(name)
        elif left_open and left_open[-1].upper() == name.upper():
            left_open.pop()
    ends = "".join(f"\r\nEND:{name}" for name in reversed(left_open))
    return text + ends, bool(left_open)


def _entry(entry: Component, is_cancelled: bool) -> Iterator[Block | None]:
    summary = one_line(str(entry.get("SUMMARY", "")))
    yield block(ElementKind.TITLE, summary or _ENTRIES[entry.name or "VEVENT"], 1)
    yield block(ElementKind.PARAGRAPH, "\n".join(_lines(entry, is_cancelled)))
    described = "\n\n".join(str(found) for found in _all(entry, "DESCRIPTION"))
    rich = unescape_backslash(str(entry.get("X-ALT-DESC", "")))
    if described.strip() and not _MARKUP.search(described):
        yield from text_blocks(described)
    elif page := described.strip() or rich:
        yield from html_blocks(page)
    for comment in _all(entry, "COMMENT"):
        yield from text_blocks(str(comment))


def _lines(entry: Component, is_cancelled: bool) -> Iterator[str]:
    """The fields of an entry, each with its label."""
    yield from (f"{label}: {said}" for label, name in _MOMENTS if (said := _moment(entry, name)))
    if entry.get("DTEND") is None and (length := _length(_value(entry.get("DURATION")))):
        yield f"Duration: {length}"
    if one := _value(entry.get("RECURRENCE-ID")):
        yield f"Series: {_of_series(entry, one)}"
    start = _value(entry.get("DTSTART"))
    yield from (f"Repeats: {repeats(rule, start)}" for rule in _all(entry, "RRULE"))
    for label, name in (("Also on", "RDATE"), ("Not on", "EXDATE")):
        if days := [said for found in _all(entry, name) for said in _dates(found, entry)]:
            yield f"{label}: {', '.join(days)}"
    yield from (f"Busy: {period}" for found in _all(entry, "FREEBUSY") for period in _busy(found))
    if status := "CANCELLED" if is_cancelled else _text(entry.get("STATUS", "")):
        yield f"Status: {status.replace('-', ' ').lower()}"
    yield from _standing(entry)
    for label, name in _TEXTS:
        if said := ", ".join(filter(None, map(_text, _all(entry, name)))):
            yield f"{label}: {said}"
    for label, name in (("Organizer", "ORGANIZER"), ("Attendees", "ATTENDEE")):
        if said := ", ".join(map(_person, _all(entry, name))):
            yield f"{label}: {said}"
    links = (str(found) for found in _all(entry, "ATTACH"))
    yield from (f"Attachment: {link}" for link in links if re.match(r"https?://", link))
    yield from _alarms(entry)


def _standing(entry: Component) -> Iterator[str]:
    if done := _text(entry.get("PERCENT-COMPLETE", "")):
        yield f"Done: {done} %"
    if priority := _PRIORITIES.get(_text(entry.get("PRIORITY", ""))):
        yield f"Priority: {priority}"
    kept = _text(entry.get("CLASS", "")).lower()
    if kept not in {"", "public"}:
        yield f"Class: {kept}"


def _value(found: object) -> object:
    """The moment, day or length that a property holds; None where there is none to be read."""
    with suppress(BrokenCalendarProperty):
        return getattr(found, "dt", None)
    return None


def _moment(entry: Component, name: str) -> str:
    found = entry.get(name)
    value = _value(found)
    if not isinstance(value, date):
        return one_line(str(found or ""))  # no date that could be read
    if name == "DTEND" and not isinstance(value, datetime):
        value -= timedelta(days=1)  # the day after the last
        if value == _value(entry.get("DTSTART")):
            return ""
    return _shown(value, _zone(found))


def _zone(found: object) -> str:
    """The time zone that a property names, in the words of its file."""
    return str(getattr(found, "params", {}).get("TZID", ""))


def _shown(value: date, zone: str = "") -> str:
    if not isinstance(value, datetime):
        return value.strftime(DAY)
    if not zone and value.tzinfo is not None:
        zone = str(value.tzinfo)
    return value.strftime(MOMENT) + (f" ({zone})" if zone else "")


def _of_series(entry: Component, one: object) -> str:
    """Which part of a series an entry speaks of, and where it has moved, from when."""
    found = entry.get("RECURRENCE-ID")
    later = str(getattr(found, "params", {}).get("RANGE", "")).upper() == "THISANDFUTURE"
    said = "this occurrence and all later ones" if later else "this occurrence alone"
    if isinstance(one, date) and one != _value(entry.get("DTSTART")):
        said += f", instead of {_shown(one, _zone(found))}"
    return said


def _dates(found: object, entry: Component) -> Iterator[str]:
    """Days or moments of a list; their zone where it isn't the one that the entry starts in."""
    try:
        values = [_value(one) for one in getattr(found, "dts", ())]
    except BrokenCalendarProperty:
        yield one_line(str(found))
        return
    zone = _zone(found)
    start = entry.get("DTSTART")
    usual = _zone(start) or str(getattr(_value(start), "tzinfo", None) or "")
    for value in values:
        one = value[0] if isinstance(value, tuple) else value
        if isinstance(one, datetime):
            own = zone or str(one.tzinfo or "")
            yield one.strftime(MOMENT) + (f" ({own})" if own not in {"", usual} else "")
        elif isinstance(one, date):
            yield one.strftime(DAY)


def _busy(found: object) -> Iterator[str]:
    """The stretches of time that somebody isn't free in."""
    try:
        periods = [_value(one) for one in getattr(found, "dts", (found,))]
    except BrokenCalendarProperty:
        periods = []
    for period in periods:
        if not isinstance(period, tuple):
            continue
        start, end = period
        end = start + end if isinstance(end, timedelta) else end
        yield f"{_shown(start)} to {_shown(end)}"


def _length(value: object) -> str:
    if not isinstance(value, timedelta):
        return ""
    minutes = abs(int(value.total_seconds())) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = ((days, "d"), (hours, "h"), (rest, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _alarms(entry: Component) -> Iterator[str]:
    for alarm in entry.walk("VALARM"):
        trigger = alarm.get("TRIGGER")
        value = _value(trigger)
        if isinstance(value, datetime):
            yield f"Reminder: {_shown(value)}"
        elif isinstance(value, timedelta):
            of_end = str(getattr(trigger, "params", {}).get("RELATED", "")).upper() == "END"
            when = f"{'before' if value < timedelta() else 'after'}{' the end' if of_end else ''}"
            at_once = "at the end" if of_end else "at the start"
            yield f"Reminder: {f'{_length(value)} {when}' if value else at_once}"


def _all(entry: Component, name: str) -> list[object]:
    found = entry.get(name)
    if found is None:
        return []
    return list(found) if isinstance(found, list) else [found]


def _text(value: object) -> str:
    with suppress(BrokenCalendarProperty):
        if (cats := getattr(value, "cats", None)) is not None:
            return one_line(", ".join(map(str, cats)))
    return one_line(str(value))


def _person(value: object) -> str:
    """Name and address, and what they are to the meeting or have answered."""
    given = getattr(value, "params", {})
    name = str(given.get("CN", ""))
    address = re.sub(r"(?i)^mailto:", "", str(value))
    known = (
        _ROLES.get(str(given.get("ROLE", "")).upper()),
        _ANSWERS.get(str(given.get("PARTSTAT", "")).upper()),
    )
    said = ", ".join(filter(None, known))
    person = f"{name} <{address}>" if name and name != address else address
    return one_line(f"{person} ({said})" if said else person)
