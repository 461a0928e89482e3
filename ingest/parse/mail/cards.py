"""Address cards (VCF), with their fields, one line each.

Source: RFC 6350 and its forerunners (vCard).
"""

import quopri
import re
from collections.abc import Iterator
from pathlib import Path

from icalendar.parser import unescape_backslash

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode, one_line
from ingest.parse.mail.folding import unfolded
from sovereign_rag.domain import ElementKind

_CARD_FIELDS = {
    **{"ORG": "Company", "TITLE": "Job title", "ROLE": "Role", "TEL": "Phone", "EMAIL": "E-mail"},
    **{"ADR": "Address", "URL": "Web page", "BDAY": "Birthday", "NOTE": "Note", "LABEL": "Address"},
    **{"NICKNAME": "Nickname", "CATEGORIES": "Categories", "IMPP": "Messenger", "TZ": "Time zone"},
    **{"ANNIVERSARY": "Anniversary", "LANG": "Language", "MAILER": "Mail program"},
    **{"RELATED": "Related", "X-ASSISTANT": "Assistant", "X-MANAGER": "Manager"},
}
_KINDS = frozenset(("home", "work", "cell", "fax", "pager", "main", "mobile", "other", "video"))
_CARD_LINE = re.compile(r'((?:[^:"]|"[^"]*")+):(.*)')
_PARAMETER = re.compile(r'(?:[^;"]|"[^"]*")+')
_COMPACT_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")


def read_cards(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of vCard files, with one card or with many."""
    del job
    cards: list[list[tuple[str, dict[str, list[str]], str]]] = []
    data = path.read_bytes()
    if b"QUOTED-PRINTABLE" not in data.upper():  # whose lines may begin with a blank of their own
        data = unfolded(data)
    for line in _card_lines(decode(data)):
        if line[0] == "BEGIN" and line[2].upper() == "VCARD":
            cards.append([])
        elif cards:
            cards[-1].append(line)
    titles = [_name(card) for card in cards]
    blocks = (made for card in cards for made in _card(card))
    return unpaged(blocks, title=titles[0] if len(titles) == 1 else None)


def _card_lines(text: str) -> Iterator[tuple[str, dict[str, list[str]], str]]:
    """(name, parameters, value) of each line of a card, unfolded, in whatever version."""
    # Version 2.1 folds quoted-printable values by "=" at the end of a line.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    soft = re.sub(r"(?im)^([^:\n]*QUOTED-PRINTABLE[^:\n]*:.*(?:=\n.*)+)", _joined, text)
    for line in re.sub(r"\n[ \t]", "", soft).split("\n"):
        match = _CARD_LINE.fullmatch(line)
        if match is None:
            continue
        name, *given = _PARAMETER.findall(match.group(1))
        params: dict[str, list[str]] = {}
        for word in given:
            key, equals, value = word.partition("=")
            # Version 2.1 has the values of TYPE without its name.
            values = value.replace('"', "").split(",") if equals else [key]
            params.setdefault(key.upper() if equals else "TYPE", []).extend(values)
        yield name.rpartition(".")[2].upper(), params, _unpacked(match.group(2), params)


def _joined(match: re.Match[str]) -> str:
    return re.sub(r"=\n", "", match.group(1))


def _unpacked(value: str, params: dict[str, list[str]]) -> str:
    given = {word.upper() for words in params.values() for word in words}
    if given & {"B", "BASE64"} or value.startswith("data:"):
        return ""  # a photograph or a key
    if "QUOTED-PRINTABLE" in given:
        charset = next(iter(params.get("CHARSET", [])), "utf-8")
        return decode(quopri.decodestring(value.encode("latin-1", "replace")), charset)
    return value


def _name(card: list[tuple[str, dict[str, list[str]], str]]) -> str:
    found = {name: value for name, _, value in reversed(card)}
    if full := one_line(unescape_backslash(found.get("FN", ""))):
        return full
    family, given, *_ = [*_parts(found.get("N", "")), "", ""]
    return one_line(f"{given} {family}") or one_line(found.get("ORG", ""))


def _card(card: list[tuple[str, dict[str, list[str]], str]]) -> Iterator[Block | None]:
    yield block(ElementKind.TITLE, _name(card), 1)
    lines = []
    for name, params, value in card:
        label = _CARD_FIELDS.get(name)
        if label is None or not value.strip():
            continue
        said = (
            ", ".join(_parts(value))
            if name in {"ADR", "ORG", "CATEGORIES"}
            else unescape_backslash(value)
        )
        said = re.sub(r"(?i)^(tel|mailto):", "", said)
        if name in {"BDAY", "ANNIVERSARY"} and (day := _COMPACT_DAY.match(said)):
            said = "{2}.{1}.{0}".format(*day.groups())
        words = [w.lower() for given in params.get("TYPE", []) for w in given.split(",")]
        kinds = [word for word in words if word in _KINDS]
        lines.append(f"{label}{f' ({chr(44).join(kinds)})' if kinds else ''}: {said.strip()}")
    yield block(ElementKind.PARAGRAPH, "\n".join(lines))


def _parts(value: str) -> list[str]:
    """The parts of a value that has several, without the empty ones."""
    parts = re.split(r"(?<!\\);", value)
    return [one_line(unescape_backslash(part)) for part in parts if part.strip()]
