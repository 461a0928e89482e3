"""Bytes -> media type. The name of a file is a hint between formats that share their bytes."""

import codecs
import email.parser
import re
import zipfile
from pathlib import Path, PurePath
from typing import Final

import magic

from ingest.refusals import refusal
from sovereign_rag.errors import DocumentError

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB: Final = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
DOC: Final = "application/msword"
PPT: Final = "application/vnd.ms-powerpoint"
XLS: Final = "application/vnd.ms-excel"
ODT: Final = "application/vnd.oasis.opendocument.text"
ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
ODP: Final = "application/vnd.oasis.opendocument.presentation"
EPUB: Final = "application/epub+zip"
RTF: Final = "application/rtf"
HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"
RST: Final = "text/x-rst"
ORG: Final = "text/x-org"
TXT: Final = "text/plain"
CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
XML: Final = "application/xml"
EML: Final = "message/rfc822"
MSG: Final = "application/vnd.ms-outlook"
MBOX: Final = "application/mbox"
TNEF: Final = "application/vnd.ms-tnef"
CALENDAR: Final = "text/calendar"
CARD: Final = "text/vcard"
SUBTITLES: Final = "text/vtt"
NOTEBOOK: Final = "application/x-ipynb+json"
VISIO: Final = "application/vnd.ms-visio.drawing"
IWORK: Final = "application/vnd.apple.iwork"
ZIP: Final = "application/zip"
ENCRYPTED_OFFICE: Final = "application/x-encrypted-office"
HEIC: Final = frozenset({"image/heic", "image/heif"})
IMAGES: Final = HEIC | {
    *("image/png", "image/jpeg", "image/tiff", "image/webp", "image/bmp", "image/gif"),
}

MEDIA_TYPES: Final = frozenset(
    {PDF, DOCX, PPTX, XLSX, XLSB, DOC, PPT, XLS, ODT, ODS, ODP, EPUB, RTF, HTML, MARKDOWN, RST}
    | {ORG, TXT, CSV, TSV, XML, EML, MSG, MBOX, TNEF, CALENDAR, CARD, SUBTITLES, NOTEBOOK}
    | {VISIO, IWORK}
    | IMAGES
)
"""Everything that can be read."""

_HEAD_BYTES = 64 * 1024
_NO_TEXT = ("application/postscript", "application/pgp", "image/", "audio/", "video/", "font/")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TNEF = b"\x78\x9f\x3e\x22"
_OUTLOOK_STORE = b"!BDN"

# In OLE files the name of a stream tells the program, whatever the file is called.
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("WordDocument", DOC),
    ("PowerPoint Document", PPT),
    ("Workbook", XLS),
    ("Book", XLS),
    ("__substg1.0_", MSG),
    ("__properties_version1.0", MSG),
)
_OLE_PROGRAMS = (("VisioDocument", ".vsd"), ("Quill/QuillSub/CONTENTS", ".pub"), ("Props9", ".mpp"))
_OOXML_MAIN = (
    ("wordprocessingml", DOCX),
    ("presentationml", PPTX),
    ("ms-word", DOCX),  # with macros, which are never run
    ("ms-powerpoint", PPTX),
    ("sheet.binary", XLSB),
    ("spreadsheetml", XLSX),
    ("ms-visio", VISIO),
    ("ms-excel", XLSX),
)
_TEXT_BY_SUFFIX = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".rst": RST,
    ".org": ORG,
    ".csv": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".xml": XML,
    ".eml": EML,
    ".mbox": MBOX,
    ".mbx": MBOX,
    ".ics": CALENDAR,
    ".ical": CALENDAR,
    ".vcs": CALENDAR,
    ".vcf": CARD,
    ".vcard": CARD,
    ".srt": SUBTITLES,
    ".vtt": SUBTITLES,
    ".ipynb": NOTEBOOK,
    ".txt": TXT,
}
_HTML_START = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TEXT_STARTS = (
    (re.compile(rb"BEGIN:V(?:CALENDAR|EVENT)", re.IGNORECASE), CALENDAR),
    (re.compile(rb"BEGIN:VCARD", re.IGNORECASE), CARD),
    (re.compile(rb"WEBVTT(?:[ \t\r\n]|\Z)"), SUBTITLES),
    (re.compile(rb"\d+[ \t]*\r?\n\d+:\d\d:\d\d[,.]\d+[ \t]+-->"), SUBTITLES),
    (re.compile(rb'\{\s*"(?:cells|nbformat|metadata)"\s*:.*"nbformat"', re.DOTALL), NOTEBOOK),
)
_HTML_PAGE = re.compile(rb"(?:<\?xml[^>]*>\s*)?<(!doctype\s+html|html)\b", re.IGNORECASE)
_XML_SUFFIXES = frozenset((".xml", ".opml", ".svg", ".rss", ".atom", ".xsd", ".gpx", ".kml"))
_MAIL_HEADER = re.compile(rb"^(from|to|subject|date|received|message-id|return-path|mime-version):")
_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


