"""Mailbox files as folders of mails."""

import re
from collections.abc import Iterator
from email.header import decode_header, make_header
from hashlib import sha256
from pathlib import Path
from typing import Final

from ingest.parse.archive.run import BLOCK, MAX_NAME, Run, safe_part
from sovereign_rag.errors import TooLarge

_HEAD: Final = 64 * 1024
_SEPARATOR = re.compile(rb"From \S.*\d{1,2}:\d{2}")
_HEADER = re.compile(rb">?[A-Za-z][A-Za-z0-9-]*:")


def take_mailbox(run: Run, path: Path, prefix: str, depth: int) -> None:
    """Each message by the hash of its bytes: the others keep theirs when one goes."""
    known: set[str] = set()
    for begin, end in _messages(path):
        run.count_file()
        with path.open("rb") as file:
            file.seek(begin)
            head = file.read(min(_HEAD, end - begin))
        key = _hash_of(path, begin, end)[:16]
        if key in known:
            continue
        known.add(key)
        name = f"{_subject(head) or 'message'}.eml"
        place = f"{prefix}{key}.eml"
        try:
            # Not `take`: a message is a message, whatever its text looks like.
            run.keep(place, name, run.write(_range(path, begin, end)))
        except TooLarge as error:
            run.fail(place, str(error))


def is_mailbox(head: bytes, name: str) -> bool:
    first, _, rest = head.partition(b"\n")
    is_start = _SEPARATOR.match(first) is not None and _HEADER.match(rest) is not None
    return is_start and not name.lower().endswith((".eml", ".txt", ".md"))


def _messages(path: Path) -> Iterator[tuple[int, int]]:
    """Where each message begins and ends, without the line that separates them."""
    begin: int | None = None
    place, after_blank = 0, True
    with path.open("rb") as file:
        while line := file.readline(BLOCK):
            if after_blank and _SEPARATOR.match(line):
                if begin is not None and place > begin:
                    yield begin, place
                begin = place + len(line)
            after_blank = line in {b"\n", b"\r\n"}
            place += len(line)
    if begin is not None and place > begin:
        yield begin, place


def _range(path: Path, begin: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (block := file.read(min(BLOCK, end - begin))):
            begin += len(block)
            yield block


def _hash_of(path: Path, begin: int, end: int) -> str:
    digest = sha256()
    for block in _range(path, begin, end):
        digest.update(block)
    return digest.hexdigest()


def _subject(head: bytes) -> str:
    found = re.search(rb"(?im)^subject:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*){0,10})", head)
    if found is None:
        return ""
    raw = found.group(1)[:1_000].decode("utf-8", "replace")
    try:
        text = str(make_header(decode_header(" ".join(raw.split()))))
    except (ValueError, LookupError):  # an encoding that is none
        text = raw
    return safe_part(text)[:MAX_NAME].strip()
