"""Messages of Outlook (MSG): an OLE container of properties, with attachments inside.

Source: [MS-OXMSG] for the container, [MS-OXRTFCP] for the compressed RTF body.
"""

from pathlib import Path

import oxmsg
from oxmsg.attachment import Attachment
from oxmsg.properties import Properties
from oxmsg.storage import Storage

from ingest import detect
from ingest.parse.document.attachments import BODY, Inner, stored, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft
from ingest.parse.document.job import Job
from ingest.parse.document.text import one_line
from ingest.parse.mail.message import encrypted_mail, mail_draft
from ingest.parse.markup.html import html_blocks
from ingest.parse.markup.plain import text_blocks

_RTF_BODY = 0x1009
_EMBEDDED_MESSAGE = "__substg1.0_3701000D"
_EMBEDDED_HEADER_BYTES = 24  # of its properties stream; 32 in the outermost message
_RTF_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    b"\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def read_msg(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of Outlook messages.

    Raises:
        DocumentError: "encrypted".
    """
    return _read(oxmsg.Message.load(str(path)), job, path.parent)


class _Embedded(oxmsg.Message):
    """A message that is an attachment of another one."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self._inner_storage = storage

    @property
    def _properties(self) -> Properties:
        return Properties(self._inner_storage, properties_header_offset=_EMBEDDED_HEADER_BYTES)


def _read(message: oxmsg.Message, job: Job, folder: Path) -> DocumentDraft:
    kind = message.message_class.lower()
    if "smime" in kind and "multipartsigned" not in kind:
        raise encrypted_mail()
    recipients = ", ".join(
        f"{r.name} <{r.email_address}>" if r.email_address else r.name for r in message.recipients
    )
    headers = {
        "subject": one_line(message.subject or ""),
        "from": message.sender or "",
        "to": recipients,
        "date": message.sent_date.isoformat(" ") if message.sent_date else "",
    }
    blocks: list[Block] = list(html_blocks(message.html_body or ""))
    blocks = blocks or list(text_blocks(message.body or ""))
    inner = [_attached(attachment) for attachment in message.attachments]
    draft = mail_draft(headers, blocks, [item.name for item in inner])
    rich = message.properties.binary_prop_value(_RTF_BODY) if not blocks else None
    if rich:
        body = stored("message.rtf", decompressed(rich), media_type=detect.RTF)
        draft = with_inner(draft, [body], job, folder / "body", label=BODY)
    return with_inner(draft, inner, job, folder)


def _attached(attachment: Attachment) -> Inner:
    name = one_line(attachment.file_name or "")
    storage = attachment._storage
    for inner in getattr(storage, "storages", ()):
        if inner.name == _EMBEDDED_MESSAGE:
            message = _Embedded(inner)

            def read(folder: Path, job: Job, message: oxmsg.Message = message) -> DocumentDraft:
                return _read(message, job, folder)

            return Inner(one_line(message.subject or "") or name or "mail", read)
    return stored(name, attachment.file_bytes or b"")


def decompressed(data: bytes) -> bytes:
    """An RTF body as Outlook stores it, unpacked.

    Raises:
        ValueError: It is cut off or of an unknown kind.
    """
    size = int.from_bytes(data[4:8], "little")
    if data[8:12] == b"MELA":
        return data[16 : 16 + size]
    if data[8:12] != b"LZFu":
        raise ValueError("an RTF body of an unknown kind")
    window = bytearray(_RTF_START.ljust(4096, b"\0"))
    write = len(_RTF_START)
    out = bytearray()
    at = 16
    while at < len(data) and len(out) < size:
        flags = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data):
                break
            if not flags >> bit & 1:
                out.append(data[at])
                window[write % 4096] = data[at]
                write, at = write + 1, at + 1
                continue
            pair = int.from_bytes(data[at : at + 2], "big")
            at += 2
            start, length = pair >> 4, (pair & 15) + 2
            if start == write % 4096:
                return bytes(out)
            for offset in range(length):
                byte = window[(start + offset) % 4096]
                out.append(byte)
                window[write % 4096] = byte
                write += 1
    return bytes(out)
