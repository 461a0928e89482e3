"""Documents within a document: attachments of a mail, files embedded in an Office file.

Each is read by the reader of its own format, in the process and within the limits of the document
that carries it. Its text follows that of its carrier; its pages become further pages.
"""

import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ingest import detect
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block, unpaged
from ingest.parse.document.furniture import mark_furniture
from ingest.parse.document.job import (
    MAX_INNER_BYTES,
    MAX_INNER_FILES,
    AttachmentBudget,
    Job,
)
from ingest.parse.document.text import one_line
from ingest.parse.document.zip_bombs import check_zip
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError, NoText

ATTACHMENT, EMBEDDED, MEMBER, BODY = "Attachment", "Embedded file", "File", "Body"
LABELS = (ATTACHMENT, EMBEDDED, MEMBER, BODY)
"""What stands before the name of an inner document in the title above its text."""

MAX_DEPTH = 8
_SHARE_OF_TIME = 0.7  # of the job's limit; what has not begun by then is not begun


@dataclass(frozen=True, slots=True)
class Inner:
    """A document within another, not yet read."""

    name: str
    read: Callable[[Path, Job], DocumentDraft]  # given a folder of its own
    size: int = 0  # bytes
    data: bytes = b""  # where they are at hand


def stored(name: str, data: bytes, *, media_type: str | None = None) -> Inner:
    """An inner document of these bytes; `media_type` where it is known better than they tell."""

    def read(folder: Path, job: Job) -> DocumentDraft:
        path = folder / "input"
        path.write_bytes(data)
        kind = media_type or detect.media_type(path, name=job.name)
        if kind == detect.ZIP:
            return _unpacked(path, job, folder)
        kind, draft = job.read_inner(path, replace(job, media_type=kind))
        if kind in detect.IMAGES and not _has_text(draft):
            raise _Picture
        return draft

    return Inner(one_line(name)[:150] or "without a name", read, len(data), data)


def with_inner(
    main: DocumentDraft, inner: Iterable[Inner], job: Job, folder: Path, *, label: str = ATTACHMENT
) -> DocumentDraft:
    """`main`, followed by what could be read of `inner`; what could not is named in a warning."""
    joined = _Joined(main, label)
    budget = job.budget or AttachmentBudget()
    for number, item in enumerate(inner, start=1):
        place = folder / f"inner-{job.depth + 1}-{number}"
        try:
            _spend(budget, item, job)
            place.mkdir()
            joined.add(item.name, item.read(place, _within(job, item.name, budget)), job.max_pages)
        except _Picture:
            continue  # a picture without words: nothing of it could be searched
        except NoText as error:
            joined.warn(item.name, f"has no text ({error})")
        except DocumentError as error:
            joined.warn(item.name, f"was not read ({error.reason}): {error}")
        except MemoryError:
            joined.warn(item.name, "was not read: it needs too much memory")
        except RecursionError:
            joined.warn(item.name, "was not read: it is nested too deeply")
        except Exception as error:  # as in the child: libraries raise what they like
            joined.warn(item.name, f"was not read: it is damaged ({type(error).__name__})")
    return joined.draft()


def words_in_picture(name: str, data: bytes, job: Job, folder: Path) -> Page | None:
    """What is recognised on a picture inside a document; None where that is nothing."""
    place = folder / f"picture-{name}"
    place.mkdir(exist_ok=True)
    budget = job.budget or AttachmentBudget()
    try:
        draft = stored(name, data).read(place, _within(job, name, budget))
    except (DocumentError, _Picture):
        return None
    page = draft.pages[0]
    return replace(page, blocks=tuple(_lowered(item) for item in page.blocks))