def media_type(path: Path, *, name: str) -> str:
    """The media type of a file, one of `MEDIA_TYPES`, `ENCRYPTED_OFFICE` or `ZIP`.

    A ZIP file that is no document is a folder: whoever ingests it takes its files out.

    The bytes decide. `name`, the file name as a person knows it, decides only between formats
    that are text: Markdown, CSV, reStructuredText, plain text.

    Raises:
        DocumentError: "unsupported" (a program, an archive, an unknown format), "empty",
            "broken" (a damaged container).
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise DocumentError("empty", "The file is empty: it has 0 bytes. Bring the complete file.")
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(_OLE):
        return _ole_type(path, name)
    if head.startswith(b"PK\x03\x04"):
        return _zip_type(path, name)
    if head.startswith(b"{\\rtf"):
        return RTF
    if head.startswith(_TNEF):
        return TNEF
    if head.startswith(_OUTLOOK_STORE):
        raise refusal("application/vnd.ms-outlook-pst", name)
    guess: str = magic.from_buffer(head, mime=True)
    if guess in IMAGES:
        return guess
    if guess in {"image/x-ms-bmp"}:
        return "image/bmp"
    if _is_text(head, guess):
        return _text_type(head, guess, PurePath(name).suffix.lower())
    raise refusal(guess, name)


def _ole_type(path: Path, name: str) -> str:
    # olefile comes with unstructured's office formats and reads the directory, no content.
    import olefile  # type: ignore[import-untyped]  # the package has no types

    try:
        with olefile.OleFileIO(str(path)) as container:
            streams = {"/".join(entry) for entry in container.listdir()}
    except Exception as error:  # olefile lets its own reading errors through, of many classes
        raise DocumentError(
            "broken",
            "The file starts like an old Office file and is damaged after that. Open it in its "
            "program, save it anew, and ingest it again.",
        ) from error
    for start, kind in _OLE_STREAMS:
        if any(stream.lower().startswith(start.lower()) for stream in streams):
            return kind
    program = next((suffix for stream, suffix in _OLE_PROGRAMS if stream in streams), "")
    if program and not name.lower().endswith(program):
        name += program
    raise refusal("an Office container", name)


def _zip_type(path: Path, name: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            if "mimetype" in members:
                declared = archive.open("mimetype").read(200).decode("ascii", "replace").strip()
                declared = declared.removesuffix("-template")
                if declared in {ODT, ODS, ODP, EPUB}:
                    return declared
            if "[Content_Types].xml" in members:
                types = archive.open("[Content_Types].xml").read(1 << 20).decode("utf-8", "replace")
                return _ooxml_type(types, members, name)
            if any(_is_iwork(member) for member in members):
                return IWORK
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise DocumentError(
            "broken",
            "The file is a damaged zip container (DOCX, XLSX, ODT and others are zip files). "
            "Bring an intact copy, or save it anew in the program that wrote it.",
        ) from error
    return ZIP


def _ooxml_type(content_types: str, members: set[str], name: str) -> str:
    main = re.search(r'ContentType="([^"]+\.main(?:\+xml)?)"', content_types)
    declared = main.group(1) if main else ""
    for word, kind in _OOXML_MAIN:
        if word in declared:
            return kind
    for part, kind in (
        ("word/document.xml", DOCX),
        ("ppt/presentation.xml", PPTX),
        ("xl/workbook.bin", XLSB),
        ("xl/workbook.xml", XLSX),
        ("visio/document.xml", VISIO),
    ):
        if part in members:
            return kind
    raise refusal("an unknown Office format", name)


def _is_iwork(member: str) -> bool:
    """Whether a file in a ZIP is one that Pages, Numbers or Keynote makes."""
    return member in {
        "Index/Document.iwa",
        "Index.zip",
        "index.apxl",
        "buildVersionHistory.plist",
    } or (member in {"Metadata/BuildVersionHistory.plist", "index.xml.gz"})


def _is_text(head: bytes, guess: str) -> bool:
    if guess.startswith("text/") or head.startswith(_BOMS):
        return True
    if guess.startswith(("image/svg", "application/xml", "application/json", "message/")):
        return True
    if guess in {"application/x-ndjson", "application/mbox", "application/javascript"}:
        return True
    if guess.startswith(_NO_TEXT):
        return False
    if guess != "application/octet-stream":  # a text that libmagic has a name of its own for
        return b"\0" not in head and _is_utf8(head) and _few_controls(head)
    if b"\0" in head:
        return wide_encoding(head) is not None
    # 8-bit text that libmagic does not know: almost nothing in it is a control character.
    return _few_controls(head)


def _few_controls(head: bytes) -> bool:
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\v\x1b" for byte in head)
    return controls / len(head) < 0.01


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def wide_encoding(head: bytes) -> str | None:
    """The encoding of a text in 16 or 32-bit units, as codecs name it; None for another text.

    Without a byte order mark, most units of Western text have a zero in the same place.
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) < 8:
        return None
    zeros = [head[place::4].count(0) / len(head[place::4]) for place in range(4)]
    patterns = {
        "utf-32-le": (False, True, True, True),
        "utf-32-be": (True, True, True, False),
        "utf-16-le": (False, True, False, True),
        "utf-16-be": (True, False, True, False),
    }
    for name, pattern in patterns.items():
        if all(
            share > 0.7 if zero else share < 0.1 for share, zero in zip(zeros, pattern, strict=True)
        ):
            return name
    return None


