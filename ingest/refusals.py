"""What to do with a file whose format is not read: a way out for that very format."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from sovereign_rag.errors import DocumentError

_SPEECH = (
    "Speech and pictures that move are not read. Have it transcribed, and ingest the transcript "
    "(text, SRT or WebVTT)."
)
_OUTLOOK_STORE = (
    "A data file of Outlook holds whole mailboxes, which are not read from it. In Outlook, select "
    "the messages and drag them into a folder: they become MSG files, which are read. On Linux, "
    "`readpst -e -o FOLDER FILE` (package pst-utils) writes them as EML files. Or connect the "
    "mailbox itself as an IMAP source."
)
_ARCHIVE = "It is an archive of a kind that is not unpacked here. Unpack it and ingest its folder."
_TABLES = "Export its tables as CSV or XLSX, and ingest those."
_DRAWING = "Export it as PDF in the program that drew it, and ingest that."
_SIGNED = (
    "It is signed or sealed. Take out the file in it (`openssl cms -verify -noverify -inform DER "
    "-in FILE -out CONTENT`) and ingest that."
)
_FONT = "It is a font, which says nothing. Leave it out of the folder."
_PROGRAM = "It is a program, not a document. Leave it out of the folder."

_SPOKEN = (
    *(".mp3", ".wav", ".m4a", ".ogg", ".oga", ".opus", ".flac", ".wma", ".aac", ".amr"),
    *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg", ".mpeg", ".m4v", ".3gp"),
)
_BY_SUFFIX: Final[Mapping[str, str]] = {
    **dict.fromkeys(_SPOKEN, _SPEECH),
    **dict.fromkeys((".pst", ".ost"), _OUTLOOK_STORE),
    **dict.fromkeys(
        (".rar", ".arj", ".cab", ".lzh", ".ace", ".iso", ".dmg", ".zst", ".lz4"), _ARCHIVE
    ),
    **dict.fromkeys((".deb", ".rpm", ".msi", ".apk", ".jar", ".war"), _PROGRAM),
    **dict.fromkeys(
        (".mdb", ".accdb", ".sqlite", ".db", ".dbf", ".parquet", ".sav", ".dta"), _TABLES
    ),
    **dict.fromkeys(
        (".dwg", ".dxf", ".cdr", ".ai", ".psd", ".indd", ".afdesign", ".skp"), _DRAWING
    ),
    **dict.fromkeys((".emf", ".wmf", ".djvu", ".djv", ".xps", ".oxps", ".eps", ".ps"), _DRAWING),
    **dict.fromkeys((".p7m", ".p7s", ".asice", ".asics"), _SIGNED),
    **dict.fromkeys((".ttf", ".otf", ".woff", ".woff2", ".eot"), _FONT),
    ".vsd": "Save it as VSDX in Visio, or as PDF, and ingest that.",
    ".mpp": "Save it as PDF or XLSX in Project, and ingest that.",
    ".pub": "Save it as PDF in Publisher, and ingest that.",
    ".one": "Export the section as PDF or DOCX in OneNote (File, Export), and ingest that.",
    ".onepkg": "Export the notebook as PDF in OneNote (File, Export), and ingest that.",
    ".wpd": "Open it in LibreOffice, save it as DOCX, and ingest that.",
    ".wps": "Open it in LibreOffice, save it as DOCX, and ingest that.",
    ".lwp": "Open it in LibreOffice, save it as DOCX, and ingest that.",
    ".sdw": "Open it in an OpenOffice of its time, save it as ODT, and ingest that.",
    ".odg": "Export it as PDF in LibreOffice Draw, and ingest that.",
    ".odf": "Export it as PDF in LibreOffice Math, and ingest that.",
    ".odb": _TABLES,
    ".nsf": "Export the messages as EML in Notes, and ingest those.",
    ".lnk": "It points to another file. Ingest the file that it points to.",
    ".url": "It points to a page. Save the page as HTML or PDF, and ingest that.",
    ".webloc": "It points to a page. Save the page as HTML or PDF, and ingest that.",
    ".gpg": "It is encrypted. Decrypt it, and ingest what was in it.",
    ".pgp": "It is encrypted. Decrypt it, and ingest what was in it.",
    ".kdbx": "It is a safe for passwords, which no search should hold. Leave it out.",
    ".azw": "Books of Kindle are protected. Bring the book as EPUB or PDF.",
    ".azw3": "Books of Kindle are protected. Bring the book as EPUB or PDF.",
    ".mobi": "Convert it to EPUB (calibre does), and ingest that.",
    ".chm": "Unpack it (`7z x FILE`), and ingest the HTML files in it.",
    ".pages": "Export it as PDF or Word in Pages (File, Export To), and ingest that.",
    ".numbers": "Export it as Excel in Numbers (File, Export To), and ingest that.",
    ".key": "Export it as PowerPoint or PDF in Keynote (File, Export To), and ingest that.",
}
_BY_TYPE: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("audio/", "video/"), _SPEECH),
    (("font/", "vnd.ms-opentype", "x-font"), _FONT),
    (
        ("x-executable", "x-dosexec", "x-sharedlib", "x-mach", "x-pie", "vnd.microsoft.portable"),
        _PROGRAM,
    ),
    (("java-archive", "x-msi", "vnd.debian", "x-rpm"), _PROGRAM),
    (("zip", "x-rar", "vnd.rar", "x-iso9660", "zstd", "x-compress", "x-lz", "x-archive"), _ARCHIVE),
    (("gzip", "x-7z", "x-bzip", "x-xz", "x-tar", "vnd.ms-cab"), _ARCHIVE),
    (("vnd.ms-outlook-pst", "x-pst"), _OUTLOOK_STORE),
    (("x-sqlite3", "vnd.sqlite3", "x-msaccess", "vnd.apache.parquet", "x-dbf"), _TABLES),
    (("postscript", "image/x-eps", "image/vnd.dwg", "image/vnd.adobe.photoshop"), _DRAWING),
    (("image/emf", "image/wmf", "image/vnd.djvu", "image/x-wmf", "image/x-emf"), _DRAWING),
    (("pgp-encrypted", "x-gnupg"), "It is encrypted. Decrypt it, and ingest what was in it."),
    (("image/",), "Save it as PNG, JPEG, TIFF or PDF, and ingest that."),
)
_OTHERWISE = (
    "If its program can print or export it as PDF, or save it as DOCX, XLSX, PPTX, HTML or text, "
    "ingest that; if it holds no text, leave it out."
)


def refusal(found: str, name: str) -> DocumentError:
    """The refusal of a file whose bytes are of type `found`."""
    suffix = PurePath(name).suffix.lower()
    kind = found.removeprefix("application/")
    way = next((way for starts, way in _BY_TYPE if kind.startswith(starts)), None)
    if suffix in _BY_SUFFIX and way is not _PROGRAM:
        way = _BY_SUFFIX[suffix]
    return DocumentError(
        "unsupported", f"{name!r} is of a format that is not read ({found}). {way or _OTHERWISE}"
    )
