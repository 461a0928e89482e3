"""Calendars: every entry with its fields, whatever program wrote it and however it is folded."""

from pathlib import Path

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from tests.parsed import headings, of_kind

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
DTSTART;TZID=Europe/Paris:20260914T093000
DTEND;TZID=Europe/Paris:20260914T110000
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,-1FR;UNTIL=20261231T000000Z
SUMMARY:Comité d’inves
 tissement
LOCATION:Salle 4.12
ORGANIZER;CN=Ana Weber:mailto:ana@example.org
ATTENDEE;CN=Bo:mailto:bo@example.org
DESCRIPTION:Ordre du jour\\nBudget 2027\\, effectifs
ATTACH;ENCODING=BASE64;VALUE=BINARY:{picture}
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261227
SUMMARY:Betriebsferien
END:VEVENT
BEGIN:VTODO
DUE:20260930T170000
SUMMARY:Bericht
END:VTODO
END:VCALENDAR
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_calendar_is_read_entry_by_entry_unfolded_with_its_fields(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.ics", CALENDAR.replace("{picture}", "QUJD" * 400))

    found = pool.parse(path, name="a.ics")

    assert [text for _, text in headings(found)] == [
        "Comité d’investissement",
        "Betriebsferien",
        "Bericht",
    ]
    assert of_kind(found, ElementKind.PARAGRAPH) == [
        "Start: 14.09.2026 09:30 (Europe/Paris)\nEnd: 14.09.2026 11:00 (Europe/Paris)\n"
        "Repeats: weekly, every 2, on Monday, last Friday, until 31.12.2026\nLocation: Salle 4.12\n"
        "Organizer: Ana Weber <ana@example.org>\nAttendees: Bo <bo@example.org>\n"
        "Reminder: 15 min before",
        "Ordre du jour\nBudget 2027, effectifs",
        "Start: 24.12.2026\nEnd: 26.12.2026",
        "Due: 30.09.2026 17:00",
    ]


OUTLOOK = """BEGIN:VCALENDAR
METHOD:{method}
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID="W. Europe Standard Time":20260915T093000
DTEND;TZID="W. Europe Standard Time":20260915T110000
RECURRENCE-ID;TZID="W. Europe Standard Time":20260914T093000
SUMMARY;LANGUAGE=de:Prüfung der Jahresabschlüsse für die Beteiligungen
LOCATION:Köln\\, Große Straße 4\\; Raum „Ä“
ORGANIZER;CN="Weber, Ana: Büro":mailto:ana@example.org
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Bo:mailto:bo@example.org
ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=DECLINED;CN=Jo:MAILTO:jo@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:di@example.org
PRIORITY:1
CLASS:CONFIDENTIAL
X-ALT-DESC;FMTTYPE=text/html:<html><body><p>Summe <b>1.234\\,50</b> €</p></body></html>
END:VEVENT
END:VCALENDAR
"""


def folded(text: str, width: int) -> bytes:
    """Lines of at most so many bytes: letters of two bytes are cut in half, as programs do."""
    lines = []
    for line in text.encode().split(b"\n"):
        parts = [line[at : at + width] for at in range(0, max(1, len(line)), width)]
        lines.append(b"\r\n ".join(parts))
    return b"\r\n".join(lines)


def test_a_cancelled_occurrence_says_what_it_was_part_of_and_who_had_answered_what(
    pool: ParserPool, tmp_path: Path
) -> None:
    fields = {}
    for method, width in (("CANCEL", 34), ("REQUEST", 41)):
        path = tmp_path / f"{method}.ics"
        path.write_bytes(folded(OUTLOOK.format(method=method), width))
        found = pool.parse(path, name=path.name)
        assert found.title == "Prüfung der Jahresabschlüsse für die Beteiligungen"
        fields[method] = of_kind(found, ElementKind.PARAGRAPH)

    zone = "(W. Europe Standard Time)"
    assert fields["CANCEL"] == [
        f"Start: 15.09.2026 09:30 {zone}\nEnd: 15.09.2026 11:00 {zone}\n"
        f"Series: this occurrence alone, instead of 14.09.2026 09:30 {zone}\nStatus: cancelled\n"
        "Priority: high\nClass: confidential\nLocation: Köln, Große Straße 4; Raum „Ä“\n"
        "Organizer: Weber, Ana: Büro <ana@example.org>\n"
        "Attendees: Bo <bo@example.org> (accepted), Jo <jo@example.org> (optional, declined), "
        "di@example.org",
        "Summe 1.234,50 €",
    ]
    assert "Status" not in fields["REQUEST"][0]


RULES = """BEGIN:VCALENDAR
VERSION:2.0
X-WR-CALNAME:Comité
BEGIN:VEVENT
DTSTART;TZID=America/New_York:20260914T193000
DURATION:P1DT2H30M
RRULE:FREQ=MONTHLY;BYDAY=TU,TH;BYSETPOS=-1;UNTIL=20261231T045959Z
EXDATE;TZID=America/New_York:20261013T193000,20261110T193000
EXDATE;VALUE=DATE:20261224
RDATE:20261222T140000Z
SUMMARY:Board
DESCRIPTION:<p>Agenda</p><ul><li>Budget 12\\,5 %</li></ul>
BEGIN:VALARM
TRIGGER;RELATED=END:PT10M
END:VALARM
BEGIN:VALARM
TRIGGER:-P1D
END:VALARM
BEGIN:VALARM
TRIGGER;VALUE=DATE-TIME:20260914T080000Z
END:VALARM
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20260301
RRULE:FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=-1,15;COUNT=4
SUMMARY:Inventur
END:VEVENT
BEGIN:VTODO
DUE;VALUE=DATE:20260930
PERCENT-COMPLETE:40
STATUS:IN-PROCESS
SUMMARY:Tax return
END:VTODO
BEGIN:VFREEBUSY
FREEBUSY:20260914T080000Z/20260914T090000Z,20260915T080000Z/PT1H30M
END:VFREEBUSY
END:VCALENDAR
"""


def test_rules_of_recurrence_exceptions_and_reminders_are_told_in_words(
    pool: ParserPool, tmp_path: Path
) -> None:
    found = pool.parse(write(tmp_path / "a.ics", RULES), name="a.ics")

    assert found.title == "Comité"
    zone = "(America/New_York)"
    assert of_kind(found, ElementKind.PARAGRAPH) == [
        f"Start: 14.09.2026 19:30 {zone}\nDuration: 1 d 2 h 30 min\n"
        "Repeats: monthly, on Tuesday, Thursday, of these the last, until 30.12.2026\n"
        "Also on: 22.12.2026 14:00 (UTC)\n"
        "Not on: 13.10.2026 19:30, 10.11.2026 19:30, 24.12.2026\n"
        "Reminder: 10 min after the end\nReminder: 1 d before\nReminder: 14.09.2026 08:00 (UTC)",
        "Agenda",
        "Start: 01.03.2026\nRepeats: yearly, in month 3, 9, on the last day, day 15, 4 times",
        "Due: 30.09.2026\nStatus: in process\nDone: 40 %",
        "Busy: 14.09.2026 08:00 (UTC) to 14.09.2026 09:00 (UTC)\n"
        "Busy: 15.09.2026 08:00 (UTC) to 15.09.2026 09:30 (UTC)",
    ]
    assert of_kind(found, ElementKind.LIST_ITEM) == ["Budget 12,5 %"]


def test_fields_that_follow_no_rule_are_shown_as_they_stand(
    pool: ParserPool, tmp_path: Path
) -> None:
    text = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:2026-09-14 09:30\nRRULE:FREQ=SOMETIMES\n"
        "SUMMARY:Réunion générale\nThis line is no field\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    path = tmp_path / "a.ics"
    path.write_bytes(text.encode("latin-1"))

    found = pool.parse(path, name="a.ics")

    assert found.pages[0].text == (
        "Réunion générale\n\nStart: 2026-09-14 09:30\nRepeats: FREQ=SOMETIMES"
    )
    assert ["1 lines that are no fields" in warning for warning in found.warnings] == [True]


def test_a_calendar_that_is_cut_off_is_read_in_part(pool: ParserPool, tmp_path: Path) -> None:
    whole = OUTLOOK.format(method="PUBLISH")
    cut = write(tmp_path / "a.ics", whole[: whole.index("ORGANIZER")])

    found = pool.parse(cut, name="a.ics")

    assert "Location: Köln, Große Straße 4; Raum „Ä“" in found.pages[0].text
    assert ["cut off" in warning for warning in found.warnings] == [True]
