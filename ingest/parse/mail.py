"""Mail: the headers a reader sees, then the body. Attachments are named, not read."""

import email
import email.policy
from collections.abc import Iterable, Iterator
from email.message import EmailMessage
from pathlib import Path

import oxmsg

from ingest.parse.draft import Block, Draft, block, unpaged
from ingest.parse.job import Job
from ingest.parse.markup import html_blocks
from ingest.parse.plain import text_blocks
from ingest.parse.text import decode, one_line
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_SHOWN = ("from", "to", "cc", "date")
_ENCRYPTED = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_MOST_NAMED = 20


def read_eml(path: Path, job: Job) -> Draft:
    """The `Reader` of Internet mail.

    Raises:
        DocumentError: "encrypted".
    """
    del job
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    if message.get_content_type() == "multipart/encrypted" or _enveloped(message):
        raise _encrypted()
    headers = {name: _header(message, name) for name in ("subject", *_SHOWN)}
    body = message.get_body(preferencelist=("plain", "html"))
    html = message.get_body(preferencelist=("html",))
    blocks: list[Block] = []
    if html is not None and isinstance(html, EmailMessage):
        blocks = list(html_blocks(_content(html)))
    if not blocks and isinstance(body, EmailMessage):
        blocks = list(_body(body))
    if not blocks:
        blocks = [made for part in _text_parts(message) for made in _body(part)]
    names = [_name(part) for part in message.walk() if _is_attachment(part)]
    return _mail(headers, blocks, names)


def read_msg(path: Path, job: Job) -> Draft:
    """The `Reader` of Outlook messages.

    Raises:
        DocumentError: "encrypted".
    """
    del job
    message = oxmsg.Message.load(str(path))
    if "smime" in message.message_class.lower() and "multipartsigned" not in (
        message.message_class.lower()
    ):
        raise _encrypted()
    recipients = ", ".join(f"{r.name} <{r.email_address}>" for r in message.recipients)
    headers = {
        "subject": message.subject or "",
        "from": message.sender or "",
        "to": recipients,
        "date": message.sent_date.isoformat(" ") if message.sent_date else "",
    }
    blocks = list(html_blocks(message.html_body or "")) or list(text_blocks(message.body or ""))
    names = [attachment.file_name or "without a name" for attachment in message.attachments]
    return _mail(headers, blocks, names)


def _mail(headers: dict[str, str], blocks: list[Block], attachments: list[str]) -> Draft:
    shown = [f"{name.capitalize()}: {headers[name]}" for name in _SHOWN if headers.get(name)]
    top = [
        block(ElementKind.TITLE, headers["subject"]),
        block(ElementKind.PARAGRAPH, "\n".join(shown)),
    ]
    warnings: tuple[str, ...] = ()
    if attachments:
        named = ", ".join(attachments[:_MOST_NAMED])
        warnings = (f"{len(attachments)} attachment(s) not read: {named}. Ingest them as files.",)
    return unpaged(
        [*top, *blocks],
        title=headers["subject"] or None,
        properties={name: value for name, value in headers.items() if value},
        warnings=warnings,
    )


def _enveloped(message: EmailMessage) -> bool:
    if message.get_content_type() not in _ENCRYPTED:
        return False
    return str(message.get_param("smime-type", "")) != "signed-data"


def _encrypted() -> DocumentError:
    return DocumentError(
        "encrypted",
        "The mail is encrypted. Save it decrypted in the mail program and ingest that.",
    )


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


def _text_parts(message: EmailMessage) -> Iterable[EmailMessage]:
    """Texts inside forwarded messages and digests, when the mail itself has no body."""
    for part in message.walk():
        plain = part.get_content_maintype() == "text" and not part.is_attachment()
        if plain and isinstance(part, EmailMessage):
            yield part


def _is_attachment(part: EmailMessage) -> bool:
    if part.is_multipart():
        return False
    inline_text = part.get_content_maintype() == "text" and not part.is_attachment()
    return not inline_text


def _name(part: EmailMessage) -> str:
    return one_line(str(part.get_filename() or part.get_content_type()))[:100]
