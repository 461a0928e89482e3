"""`.access.yaml`: who may read what lies in a folder and below, written beside the documents.

    readers: [group:finance, user:ana]     # nearer files override farther ones
    level: 2                               # may raise the source's level, never lower it
    files:
      "salaries*.xlsx": group:hr           # without "/": by name, in this folder and below
      "board/**":                          # with "/": by path from this folder; first match wins
        readers: [group:board]
        level: 3

Whatever is wrong with such a file, nobody reads what it speaks of.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import yaml

from sovereign_rag.access import HIGHEST_LEVEL, parse_readers
from sovereign_rag.errors import BadInput

NAME: Final = ".access.yaml"
MISNAMED: Final = ".access.yml"
"""Meant to be one, and never looked into, it would protect nothing: it counts as an invalid one."""

MAX_BYTES: Final = 64 * 1024
_NOBODY: Final = "nobody"
_DEPTH: Final = 8  # a rule stands at most three levels deep


class InvalidSidecar(Exception):
    """What is wrong, where, and what to do; the message is for the person who wrote the file."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Who may read; None: this file doesn't say."""

    readers: frozenset[str] | None
    level: int | None


@dataclass(frozen=True, slots=True)
class AccessRules:
    """A sidecar, read."""

    general: AccessRule
    files: tuple[tuple[str, AccessRule], ...] = ()  # pattern and rule, in the file's order

    def for_path(self, path: str) -> AccessRule:
        """The rule for a file, by its path from the sidecar's folder."""
        return next((rule for pattern, rule in self.files if matches(pattern, path)), self.general)


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern means a path: * within a name, ** across folders, ? one character.

    A pattern without "/" means names, in whatever folder.
    """
    subject = path if "/" in pattern else path.rpartition("/")[2]
    return _compiled(pattern.removeprefix("/")).fullmatch(subject) is not None


def parse(data: bytes) -> AccessRules:
    """Read a sidecar.

    Raises:
        InvalidSidecar: It is no YAML, or says something that is not understood.
    """
    if len(data) > MAX_BYTES:
        raise InvalidSidecar(f"it has more than {MAX_BYTES >> 10} KiB; keep it short")
    try:
        text = data.decode("utf-8-sig")
        _refuse_depth_and_aliases(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise InvalidSidecar("it is not UTF-8 text; save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "it is not valid YAML"
        raise InvalidSidecar(f"{line}{problem}; mend the YAML") from error
    if root is None:
        raise InvalidSidecar('it is empty; write "readers: [group:NAME]", or readers: nobody')
    return _rules(root)


def _refuse_depth_and_aliases(text: str) -> None:
    """Before a tree is made of it: an alias can make a tree of any size, depth a stack of any."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        mark = event.start_mark
        line = f"line {mark.line + 1}" if mark else "somewhere"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InvalidSidecar(f"{line}: & and * are not understood here; write it out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEPTH:
            raise InvalidSidecar(f"{line}: too deeply nested; see docs/sources.md for the form")


def _rules(root: yaml.Node) -> AccessRules:
    readers, level = None, None
    files: tuple[tuple[str, AccessRule], ...] = ()
    for key, node in _pairs(root, known=("readers", "level", "files")):
        if key == "readers":
            readers = _readers(node)
        elif key == "level":
            level = _level(node)
        else:
            files = tuple((pattern, _file_rule(rule)) for pattern, rule in _pairs(node))
    if readers is None and level is None and not files:
        raise InvalidSidecar(f"{_line(root)}: it says nothing; write readers, level or files")
    for pattern, _ in files:
        if not pattern.strip("/"):
            raise InvalidSidecar("an empty pattern below files; write a name such as *.pdf")
    return AccessRules(AccessRule(readers, level), files)


def _file_rule(node: yaml.Node) -> AccessRule:
    if not isinstance(node, yaml.MappingNode):
        return AccessRule(_readers(node), None)
    readers, level = None, None
    for key, part in _pairs(node, known=("readers", "level")):
        if key == "readers":
            readers = _readers(part)
        else:
            level = _level(part)
    if readers is None:
        raise InvalidSidecar(f"{_line(node)}: a pattern needs readers; write readers: [group:NAME]")
    return AccessRule(readers, level)


def _readers(node: yaml.Node) -> frozenset[str]:
    if isinstance(node, yaml.ScalarNode):
        text = _text(node)
        if text == _NOBODY:
            return frozenset()
        if not text.strip():
            raise InvalidSidecar(f"{_line(node)}: no readers; write their labels, or nobody")
        return _labels(text, node)
    if isinstance(node, yaml.SequenceNode):
        return frozenset().union(*(_labels(_text(part), part) for part in node.value))
    raise InvalidSidecar(f"{_line(node)}: readers is a list such as [group:finance, user:ana]")


def _labels(text: str, node: yaml.Node) -> frozenset[str]:
    try:
        labels = parse_readers(text)
    except BadInput as error:
        raise InvalidSidecar(f"{_line(node)}: {error}") from error
    if not labels:
        raise InvalidSidecar(f"{_line(node)}: an empty name; write group:NAME, user:NAME, everyone")
    return labels


def _level(node: yaml.Node) -> int:
    text = _text(node) if isinstance(node, yaml.ScalarNode) else ""
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) > HIGHEST_LEVEL:
        raise InvalidSidecar(f"{_line(node)}: level is a whole number from 0 to {HIGHEST_LEVEL}")
    return int(text)


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise InvalidSidecar(f"{_line(node)}: a name was expected here, not a list or a table")
    return str(node.value)


def _pairs(node: yaml.Node, known: Sequence[str] = ()) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        wanted = f"{', '.join(known)}" if known else "patterns"
        raise InvalidSidecar(f'{_line(node)}: expected lines "key: value", with {wanted} as keys')
    seen: set[str] = set()
    for key_node, value in node.value:
        key = _text(key_node)
        if key in seen:
            raise InvalidSidecar(f"{_line(key_node)}: {key!r} stands there twice; keep one")
        if known and key not in known:
            raise InvalidSidecar(
                f"{_line(key_node)}: {key!r} is not known here; the keys are {', '.join(known)}"
            )
        seen.add(key)
        yield key, value


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


@lru_cache(maxsize=4_096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)
