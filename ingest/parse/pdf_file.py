"""Opening a PDF."""

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
        document = pypdfium2.PdfDocument(path, password=password)
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
        yield document
    finally:
        document.close()


def _broken() -> DocumentError:
    return DocumentError(
        "broken",
        "The PDF is damaged: no page of it can be opened. Print it to a new PDF in a viewer that "
        "still shows it, or bring an intact copy.",
    )
