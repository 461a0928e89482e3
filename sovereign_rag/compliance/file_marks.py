"""The marks of an answer inside of the files that it is taken along as, and their reading.

PDF        XMP metadata, uncompressed: IPTC's DigitalSourceType and AISystemUsed
DOCX       custom properties of the same names
Markdown   a comment at its end
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr, unescape

from sovereign_rag.services.serialization.ai_mark import AiMarkOut

PROPERTIES: Final = "docProps/custom.xml"
_TYPE: Final = "DigitalSourceType"
_SYSTEM: Final = "AISystemUsed"
_WRITTEN: Final = "WrittenByModel"
_XMP: Final = re.compile(rb"<x:xmpmeta\b.*?</x:xmpmeta>", re.DOTALL)
_COMMENT: Final = re.compile(r"^<!-- ai-disclosure: (\{.*\}) -->$", re.MULTILINE)
_MOST_BYTES: Final = 1 << 20  # of properties in a file that somebody hands in


def fields(mark: AiMarkOut) -> dict[str, str]:
    """What the files say, by name."""
    return {
        _TYPE: mark.digital_source_type,
        _SYSTEM: f"Sovereign RAG, {mark.model}" if mark.model else "Sovereign RAG",
        _WRITTEN: "true" if mark.written_by_model else "false",
    }


def xmp(mark: AiMarkOut) -> bytes:
    """A packet of metadata, for a PDF's catalog."""
    told = fields(mark)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:srag="https://sovereign-rag.invalid/xmp/1.0/">'
        f"<Iptc4xmpExt:{_TYPE}>{escape(told[_TYPE])}</Iptc4xmpExt:{_TYPE}>"
        f"<Iptc4xmpExt:{_SYSTEM}>{escape(told[_SYSTEM])}</Iptc4xmpExt:{_SYSTEM}>"
        f"<srag:{_WRITTEN}>{told[_WRITTEN]}</srag:{_WRITTEN}>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>\n"
        '<?xpacket end="r"?>'
    ).encode()


def properties(mark: AiMarkOut) -> bytes:
    """The part of an Office file that holds custom properties."""
    rows = "".join(
        f'<property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="{number}" '
        f"name={quoteattr(name)}><vt:lpwstr>{escape(value)}</vt:lpwstr></property>"
        for number, (name, value) in enumerate(fields(mark).items(), start=2)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/'
        'custom-properties" xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'docPropsVTypes">{rows}</Properties>'
    ).encode()


def comment(mark: AiMarkOut) -> str:
    """A line of Markdown that nobody is shown."""
    told = json.dumps(fields(mark), ensure_ascii=True, sort_keys=True)
    for sign in "<>-":  # so that nothing of it ends the comment
        told = told.replace(sign, f"\\u{ord(sign):04x}")
    return f"<!-- ai-disclosure: {told} -->"


def found_in(content: bytes) -> Mapping[str, str] | None:
    """The marks of a PDF, a DOCX or a Markdown file; None: it has none."""
    if content.startswith(b"%PDF"):
        packet = _XMP.search(content)
        return None if packet is None else _elements(packet.group().decode("utf-8", "replace"))
    if content.startswith(b"PK"):
        return _of_office(content)
    comments = _COMMENT.findall(content.decode("utf-8", "replace"))
    try:
        told = json.loads(comments[-1]) if comments else None
    except ValueError:
        return None
    return {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else None


def _elements(packet: str) -> dict[str, str]:
    found = re.findall(r"<\w+:(\w+)>([^<]*)</\w+:\1>", packet)
    return {name: unescape(value) for name, value in found}


def _of_office(content: bytes) -> Mapping[str, str] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened, opened.open(PROPERTIES) as part:
            text = part.read(_MOST_BYTES).decode("utf-8", "replace")
    except (KeyError, zipfile.BadZipFile, OSError, ValueError):
        return None
    named = re.findall(r'<property\b[^>]*\bname="(\w+)"[^>]*>\s*<vt:\w+>([^<]*)<', text)
    return {name: unescape(value) for name, value in named}
