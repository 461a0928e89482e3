"""Names of uploads: what a person knows a file by, and whose document it is.

A name belongs to whoever handed it in: `upload:user:ana/plan.pdf` and `upload:user:bo/plan.pdf`
are two documents. Before, it belonged to the tenant (`upload:plan.pdf`); such a document stays
where it is, and only who handed it in last replaces it there.
"""

import re
import unicodedata
from hashlib import sha256
from typing import Final, Protocol

from sovereign_rag.access import Principal
from sovereign_rag.errors import BadInput

UPLOAD: Final = "upload:"
"""What the URI of every document begins with that came through the API."""

MAX_NAME_BYTES: Final = 200  # most file systems take 255; conversions append to it
_OWN_ID = re.compile(r"[\w.:@+-]{1,200}")
_UNSAFE = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')


class Submissions(Protocol):
    """Who handed documents in; the catalog's jobs."""

    def last_submitter(self, tenant: str, uri: str) -> str | None: ...


def upload_uri(name: str, principal: Principal, submissions: Submissions) -> str:
    """The URI of the document that `principal` means by a file's name."""
    former = f"{UPLOAD}{safe_name(name)}"
    if submissions.last_submitter(principal.tenant, former) == principal.label:
        return former
    # A former URI holds no colon behind its first, so none can be mistaken for this.
    return f"{UPLOAD}{principal.label}/{_distinct(name)}"


def upload_uri_by_id(own_id: str, principal: Principal) -> str:
    """The URI of the document that an integrator calls `own_id`.

    Raises:
        BadInput: It can't be one.
    """
    if not _OWN_ID.fullmatch(own_id):
        raise BadInput(
            "id names your document: up to 200 letters, digits and . _ : @ + - without spaces."
        )
    # No name of a file holds a slash, so none can be mistaken for this.
    return f"{UPLOAD}{principal.label}/id/{own_id}"


def is_upload_of(uri: str, principal: Principal) -> bool:
    """Whether `principal` handed the document in, through the API."""
    return uri.startswith(f"{UPLOAD}{principal.label}/")


def safe_name(name: str) -> str:
    """The file name that a person knows, without what could make it a path or a command.

    Folders, control and reserved characters and leading dots go; it is at most 200 bytes long
    and keeps its extension, the hint to its format.
    """
    name = "".join(
        c for c in _last_part(name) if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"}
    )
    name = _UNSAFE.sub("_", name).strip().lstrip(".").strip()
    stem, extension = _parts(name)
    room = MAX_NAME_BYTES - len(extension.encode())
    stem = stem.encode()[:room].decode(errors="ignore").rstrip()
    return f"{stem or 'document'}{extension}"


def _distinct(name: str) -> str:
    """The safe name; where that lost something, with a mark of what the name was."""
    safe, whole = safe_name(name), _last_part(name)
    if safe == whole:
        return safe
    stem, extension = _parts(safe)
    mark = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{stem}~{mark}{extension}"


def _last_part(name: str) -> str:
    return unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]


def _parts(name: str) -> tuple[str, str]:
    """Stem, and extension with its dot; what is too long for one belongs to the stem."""
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension.encode()) > 20:
        return name, ""
    return stem, dot + extension
