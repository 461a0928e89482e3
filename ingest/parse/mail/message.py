"""Mail of the Internet: the headers a reader sees, the body, then what is attached."""

import email
import email.policy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import EmailMessage, Message
from pathlib import Path

from ingest import detect
from ingest.parse.document.attachments import Inner, stored, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block, unpaged
from ingest.parse.document.job import AttachmentBudget, Job
from ingest.parse.document.text import decode, one_line
from ingest.parse.markup.html import html_blocks
from ingest.parse.markup.plain import text_blocks
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_SHOWN = ("from", "to", "cc", "date")
_ENCRYPTED = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_SIGNATURES = {
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "text/x-moz-deleted",
}
_REPORTS = {"message/delivery-status", "message/disposition-notification", "text/rfc822-headers"}
_BLANK_THEN_FROM = re.compile(
    rb"(?:\A|\r?\n\r?\n|\n)(?=From [^\r\n]*\d{4}[^\r\n]*\r?\n[A-Za-z-]+:)"
)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_MOST_NAMED = 50


def read_eml(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of Internet mail; attachments follow it, read by the readers of their formats.

    Raises:
        DocumentError: "encrypted".
    """
    return _read_message(_parsed(path.read_bytes()), job, path.parent)


def read_mbox(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of a mailbox file: each message is a page, named by its subject."""
    pages: list[Page] = []
    warnings: list[str] = []
    messages = [m for m in _BLANK_THEN_FROM.split(path.read_bytes()) if m.strip()]
    budget = AttachmentBudget()
    for number, data in enumerate(messages, start=1):
        if len(pages) >= job.max_pages:
            left = len(messages) - number + 1
            warnings.append(f"{left} of {len(messages)} messages were not read: too many pages.")
            break
        place = path.with_name(f"message-{number}")
        place.mkdir()
        _, _, body = data.partition(b"\n")
        own = replace(job, budget=AttachmentBudget(started=budget.started))
        try:
            draft = _read_message(_parsed(_QUOTED_FROM.sub(rb"\1", body)), own, place)
        except DocumentError as error:
            warnings.append(f"Message {number} was not read ({error.reason}): {error}")
            continue
        for at, page in enumerate(draft.pages):
            name = draft.title if at == 0 else page.name
            pages.append(replace(page, number=len(pages) + 1, name=name))
        warnings += (f"Message {number}: {warning}" for warning in draft.warnings)
    return DocumentDraft(tuple(pages) or (Page(1, ()),), paged=True, warnings=tuple(warnings))


def mail_draft(
    headers: Mapping[str, str],
    blocks: list[Block],
    attached: list[str],
    *,
    fields: Sequence[str] = (),
) -> DocumentDraft:
    """A mail without its attachments: subject, people and date, names of what is attached, body.

    Args:
        headers: By lower-case name; "subject", "from", "to", "cc" and "date" are shown.
        blocks: The body.
        attached: Names of attachments.
        fields: Further lines: of an appointment its times, of a contact its numbers.
    """
    shown = [f"{name.capitalize()}: {headers[name]}" for name in _SHOWN if headers.get(name)]
    shown += fields
    if attached:
        shown.append("Attachments: " + ", ".join(attached[:_MOST_NAMED]))
    top = [
        block(ElementKind.TITLE, headers.get("subject", "")),
        block(ElementKind.PARAGRAPH, "\n".join(shown)),
    ]
    properties = {name: value for name, value in headers.items() if value}
    return unpaged([*top, *blocks], title=headers.get("subject") or None, properties=properties)


def encrypted_mail() -> DocumentError:
    return DocumentError(
        "encrypted",
        "The mail is encrypted. Save it decrypted in the mail program and ingest that.",
    )


def _parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # what this policy makes
    return message


@dataclass(slots=True)
class _Parts:
    """A mail taken apart."""

    blocks: list[Block] = field(default_factory=list)
    inner: list[Inner] = field(default_factory=list)


def _read_message(message: EmailMessage, job: Job, folder: Path) -> DocumentDraft:
    if message.get_content_type() == "multipart/encrypted" or _enveloped(message):
        raise encrypted_mail()
    headers = {name: _header(message, name) for name in ("subject", *_SHOWN, "message-id")}
    parts = _Parts()
    _take_apart(message, parts, top=True)
    main = mail_draft(headers, parts.blocks, [item.name for item in parts.inner])
    return with_inner(main, parts.inner, job, folder)


def _take_apart(part: Message, parts: _Parts, *, top: bool = False) -> None:
    """Sort a part: text goes to the body, everything else is an attachment."""
    assert isinstance(part, EmailMessage)
    kind = part.get_content_type()
    if kind == "multipart/alternative":
        _take_best(part, parts)
    elif kind == "message/rfc822" and not top:
        parts.inner.append(_nested(part))
    elif kind in _REPORTS:
        parts.blocks += text_blocks(_report(part))
    elif part.is_multipart():
        for inner in _subparts(part):
            _take_apart(inner, parts)
    elif kind in _SIGNATURES:
        pass  # proves who wrote, says nothing
    elif part.get_content_maintype() == "text" and not part.is_attachment():
        named = part.get_filename() is not None and kind not in {"text/plain", "text/html"}
        if named or kind not in {"text/plain", "text/html", "text/enriched"}:
            parts.inner.append(_attached(part))
        else:
            parts.blocks += _body(part)
    elif not (top and part.get_payload() in (None, "")):
        parts.inner.append(_attached(part))


def _take_best(part: EmailMessage, parts: _Parts) -> None:
    """Of several versions of the same body the last that can be read; formats do not differ.

    Where the plain version says the same words as the richer one and that has no tables or
    headings, the plain one is taken: it keeps the lines and marks that its writer saw.
    """
    versions = []
    for inner in _subparts(part):
        version = _Parts()
        _take_apart(inner, version)
        versions.append((inner.get_content_type(), version))
    chosen = [v for kind, v in versions if v.blocks and kind != "text/calendar"][-1:]
    if len(versions) == 2 and versions[0][0] == "text/plain" and chosen:
        plain, rich = versions[0][1], chosen[0]
        if plain.blocks and _says_the_same(plain.blocks, rich.blocks):
            chosen = [plain]
    for version in chosen:
        parts.blocks += version.blocks
    for _, version in versions:
        parts.inner += version.inner


def _says_the_same(plain: list[Block], rich: list[Block]) -> bool:
    structured = {ElementKind.TABLE, ElementKind.TITLE, ElementKind.HIDDEN, ElementKind.CODE}
    if any(item.kind in structured and "|" in item.text for item in rich):
        return False
    return _words(plain) == _words(rich)


def _words(blocks: list[Block]) -> list[str]:
    return re.findall(r"\w+", " ".join(b.text for b in blocks).lower())


def _subparts(part: EmailMessage) -> Iterator[EmailMessage]:
    for inner in part.iter_parts() if part.get_content_maintype() == "multipart" else ():
        if isinstance(inner, EmailMessage):
            yield inner


def _nested(part: EmailMessage) -> Inner:
    """A mail within a mail."""
    payload = part.get_payload()
    message = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(message, EmailMessage):
        return _attached(part)
    subject = _header(message, "subject")

    def read(folder: Path, job: Job) -> DocumentDraft:
        return _read_message(message, job, folder)

    return Inner(subject[:150] or one_line(str(part.get_filename() or "")) or "mail", read)


def _attached(part: EmailMessage) -> Inner:
    data = part.get_payload(decode=True)
    data = data if isinstance(data, bytes) else b""
    name = one_line(str(part.get_filename() or part.get_content_type()))
    if part.get_content_maintype() == "text":
        declared = part.get_content_charset()
        if declared and b"\0" not in data:
            data = decode(data, declared).encode()
        if part.get_content_subtype() == "html" and not name.lower().endswith((".htm", ".html")):
            return stored(name, data, media_type=detect.HTML)
    return stored(name, data)


def _report(part: EmailMessage) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        return "\n\n".join(str(inner).strip() for inner in payload)
    return _content(part)


def _enveloped(message: EmailMessage) -> bool:
    if message.get_content_type() not in _ENCRYPTED:
        return False
    return str(message.get_param("smime-type", "")) != "signed-data"


def _header(message: EmailMessage, name: str) -> str:
    try:
        return one_line(str(message[name] or ""))
    except (ValueError, IndexError, AttributeError, TypeError):
        # The standard library gives up on some malformed addresses and dates.
        raw = dict(message.raw_items()).get(name.capitalize(), "")
        return one_line(str(raw))


def _content(part: EmailMessage) -> str:
    data = part.get_payload(decode=True)
    charset = part.get_content_charset()
    return decode(data, charset) if isinstance(data, bytes) else str(part.get_payload())


def _body(part: EmailMessage) -> Iterator[Block]:
    text = _content(part)
    return html_blocks(text) if part.get_content_subtype() == "html" else text_blocks(text)
