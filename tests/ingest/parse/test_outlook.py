"""What Outlook keeps is read: whatever the code page, whatever kind of item, also winmail.dat."""

from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError
from tests.ingest.parse.compound import (
    ADDRESS,
    APPOINTMENT,
    BINARY,
    BOOL,
    COMMON,
    DOUBLE,
    INT,
    NARROW,
    TASK,
    TIME,
    WIDE,
    Property,
    message,
    tnef,
)
from tests.parsed import GERMAN, headings, of_kind

CLASS, SUBJECT, BODY, RTF, HTML = 0x001A, 0x0037, 0x1000, 0x1009, 0x1013
LOCALE, INTERNET, OWN = 0x3FF1, 0x3FDE, 0x3FFD
NOON = datetime(2026, 9, 14, 7, 30, tzinfo=UTC)
HTML_AS_RICH = (
    rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\htmltag50 <body>}"
    rb"{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Der Vertrag gilt drei Monate. \htmlrtf\par}\htmlrtf0 "
    rb"{\*\htmltag72 </p>}{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Preis:{\*\htmltag84 &nbsp;}"
    rb"\htmlrtf \'a0\htmlrtf0 1.234,50 {\*\htmltag84 &euro;}\htmlrtf \'80\htmlrtf0 "
    rb"\htmlrtf\par}\htmlrtf0 {\*\htmltag72 </p>}{\*\htmltag64 <li>}\htmlrtf {\pntext \'b7\tab}"
    rb"\htmlrtf0 Ein Punkt{\*\htmltag72 </li>}\htmlrtf\par\htmlrtf0 {\*\htmltag58 </body>}}"
)
RICH = b"{\\rtf1\\ansi Der Vertrag gilt {\\b drei} Monate.\\par 5 x 10{\\super 6} Euro.}"


def mail(*properties: Property) -> list[Property]:
    return [(CLASS, WIDE, "IPM.Note"), (SUBJECT, WIDE, "Angebot"), *properties]


def uncompressed(rich: bytes) -> bytes:
    size = len(rich)
    return b"".join(n.to_bytes(4, "little") for n in (size + 12, size)) + b"MELA\0\0\0\0" + rich


@pytest.mark.parametrize(
    ("encoding", "page", "number", "text"),
    [
        ("cp1252", LOCALE, 1031, "Prüfung für Köln"),
        ("cp1251", LOCALE, 1049, "Договор поставки"),
        ("cp1250", LOCALE, 1045, "Umowa została zawarta"),
        ("big5", INTERNET, 950, "格式測試"),
        ("cp932", OWN, 932, "契約書の確認"),
        ("utf-8", LOCALE, 1031, "Prüfung für Köln"),
    ],
)
def test_text_is_read_in_the_code_page_of_its_message(
    pool: ParserPool, tmp_path: Path, encoding: str, page: int, number: int, text: str
) -> None:
    path = message(
        tmp_path / "a.msg",
        [
            (CLASS, NARROW, b"IPM.Note"),
            (SUBJECT, NARROW, text.encode(encoding)),
            (BODY, NARROW, f"{text}.".encode(encoding)),
            (page, INT, number),
        ],
    )

    found = pool.parse(path, name="a.msg")

    assert (found.title, found.warnings) == (text, ())
    assert of_kind(found, ElementKind.PARAGRAPH) == [f"{text}."]


def test_the_html_of_a_message_has_a_code_page_of_its_own(pool: ParserPool, tmp_path: Path) -> None:
    page = f"<html><body><p>{GERMAN}</p><p>Größe</p></body></html>".encode("cp1252")
    path = message(
        tmp_path / "a.msg", mail((HTML, BINARY, page), (INTERNET, INT, 1252), (LOCALE, INT, 1049))
    )

    found = pool.parse(path, name="a.msg")

    assert of_kind(found, ElementKind.PARAGRAPH) == [GERMAN, "Größe"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (RICH, ["Der Vertrag gilt drei Monate.", "5 x 10⁶ Euro."]),
        (HTML_AS_RICH, ["Der Vertrag gilt drei Monate.", "Preis: 1.234,50 €", "Ein Punkt"]),
        (
            rb"{\rtf1\ansi\fromtext \deff0{\fonttbl{\f0 Arial;}} \pard\f0 One.\par Two.\par}",
            ["One.", "Two."],
        ),
        (
            rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}\f0 "
            rb"\'c4\'ee\'e3\'ee\'e2\'ee\'f0 \u8470?\par}",
            ["Договор №"],
        ),
    ],
    ids=["rich text", "a page", "plain text", "Cyrillic"],
)
def test_a_body_that_is_rich_text_alone_is_read(
    pool: ParserPool, tmp_path: Path, body: bytes, said: list[str]
) -> None:
    path = message(tmp_path / "a.msg", mail((RTF, BINARY, uncompressed(body))))

    found = pool.parse(path, name="a.msg")

    assert of_kind(found, ElementKind.PARAGRAPH) + of_kind(found, ElementKind.LIST_ITEM) == said
    assert found.warnings == ()