def _text_type(head: bytes, guess: str, suffix: str) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for begin, kind in _TEXT_STARTS:
        if begin.match(start):
            return kind
    if suffix in _XML_SUFFIXES and start.startswith(b"<") and not _HTML_PAGE.match(start):
        return XML
    if suffix not in {".md", ".markdown", ".txt", ".rst", ".org", ".csv", ".tsv"}:
        if guess == "text/html" or _HTML_START.search(start[:2048]):
            return HTML
        if _looks_like_mail(start):
            return MBOX if start.startswith(b"From ") and suffix != ".eml" else EML
        if start.startswith(b"<?xml"):
            return XML
    elif suffix == ".txt" and _HTML_START.match(start):
        return HTML
    if suffix in _TEXT_BY_SUFFIX:
        return _TEXT_BY_SUFFIX[suffix]
    if guess.startswith(("image/svg", "text/xml", "application/xml")):
        return XML
    if guess == "text/csv":
        return CSV
    return TXT


def _looks_like_mail(start: bytes) -> bool:
    first, _, _ = start.partition(b"\n")
    if not re.match(rb"[A-Za-z][A-Za-z0-9-]*:", first) and not first.startswith(b"From "):
        return False
    block = re.split(rb"\r?\n\r?\n", start, maxsplit=1)[0].lower()
    known = {m.group(1) for line in block.splitlines() if (m := _MAIL_HEADER.match(line))}
    if len(known) < 2:
        return False
    message = email.parser.BytesHeaderParser().parsebytes(start)
    return bool(message["from"] or message["received"] or message["message-id"])