def _unpacked(path: Path, job: Job, folder: Path) -> DocumentDraft:
    """An archive in a mail, as the files in it."""
    check_zip(path)
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
        inner = [_member(archive, member) for member in members]
        return with_inner(unpaged([]), inner, job, folder, label=MEMBER)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Inner:
    def read(folder: Path, job: Job) -> DocumentDraft:
        return stored(member.filename, archive.read(member)).read(folder, job)

    return Inner(one_line(member.filename)[:150] or "without a name", read, member.file_size)


class _Picture(Exception):
    """An image on which nothing was recognised."""


class _Joined:
    """Pages as they grow: text without pages goes on where the last such text ended."""

    def __init__(self, main: DocumentDraft, label: str) -> None:
        self._main, self._label = main, label
        self._pages = list(main.pages)
        self._flows = not main.paged  # whether the last page takes more text
        self._paged = main.paged
        self._warnings = list(main.warnings)

    def add(self, name: str, draft: DocumentDraft, max_pages: int) -> None:
        title = block(ElementKind.TITLE, f"{self._label}: {name}", 1)
        heading = (title,) if title is not None else ()
        pages = mark_furniture(draft.pages) if draft.paged else draft.pages
        if not _has_text(draft):
            raise NoText("nothing on it is text")
        if len(self._pages) + len(pages) > max_pages:
            raise DocumentError("too_large", f"The document would have more than {max_pages} pages")
        for at, page in enumerate(pages):
            blocks = tuple(_lowered(b) for b in page.blocks)
            blocks = heading + blocks if at == 0 else blocks
            if not draft.paged and self._flows:
                last = self._pages[-1]
                self._pages[-1] = replace(last, blocks=last.blocks + blocks)
                continue
            label = page.name or (f"p. {page.number}" if draft.paged else "")
            self._pages.append(
                Page(
                    len(self._pages) + 1,
                    blocks,
                    ", ".join(filter(None, (name, label))),
                    ocr_confidence=page.ocr_confidence,
                )
            )
            self._flows, self._paged = not draft.paged, True
        self._warnings += (f"{name}: {warning}" for warning in draft.warnings)

    def warn(self, name: str, what: str) -> None:
        named = block(ElementKind.PARAGRAPH, f"{self._label}: {name}")
        if self._label == EMBEDDED and named is not None:  # a mail names what is attached by itself
            last = self._pages[-1]
            self._pages[-1] = replace(last, blocks=(*last.blocks, named))
        self._warnings.append(f"{self._label} {name!r} {what}")

    def draft(self) -> DocumentDraft:
        return replace(
            self._main,
            pages=tuple(self._pages),
            paged=self._paged,
            warnings=tuple(self._warnings),
        )


def _spend(budget: AttachmentBudget, item: Inner, job: Job) -> None:
    if job.depth >= MAX_DEPTH:
        raise DocumentError(
            "too_large",
            f"It is nested more than {MAX_DEPTH} levels deep. Save it as a file of its own.",
        )
    if budget.files <= 0 or budget.bytes < item.size:
        raise DocumentError(
            "too_large",
            f"More than {MAX_INNER_FILES} files or {MAX_INNER_BYTES >> 20} MiB within one "
            "document. Save it as a file of its own.",
        )
    if time.monotonic() - budget.started > _SHARE_OF_TIME * job.timeout_s:
        raise DocumentError("timeout", "No time was left. Save it as a file of its own.")
    budget.files -= 1
    budget.bytes -= item.size


def _within(job: Job, name: str, budget: AttachmentBudget) -> Job:
    return replace(job, name=name, media_type=None, depth=job.depth + 1, budget=budget)


def _lowered(item: Block) -> Block:
    """A block of an inner document: its titles stand below its name, its places are not drawn."""
    level = item.level + 2 if item.kind is ElementKind.TITLE else item.level
    return replace(item, level=level, words=(), box=None)


def _has_text(draft: DocumentDraft) -> bool:
    return any(c.isalnum() for text in _texts(draft) for c in text)


def _texts(draft: DocumentDraft) -> Iterator[str]:
    return (item.text for page in draft.pages for item in page.blocks)