def test_people_and_encoded_headers_are_shown_as_they_are_meant(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = message(
        tmp_path / "a.msg",
        [
            (CLASS, WIDE, "IPM.Note"),
            (SUBJECT, WIDE, "=?iso-8859-1?Q?R=FCckfrage?="),
            (BODY, WIDE, "Ja."),
            (0x0C1A, WIDE, "Ana Weber"),
            (0x5D01, WIDE, "ana@example.org"),
            (0x0039, TIME, NOON),
        ],
        recipients=[
            [(0x3001, WIDE, "Bo"), (0x39FE, WIDE, "bo@example.org"), (0x0C15, INT, 1)],
            [(0x3001, WIDE, "Cy"), (0x39FE, WIDE, "cy@example.org"), (0x0C15, INT, 2)],
        ],
    )

    found = pool.parse(path, name="a.msg")

    assert found.title == "Rückfrage"
    assert (
        "From: Ana Weber <ana@example.org>\nTo: Bo <bo@example.org>\nCc: Cy <cy@example.org>\n"
        "Date: 2026-09-14 07:30:00"
    ) in found.pages[0].text


APPOINTED: list[Property] = [
    (CLASS, WIDE, "IPM.Appointment"),
    (SUBJECT, WIDE, "Budgetrunde"),
    ((APPOINTMENT, 0x820D), TIME, NOON),
    ((APPOINTMENT, 0x820E), TIME, NOON.replace(hour=9)),
    ((APPOINTMENT, 0x8208), WIDE, "Saal 4.12"),
    ((APPOINTMENT, 0x8232), WIDE, "jeden Montag"),
]
ZONE = "W. Europe Standard Time"
DEFINED = b"\2\1\0\0\0\0" + len(ZONE).to_bytes(2, "little") + ZONE.encode("utf-16-le") + b"\0\0"


@pytest.mark.parametrize(
    ("properties", "lines"),
    [
        (
            [*APPOINTED, ((APPOINTMENT, 0x825E), BINARY, DEFINED)],
            [
                "Start: 14.09.2026 09:30 (Europe/Berlin)",
                "End: 14.09.2026 11:30 (Europe/Berlin)",
                "Location: Saal 4.12",
                "Recurrence: jeden Montag",
            ],
        ),
        (APPOINTED, ["Start: 14.09.2026 07:30 (UTC)"]),
        (
            [
                *APPOINTED[:2],
                ((APPOINTMENT, 0x820D), TIME, NOON.replace(hour=0, minute=0)),
                ((APPOINTMENT, 0x8215), BOOL, 1),
            ],
            ["Start: 14.09.2026"],
        ),
        (
            [
                (CLASS, WIDE, "IPM.Contact"),
                (SUBJECT, WIDE, "Ana Weber"),
                (0x3A16, WIDE, "Moulin SARL"),
                (0x3A08, WIDE, "+33 4 50 44 68 99"),
                ((ADDRESS, 0x8083), WIDE, "ana@example.org"),
                ((ADDRESS, 0x801B), WIDE, "1242 chemin\nMalaucène"),
            ],
            [
                "Company: Moulin SARL",
                "Business phone: +33 4 50 44 68 99",
                "E-mail: ana@example.org",
                "Business address: 1242 chemin, Malaucène",
            ],
        ),
        (
            [
                (CLASS, WIDE, "IPM.Task"),
                (SUBJECT, WIDE, "Bericht"),
                ((TASK, 0x8105), TIME, NOON),
                ((TASK, 0x8101), INT, 1),
                ((TASK, 0x8102), DOUBLE, 0.25),
                ((TASK, 0x811F), WIDE, "Bo"),
            ],
            ["Due: 14.09.2026", "Status: In progress", "Done: 25%", "Owner: Bo"],
        ),
        (
            [
                (CLASS, WIDE, "IPM.Activity"),
                (SUBJECT, WIDE, "Anruf"),
                ((COMMON, 0x8516), TIME, NOON),
            ],
            ["Start: 14.09.2026 07:30 (UTC)"],
        ),
    ],
)
def test_appointments_contacts_and_tasks_show_their_fields(
    pool: ParserPool, tmp_path: Path, properties: list[Property], lines: list[str]
) -> None:
    path = message(tmp_path / "a.msg", properties)

    found = pool.parse(path, name="a.msg")

    said = found.pages[0].text.split("\n")
    assert [line for line in lines if line not in said] == []


def test_attachments_of_a_message_are_read(pool: ParserPool, tmp_path: Path) -> None:
    attached: list[Property] = [(0x3707, WIDE, "Größe.txt"), (0x3701, BINARY, GERMAN.encode())]
    path = message(tmp_path / "a.msg", mail((BODY, WIDE, "Anbei.")), attachments=[attached])

    found = pool.parse(path, name="a.msg")

    assert headings(found) == [(0, "Angebot"), (1, "Attachment: Größe.txt")]
    assert GERMAN in found.pages[0].text


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (mail((BODY, NARROW, "Prüfung läuft.".encode("cp1252"))), "Prüfung läuft."),
        (mail((RTF, BINARY, uncompressed(RICH))), "Der Vertrag gilt drei Monate."),
        (mail((HTML, BINARY, f"<p>{GERMAN}</p>".encode())), GERMAN),
        (APPOINTED, "Location: Saal 4.12"),
    ],
)
def test_winmail_dat_is_opened(
    pool: ParserPool, tmp_path: Path, properties: list[Property], said: str
) -> None:
    path = tnef(tmp_path / "winmail.dat", properties, {"Größe.txt": b"Anlage 3 gilt."})

    found = pool.parse(path, name="winmail.dat")

    assert said in found.pages[0].text
    assert "Attachment: Größe.txt" in found.pages[0].text
    assert "Anlage 3 gilt." in found.pages[0].text


