"""Office files behind a password."""

import zipfile
from pathlib import Path
from typing import Final

from ingest import detect
from sovereign_rag.errors import DocumentError

_MAY_BE_ENCRYPTED: Final = {detect.ENCRYPTED_OFFICE, detect.DOC, detect.XLS, detect.PPT}

_OPEN_DOCUMENT: Final = {detect.ODT, detect.ODS, detect.ODP}


def opened(path: Path, media_type: str, password: str | None) -> Path:
    """The file itself or, where it was encrypted, a copy without that, written beside it.

    Raises:
        DocumentError: "encrypted": no password came with it, or not the right one.
    """
    if media_type in _OPEN_DOCUMENT and _is_locked_open_document(path):
        raise DocumentError(
            "encrypted",
            "The file is protected by a password, which can't be given for OpenDocument files. "
            "Save it without one and ingest it again.",
        )
    if media_type not in _MAY_BE_ENCRYPTED:
        return path
    import msoffcrypto  # type: ignore[import-untyped]  # the package has no types

    plain = path.with_name("decrypted")
    with path.open("rb") as source:
        try:
            office = msoffcrypto.OfficeFile(source)
            if not office.is_encrypted():
                return path
        except Exception:  # msoffcrypto lets the errors of its readers through
            # Damaged so that not even this can be told; the reader will say what is wrong.
            return path
        if not password:
            raise DocumentError(
                "encrypted",
                "The file is protected by a password. Save it without one, or give the password, "
                "and ingest it again.",
            )
        try:
            with plain.open("wb") as target:
                office.load_key(password=password)
                office.decrypt(target)
        except Exception as error:  # its errors have several classes, all of which mean this
            raise DocumentError(
                "encrypted", "The password does not open the file. Give the right one."
            ) from error
    return plain


def _is_locked_open_document(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            if "encrypted-package" in archive.namelist():
                return True
            return b"encryption-data" in archive.read("META-INF/manifest.xml")
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError):
        return False  # the reader says what is wrong with it
