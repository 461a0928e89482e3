"""Formats that an administrator meets every week: calendars, cards, subtitles, drawings, ..."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError
from tests.ingest.parse.pages import picture, shown, write_pdf
from tests.parsed import ENGLISH, FRENCH, GERMAN, headings, of_kind


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "card",
    [
        "BEGIN:VCARD\nVERSION:3.0\nN:Weber;Ana;;;\nFN:Ana Weber\nORG:Moulin SARL;Einkauf\n"
        "TEL;TYPE=WORK,VOICE:+33 4 50\nEMAIL:ana@example.org\n"
        "ADR;TYPE=WORK:;;Rue 3;Köln;;50667;DE\n"
        "BDAY:1980-03-05\nNOTE:Zeile 1\\nZeile 2\\, Ende\nPHOTO;ENCODING=b:{picture}\nEND:VCARD\n",
        "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Weber;Ana\n"
        "FN:Ana Weber\nORG:Moulin SARL;Einkauf\nTEL;WORK;VOICE:+33 4 50\n"
        "EMAIL;INTERNET:ana@example.org\n"
        "ADR;WORK;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:;;Rue 3;=\nK=C3=B6ln;;50667;DE\n"
        "BDAY:19800305\nNOTE;ENCODING=QUOTED-PRINTABLE:Zeile 1=0AZeile 2, Ende\n"
        "PHOTO;JPEG;ENCODING=BASE64:{picture}\nEND:VCARD\n",
        "BEGIN:VCARD\nVERSION:4.0\nFN:Ana Weber\nORG:Moulin SARL;Einkauf\n"
        "TEL;VALUE=uri;TYPE=work:tel:+33 4 50\nEMAIL:ana@example.org\n"
        'ADR;TYPE=work;LABEL="Rue 3; Köln":;;Rue 3;Köln;;50667;DE\nBDAY:19800305\n'
        "NOTE:Zeile 1\\nZeile 2\\, Ende\nPHOTO:data:image/png;base64,{picture}\nEND:VCARD\n",
    ],
)
def test_an_address_card_of_every_version_is_read_with_its_fields(
    pool: ParserPool, tmp_path: Path, card: str
) -> None:
    path = write(tmp_path / "a.vcf", card.replace("{picture}", "QUJD" * 400))

    found = pool.parse(path, name="a.vcf")

    assert found.title == "Ana Weber"
    assert of_kind(found, ElementKind.PARAGRAPH) == [
        "Company: Moulin SARL, Einkauf\nPhone (work): +33 4 50\nE-mail: ana@example.org\n"
        "Address (work): Rue 3, Köln, 50667, DE\nBirthday: 05.03.1980\nNote: Zeile 1\nZeile 2, Ende"
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.srt",
            "1\n00:00:01,000 --> 00:00:04,000\nBonjour, le budget formation est de\n\n2\n"
            "00:00:04,100 --> 00:00:07,000\n<i>douze mille</i> euros pour 2026.\n\n3\n"
            "00:01:05,000 --> 00:01:07,000\nMerci.\n",
        ),
        (
            "a.vtt",
            "WEBVTT\n\nNOTE made by hand\n\n00:01.000 --> 00:04.000 align:start\nBonjour, le "
            "budget formation est de\n\n00:04.100 --> 00:07.000\ndouze mille euros pour 2026.\n\n"
            "01:05.000 --> 01:07.000\nMerci.\n",
        ),
        (  # of another program: a byte order mark, line ends of Windows, a place and a style
            "b.srt",
            "\ufeff1\r\n00:00:01,000 --> 00:00:04,000\r\nBonjour, le budget\r\nformation est de\r\n"
            "\r\n2\r\n00:00:04,100 --> 00:00:07,000 X1:10\r\n{\\an8}douze mille euros pour 2026."
            "\r\n\r\n\r\n3\r\n00:01:05,000 --> 00:01:07,000\r\nMerci.",
        ),
    ],
)
def test_a_sentence_over_several_subtitles_is_one_sentence_and_its_time_is_shown(
    pool: ParserPool, tmp_path: Path, name: str, text: str
) -> None:
    found = pool.parse(write(tmp_path / name, text), name=name)

    assert of_kind(found, ElementKind.PARAGRAPH) == [
        "Bonjour, le budget formation est de douze mille euros pour 2026.",
        "Merci.",
    ]
    assert [time[-5:] for time in of_kind(found, ElementKind.FURNITURE)] == ["00:01", "01:05"]


def test_the_words_on_a_gif_are_recognised(pool: ParserPool, tmp_path: Path) -> None:
    picture("Meldestelle im Erdgeschoss").save(tmp_path / "a.gif")

    found = pool.parse(tmp_path / "a.gif", name="a.gif")

    assert found.media_type == "image/gif"
    assert "Meldestelle im Erdgeschoss" in found.pages[0].text


def test_a_visio_drawing_has_its_pages_and_their_lettering(
    pool: ParserPool, tmp_path: Path
) -> None:
    v = 'xmlns="http://schemas.microsoft.com/office/visio/2012/main"'
    r = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    rels = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    kind = "http://schemas.microsoft.com/visio/2010/relationships/page"
    shape = "<Shape ID='{}'><Cell N='PinX' V='{}'/><Cell N='PinY' V='{}'/><Text>{}</Text></Shape>"
    drawn = shape.format(1, 1, 2, "Freigabe") + shape.format(2, 1, 9, f"<cp IX='0'/>{GERMAN}")
    path = tmp_path / "a.vsdx"
    with zipfile.ZipFile(path, "w") as file:
        main = "application/vnd.ms-visio.drawing.main+xml"
        file.writestr(
            "[Content_Types].xml",
            f'<Types><Override PartName="/visio/document.xml" ContentType="{main}"/></Types>',
        )
        file.writestr("visio/document.xml", f"<VisioDocument {v}/>")
        file.writestr(
            "visio/pages/pages.xml",
            f'<Pages {v} {r}><Page ID="0" Name="Ablauf"><Rel r:id="r1"/></Page></Pages>',
        )
        file.writestr(
            "visio/pages/_rels/pages.xml.rels",
            f'<Relationships {rels}><Relationship Id="r1" Type="{kind}" Target="page1.xml"/>'
            "</Relationships>",
        )
        file.writestr(
            "visio/pages/page1.xml", f"<PageContents {v}><Shapes>{drawn}</Shapes></PageContents>"
        )

    found = pool.parse(path, name="a.vsdx")

    assert (found.paged, found.pages[0].name) == (True, "Ablauf")
    assert of_kind(found, ElementKind.PARAGRAPH) == [GERMAN, "Freigabe"]


def iwork(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("Index/Document.iwa", b"\0")
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_pages_numbers_and_keynote_are_read_by_their_preview_and_refused_without_one(
    pool: ParserPool, tmp_path: Path
) -> None:
    pages = write_pdf(tmp_path / "p.pdf", [shown(ENGLISH), shown("Page two.")]).read_bytes()
    image = io.BytesIO()
    picture("Jahresbericht 2026").save(image, "JPEG")
    whole = iwork(tmp_path / "a.pages", {"QuickLook/Preview.pdf": pages})
    first = iwork(tmp_path / "b.numbers", {"preview.jpg": image.getvalue()})
    none = iwork(tmp_path / "c.key", {})

    read, partly = (pool.parse(path, name=path.name) for path in (whole, first))

    assert [page.text for page in read.pages] == [ENGLISH, "Page two."]
    assert read.warnings == ()
    assert "Jahresbericht 2026" in partly.pages[0].text
    assert ["first page" in warning for warning in partly.warnings] == [True]
    with pytest.raises(DocumentError, match="Export To"):
        pool.parse(none, name="c.key")


def test_a_flat_opendocument_text_is_read_like_another(pool: ParserPool, tmp_path: Path) -> None:
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    names += 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    comment = "<office:annotation><text:p>Ask Ana.</text:p></office:annotation>"
    path = write(
        tmp_path / "a.fodt",
        f'<?xml version="1.0"?><office:document {names} office:version="1.3" '
        'office:mimetype="application/vnd.oasis.opendocument.text"><office:body><office:text>'
        f'<text:h text:outline-level="1">Vertrag</text:h><text:p>{FRENCH}{comment}</text:p>'
        "</office:text></office:body></office:document>",
    )

    found = pool.parse(path, name="a.fodt")

    assert headings(found) == [(0, "Vertrag")]
    assert of_kind(found, ElementKind.PARAGRAPH) == [FRENCH]
    assert ["Ask Ana." in text for text in of_kind(found, ElementKind.HIDDEN)] == [True]


@pytest.mark.parametrize(
    ("name", "data", "way"),
    [
        ("a.rar", b"Rar!\x1a\x07\x01\x00" + bytes(64), "Unpack it"),
        ("plan.dwg", b"AC1032" + bytes(64), "Export it as PDF"),
        ("kunden.sqlite", b"SQLite format 3\0" + bytes(200), "CSV or XLSX"),
        ("rede.mp3", b"ID3\x03\0\0\0\0\0\x0f" + bytes(64), "transcript"),
        ("font.ttf", b"\0\1\0\0\0\x0a\0\x80\0\3\0 " + bytes(64), "Leave it out"),
        ("a.ps", b"%!PS-Adobe-3.0\n" + b"showpage\n" * 9, "Export it as PDF"),
        ("setup.exe", b"MZ" + bytes(62) + b"PE\0\0" + bytes(64), "is a program"),
        ("a.bin", b"\x8f\x01\x02\0" * 64, "leave it out"),
    ],
)
def test_what_is_not_read_is_refused_with_a_way_out_for_that_very_format(
    pool: ParserPool, tmp_path: Path, name: str, data: bytes, way: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name=name)

    assert refusal.value.reason == "unsupported"
    assert way in str(refusal.value)


def test_an_animation_says_how_many_pictures_of_it_were_read(
    pool: ParserPool, tmp_path: Path
) -> None:
    frames = [picture("Meldestelle").convert("P"), Image.new("P", (1654, 1169))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)

    found = pool.parse(tmp_path / "a.gif", name="a.gif")

    assert len(found.pages) == 1
    assert ["1 of 2 images" in warning for warning in found.warnings] == [True]