def test_winmail_dat_in_a_mail_is_opened_too(pool: ParserPool, tmp_path: Path) -> None:
    data = tnef(tmp_path / "winmail.dat", mail((BODY, WIDE, GERMAN))).read_bytes()
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "a@example.org", "Angebot"
    outer.set_content("See attachment.")
    outer.add_attachment(data, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    (tmp_path / "a.eml").write_bytes(bytes(outer))

    found = pool.parse(tmp_path / "a.eml", name="a.eml")

    assert GERMAN in found.pages[0].text
    assert found.warnings == ()


def test_a_message_in_a_winmail_dat_is_read_with_its_own_attachments_at_any_depth(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "winmail.dat"
    inner = tnef(path, mail((BODY, WIDE, GERMAN)), {"a.csv": b"Ort;Summe\nBern;-3,1"}).read_bytes()
    middle = tnef(path, mail((BODY, WIDE, "Anbei.")), messages=[inner]).read_bytes()
    tnef(path, mail((BODY, WIDE, "Weiter.")), {"b.txt": b"Anlage 3 gilt."}, messages=[middle])

    found = pool.parse(path, name="winmail.dat")

    text = found.pages[0].text
    assert [
        said for said in ("Weiter.", "Anlage 3 gilt.", "Anbei.", GERMAN) if said not in text
    ] == []
    assert of_kind(found, ElementKind.TABLE) == ["Ort | Summe\nBern | -3,1"]
    assert found.warnings == ()


def test_winmail_dat_that_is_cut_off_keeps_what_there_is_or_is_refused(
    pool: ParserPool, tmp_path: Path
) -> None:
    whole = tnef(tmp_path / "winmail.dat", mail((BODY, WIDE, GERMAN)), {"a.txt": b"x" * 50})
    cut = tmp_path / "cut.dat"
    cut.write_bytes(whole.read_bytes()[:-90])
    shorter = tmp_path / "shorter.dat"
    shorter.write_bytes(whole.read_bytes()[:60])

    assert GERMAN in pool.parse(cut, name="winmail.dat").pages[0].text
    with pytest.raises(DocumentError):
        pool.parse(shorter, name="winmail.dat")


def test_a_data_file_of_outlook_is_refused_with_a_way_out_that_exists_for_it(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "archive.pst"
    path.write_bytes(b"!BDN" + bytes(600))

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="archive.pst")

    assert refusal.value.reason == "unsupported"
    assert "drag them into a folder" in str(refusal.value)
    assert "readpst" in str(refusal.value)
