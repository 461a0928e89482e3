"""What lies on a PDF page rather than in it: filled fields, typed text, comments, files."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document.attachments import Inner, stored
from ingest.parse.document.blocks import Block, DocumentDraft, block
from ingest.parse.document.job import Job
from ingest.parse.document.text import one_line, squashed
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_MOST_NOTES = 5_000  # on a page
_MOST_CHARACTERS = 100_000
_MOST_FILES = 200
_MOST_BYTES = 64 << 20
_UNSEEN: Final = (
    pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW | pdfium.FPDF_ANNOT_FLAG_INVISIBLE
)
_NO_COMMENT: Final = {
    pdfium.FPDF_ANNOT_LINK,
    pdfium.FPDF_ANNOT_POPUP,
    pdfium.FPDF_ANNOT_WIDGET,
    pdfium.FPDF_ANNOT_FREETEXT,
}
_TICKED: Final = {pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON}
_TYPED: Final = {
    pdfium.FPDF_FORMFIELD_TEXTFIELD,
    pdfium.FPDF_FORMFIELD_COMBOBOX,
    pdfium.FPDF_FORMFIELD_LISTBOX,
}


@dataclass(frozen=True, slots=True)
class _Note:
    kind: int
    unseen: bool
    text: str
    author: str
    label: str  # of a form field


def note_blocks(page: pypdfium2.PdfPage, shown: str) -> Iterator[Block]:
    """Fields and typed text as paragraphs, where `shown`, the page's text, lacks them; comments
    and what the file tells not to show as hidden text.
    """
    there = squashed(shown)
    for note in _notes(page):
        if not note.text:
            continue
        if note.unseen or note.kind not in {pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT}:
            by = f" by {note.author}" if note.author else ""
            said = note.text if note.unseen else f"Comment{by}: {note.text}"
            made = block(ElementKind.HIDDEN, said)
        elif squashed(note.text) and squashed(note.text) in there:
            continue
        else:
            said = f"{note.label}: {note.text}" if note.label else note.text
            made = block(ElementKind.PARAGRAPH, said)
        if made is not None:
            yield made


def attached_files(document: pypdfium2.PdfDocument) -> Iterator[Inner]:
    """The files that a PDF carries as a whole, named as in it.

    A file that is locked or damaged fails when it is read.
    """
    handles = [
        pdfium.FPDFDoc_GetAttachment(document.raw, index)
        for index in range(
            min(_MOST_FILES, max(0, pdfium.FPDFDoc_GetAttachmentCount(document.raw)))
        )
    ]
    for handle in handles:
        yield _attached(handle)


def files_on(page: pypdfium2.PdfPage) -> Iterator[Inner]:
    """The files that are attached to a place of a page."""
    for annotation in _annotations(page):
        if pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_FILEATTACHMENT:
            handle = pdfium.FPDFAnnot_GetFileAttachment(annotation)
            if handle:
                yield _attached(handle)


def _attached(handle: object) -> Inner:
    name = _wide(lambda buffer, size: pdfium.FPDFAttachment_GetName(handle, buffer, size))
    size = ctypes.c_ulong()
    pdfium.FPDFAttachment_GetFile(handle, None, 0, size)
    if size.value > _MOST_BYTES:
        return Inner(one_line(name)[:150] or "without a name", _too_large, size.value)
    data = ctypes.create_string_buffer(max(1, size.value))
    pdfium.FPDFAttachment_GetFile(handle, data, size.value, size)
    return stored(name, data.raw[: size.value])


def _too_large(folder: Path, job: Job) -> DocumentDraft:
    raise DocumentError(
        "too_large", f"It has more than {_MOST_BYTES >> 20} MiB. Save it as a file of its own."
    )


def _notes(page: pypdfium2.PdfPage) -> Iterator[_Note]:
    form = page.formenv.raw if page.formenv else None
    for annotation in _annotations(page):
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if kind in _NO_COMMENT and kind not in {
            pdfium.FPDF_ANNOT_WIDGET,
            pdfium.FPDF_ANNOT_FREETEXT,
        }:
            continue
        unseen = bool(pdfium.FPDFAnnot_GetFlags(annotation) & _UNSEEN)
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            if form is not None:
                text, label = _field(form, annotation)
                yield _Note(kind, unseen, text, "", label)
            continue
        text, author = _value(annotation, b"Contents"), one_line(_value(annotation, b"T"))
        yield _Note(kind, unseen, text, author, "")


def _annotations(page: pypdfium2.PdfPage) -> Iterator[object]:
    for index in range(min(_MOST_NOTES, max(0, pdfium.FPDFPage_GetAnnotCount(page.raw)))):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        if annotation:
            try:
                yield annotation
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)


def _field(form: object, annotation: object) -> tuple[str, str]:
    """(value, label) of a form field; "" as the value of one that is empty or a button."""
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    label = _wide(
        lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldAlternateName(
            form, annotation, buffer, size
        )
    )
    name = label or _wide(
        lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldName(form, annotation, buffer, size)
    )
    if kind in _TICKED:
        return ("☒" if pdfium.FPDFAnnot_IsChecked(form, annotation) else ""), one_line(name)
    if kind not in _TYPED:
        return "", ""
    value = _wide(
        lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size)
    )
    return value, one_line(name)


def _value(annotation: object, key: bytes) -> str:
    return _wide(
        lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(annotation, key, buffer, size)
    )


def _wide(fill: Callable[[object, int], int]) -> str:
    """A string that PDFium writes as UTF-16, asked for its length first."""
    size = fill(None, 0)
    if size <= 2 or size > 2 * _MOST_CHARACTERS:
        return ""
    buffer = (pdfium.FPDF_WCHAR * (size // 2 + 1))()
    fill(buffer, size)
    return bytes(memoryview(buffer))[: size - 2].decode("utf-16-le", "replace")
