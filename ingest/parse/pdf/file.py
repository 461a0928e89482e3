"""Opening a PDF."""

import stringprep
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2

from sovereign_rag.errors import DocumentError


@contextmanager
def opened_pdf(path: Path, password: str | None) -> Iterator[pypdfium2.PdfDocument]:
    """A PDF with at least one page.

    Raises:
        DocumentError: "encrypted" or "broken".
    """
    try:
        document = _opened(path, password)
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            hint = (
                "The password does not open it. Give the right one."
                if password
                else "Save it without one, or give the password, and ingest it again."
            )
            raise DocumentError(
                "encrypted", f"The PDF is protected by a password. {hint}"
            ) from error
        raise _broken() from error
    try:
        if len(document) == 0:
            raise _broken()
        document.init_forms()  # before any page is opened; no more than fields is read
        yield document
    finally:
        document.close()


def _opened(path: Path, password: str | None) -> pypdfium2.PdfDocument:
    """With the password as it is typed, or as PDF 2.0 wants it prepared: accents composed,
    look-alikes folded, what is not seen left out (RFC 4013, "SASLprep").
    """
    try:
        return pypdfium2.PdfDocument(path, password=password)
    except pypdfium2.PdfiumError:
        plain = prepared_password(password or "")
        if plain == (password or ""):
            raise
        return pypdfium2.PdfDocument(path, password=plain)


def prepared_password(password: str) -> str:
    """A password in the form that RFC 4013 gives it, but for its prohibitions."""
    kept = (
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    return unicodedata.normalize("NFKC", "".join(kept))


def _broken() -> DocumentError:
    return DocumentError(
        "broken",
        "The PDF is damaged: no page of it can be opened. Print it to a new PDF in a viewer that "
        "still shows it, or bring an intact copy.",
    )
