"""Calendars (ICS) and address cards (VCF): entries with their fields, one line each.

Sources: RFC 5545 (iCalendar), RFC 6350 and its forerunners (vCard).
"""

import quopri
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from icalendar import Calendar, Component
from icalendar.parser import unescape_backslash
from icalendar.prop import vRecur

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode, one_line
from ingest.parse.markup.html import html_blocks
from ingest.parse.markup.plain import text_blocks
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

MOMENT, DAY = "%d.%m.%Y %H:%M", "%d.%m.%Y"
_ENTRIES = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Journal", "VFREEBUSY": "Busy"}
_MOMENTS = (("Start", "DTSTART"), ("End", "DTEND"), ("Due", "DUE"), ("Completed", "COMPLETED"))
_TEXTS = (
    *(("Location", "LOCATION"), ("Status", "STATUS"), ("Categories", "CATEGORIES")),
    *(("Contact", "CONTACT"), ("Resources", "RESOURCES"), ("Web page", "URL")),
)
_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday"}
_DAYS |= {"SA": "Saturday", "SU": "Sunday"}
_CARD_FIELDS = {
    **{"ORG": "Company", "TITLE": "Job title", "ROLE": "Role", "TEL": "Phone", "EMAIL": "E-mail"},
    **{"ADR": "Address", "URL": "Web page", "BDAY": "Birthday", "NOTE": "Note", "LABEL": "Address"},
    **{"NICKNAME": "Nickname", "CATEGORIES": "Categories", "IMPP": "Messenger", "TZ": "Time zone"},
    **{"ANNIVERSARY": "Anniversary", "LANG": "Language", "MAILER": "Mail program"},
    **{"RELATED": "Related", "X-ASSISTANT": "Assistant", "X-MANAGER": "Manager"},
}
_KINDS = frozenset(("home", "work", "cell", "fax", "pager", "main", "mobile", "other", "video"))
_CARD_LINE = re.compile(r'((?:[^:"]|"[^"]*")+):(.*)')
_PARAMETER = re.compile(r'(?:[^;"]|"[^"]*")+')
_COMPACT_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")


def read_calendar(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of iCalendar files.

    Raises:
        DocumentError: "broken".
    """
    del job
    try:
        calendars = Calendar.from_ical(decode(path.read_bytes()), multiple=True)
    except (ValueError, IndexError, KeyError) as error:
        raise DocumentError(
            "broken", f"The calendar is damaged ({error}). Export it anew from its program."
        ) from error
    entries = [e for calendar in calendars for e in calendar.walk() if e.name in _ENTRIES]
    names = (one_line(str(calendar.get("X-WR-CALNAME", ""))) for calendar in calendars)
    title = next(filter(None, names), None)
    if title is None and len(entries) == 1:
        title = one_line(str(entries[0].get("SUMMARY", ""))) or None
    return unpaged((b for entry in entries for b in _entry(entry)), title=title)


def _entry(entry: Component) -> Iterator[Block | None]:
    summary = one_line(str(entry.get("SUMMARY", "")))
    yield block(ElementKind.TITLE, summary or _ENTRIES[entry.name or "VEVENT"], 1)
    lines = [f"{label}: {said}" for label, name in _MOMENTS if (said := _moment(entry, name))]
    if entry.get("DTEND") is None and (length := _length(entry)):
        lines.append(f"Duration: {length}")
    lines += (
        f"Repeats: {_repeats(rule)}" for rule in _all(entry, "RRULE") if isinstance(rule, vRecur)
    )
    if left_out := [said for found in _all(entry, "EXDATE") for said in _dates(found)]:
        lines.append(f"Not on: {', '.join(left_out)}")
    for label, name in _TEXTS:
        if said := ", ".join(filter(None, map(_text, _all(entry, name)))):
            lines.append(f"{label}: {said}")
    for label, name in (("Organizer", "ORGANIZER"), ("Attendees", "ATTENDEE")):
        if said := ", ".join(map(_person, _all(entry, name))):
            lines.append(f"{label}: {said}")
    lines += _alarms(entry)
    yield block(ElementKind.PARAGRAPH, "\n".join(lines))
    described = "\n\n".join(str(found) for found in _all(entry, "DESCRIPTION"))
    rich = str(entry.get("X-ALT-DESC", ""))
    if not described.strip() and rich:
        yield from html_blocks(rich)
    elif described.strip():
        yield from text_blocks(described)
    for comment in _all(entry, "COMMENT"):
        yield from text_blocks(str(comment))


def _moment(entry: Component, name: str) -> str:
    found = entry.get(name)
    value = getattr(found, "dt", None)
    if found is None or value is None:
        return one_line(str(found or ""))  # no date that could be read
    if name == "DTEND" and not isinstance(value, datetime):
        value -= timedelta(days=1)  # the day after the last
        if value == getattr(entry.get("DTSTART"), "dt", None):
            return ""
    return _shown(value, str(getattr(found, "params", {}).get("TZID", "")))


def _shown(value: date, zone: str = "") -> str:
    if not isinstance(value, datetime):
        return value.strftime(DAY)
    if not zone and value.tzinfo is not None:
        zone = str(value.tzinfo)
    return value.strftime(MOMENT) + (f" ({zone})" if zone else "")


def _dates(found: object) -> Iterator[str]:
    for one in getattr(found, "dts", ()):
        value = one.dt[0] if isinstance(one.dt, tuple) else one.dt
        if isinstance(value, date):
            yield value.strftime(DAY if not isinstance(value, datetime) else MOMENT)


def _length(entry: Component) -> str:
    value = getattr(entry.get("DURATION"), "dt", None)
    if not isinstance(value, timedelta):
        return ""
    minutes = int(value.total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = ((days, "d"), (hours, "h"), (rest, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _repeats(rule: vRecur) -> str:
    """A rule of recurrence in words: "weekly, every 2, on Monday, until 31.12.2026"."""
    said = [str(rule.get("FREQ", [""])[0]).lower()]
    interval = rule.get("INTERVAL", [1])[0]
    if interval != 1:
        said.append(f"every {interval}")
    if days := rule.get("BYDAY"):
        said.append("on " + ", ".join(_day_of(str(day)) for day in days))
    if numbers := rule.get("BYMONTHDAY"):
        said.append("on day " + ", ".join(map(str, numbers)))
    if months := rule.get("BYMONTH"):
        said.append("in month " + ", ".join(map(str, months)))
    if count := rule.get("COUNT"):
        said.append(f"{count[0]} times")
    if until := rule.get("UNTIL"):
        said.append(f"until {until[0].strftime(DAY)}")
    return ", ".join(filter(None, said))


def _day_of(day: str) -> str:
    name = _DAYS.get(day[-2:].upper(), day)
    number = day[:-2].lstrip("+")
    return f"{number}. {name}" if number else name


def _alarms(entry: Component) -> Iterator[str]:
    for alarm in entry.walk("VALARM"):
        before = getattr(alarm.get("TRIGGER"), "dt", None)
        if isinstance(before, timedelta) and before <= timedelta():
            yield f"Reminder: {int(-before.total_seconds()) // 60} min before"


def _all(entry: Component, name: str) -> list[object]:
    found = entry.get(name)
    if found is None:
        return []
    return list(found) if isinstance(found, list) else [found]


def _text(value: object) -> str:
    cats = getattr(value, "cats", None)
    return one_line(", ".join(map(str, cats)) if cats is not None else str(value))


def _person(value: object) -> str:
    name = str(getattr(value, "params", {}).get("CN", ""))
    address = re.sub(r"(?i)^mailto:", "", str(value))
    return one_line(f"{name} <{address}>" if name and name != address else address)


def read_cards(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of vCard files, with one card or with many."""
    del job
    cards: list[list[tuple[str, dict[str, list[str]], str]]] = []
    for line in _card_lines(decode(path.read_bytes())):
        if line[0] == "BEGIN" and line[2].upper() == "VCARD":
            cards.append([])
        elif cards:
            cards[-1].append(line)
    titles = [_name(card) for card in cards]
    blocks = (made for card in cards for made in _card(card))
    return unpaged(blocks, title=titles[0] if len(titles) == 1 else None)


def _card_lines(text: str) -> Iterator[tuple[str, dict[str, list[str]], str]]:
    """(name, parameters, value) of each line of a card, unfolded, in whatever version."""
    # Version 2.1 folds quoted-printable values by "=" at the end of a line.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    soft = re.sub(r"(?im)^([^:\n]*QUOTED-PRINTABLE[^:\n]*:.*(?:=\n.*)+)", _joined, text)
    for line in re.sub(r"\n[ \t]", "", soft).split("\n"):
        match = _CARD_LINE.fullmatch(line)
        if match is None:
            continue
        name, *given = _PARAMETER.findall(match.group(1))
        params: dict[str, list[str]] = {}
        for word in given:
            key, equals, value = word.partition("=")
            # Version 2.1 has the values of TYPE without its name.
            values = value.replace('"', "").split(",") if equals else [key]
            params.setdefault(key.upper() if equals else "TYPE", []).extend(values)
        yield name.rpartition(".")[2].upper(), params, _unpacked(match.group(2), params)


def _joined(match: re.Match[str]) -> str:
    return re.sub(r"=\n", "", match.group(1))


def _unpacked(value: str, params: dict[str, list[str]]) -> str:
    given = {word.upper() for words in params.values() for word in words}
    if given & {"B", "BASE64"} or value.startswith("data:"):
        return ""  # a photograph or a key
    if "QUOTED-PRINTABLE" in given:
        charset = next(iter(params.get("CHARSET", [])), "utf-8")
        return decode(quopri.decodestring(value.encode("latin-1", "replace")), charset)
    return value


def _name(card: list[tuple[str, dict[str, list[str]], str]]) -> str:
    found = {name: value for name, _, value in reversed(card)}
    if full := one_line(unescape_backslash(found.get("FN", ""))):
        return full
    family, given, *_ = [*_parts(found.get("N", "")), "", ""]
    return one_line(f"{given} {family}") or one_line(found.get("ORG", ""))


def _card(card: list[tuple[str, dict[str, list[str]], str]]) -> Iterator[Block | None]:
    yield block(ElementKind.TITLE, _name(card), 1)
    lines = []
    for name, params, value in card:
        label = _CARD_FIELDS.get(name)
        if label is None or not value.strip():
            continue
        said = (
            ", ".join(_parts(value))
            if name in {"ADR", "ORG", "CATEGORIES"}
            else unescape_backslash(value)
        )
        said = re.sub(r"(?i)^(tel|mailto):", "", said)
        if name in {"BDAY", "ANNIVERSARY"} and (day := _COMPACT_DAY.match(said)):
            said = "{2}.{1}.{0}".format(*day.groups())
        words = [w.lower() for given in params.get("TYPE", []) for w in given.split(",")]
        kinds = [word for word in words if word in _KINDS]
        lines.append(f"{label}{f' ({chr(44).join(kinds)})' if kinds else ''}: {said.strip()}")
    yield block(ElementKind.PARAGRAPH, "\n".join(lines))


def _parts(value: str) -> list[str]:
    """The parts of a value that has several, without the empty ones."""
    parts = re.split(r"(?<!\\);", value)
    return [one_line(unescape_backslash(part)) for part in parts if part.strip()]
