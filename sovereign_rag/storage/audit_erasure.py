"""Words taken out of the audit record without breaking its chain.

What is left of a record keeps its number, its time and what it says of others, and carries the
hash of the record that it was (`was`), which the next one is chained to. Which records these are,
with both hashes, is on the record first (`audit.erased`): a replaced line that no such record
tells of is a break, as every other change is.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sovereign_rag.access import Principal
from sovereign_rag.storage.audit import AuditLog, entry
from sovereign_rag.storage.audit_chain import hash_of, lines_of, sync_folder
from sovereign_rag.storage.audit_walk import ERASED

ERASED_TEXT: Final = "[erased]"
_IN_ONE: Final = 500  # records told of in one
_LEFT: Final = frozenset(
    {"document", "documents", "disclosed", "version", "spans", "page", "pages", "start", "end"}
    | {"job", "operation", "key", "kind", "index", "model", "prompt", "counts", "statements"}
    | {"unsupported", "confidence", "readers", "level", "before", "sha256"}
)
"""What stays of an erased person's own acts: that they were done, and on which documents."""


@dataclass(frozen=True, slots=True)
class _Words:
    pattern: re.Pattern[str]
    instead: Mapping[str, str]


@dataclass(frozen=True)
class Forgotten:
    """What is to stand nowhere on the record any more."""

    erasure: str  # its id
    words: Mapping[str, str]  # addresses -> what stands in their place, wherever they stand
    values: Mapping[str, str]  # titles and names -> likewise, where they are all that is said
    people: Mapping[str, str]  # labels ("user:ana") -> pseudonyms: their acts lose all words
    texts: Sequence[str] = ()  # wherever they stand, whatever their case
    lines: Mapping[int, str] = field(default_factory=dict)
    """Records that an earlier erasure took the words of, by number, with their hash before."""

    def remainder(self, line: bytes) -> bytes | None:
        """What is left of a record; None: it stays as it is."""
        values = json.loads(line)
        told = dict(values)
        is_theirs = bool(self.people.keys() & set(str(told["principal"]).split(" as ")))
        if is_theirs or self.lines.get(int(values["number"])) == hash_of(line):
            told["detail"] = {k: v for k, v in told["detail"].items() if k in _LEFT}
            told["by"] = {k: v for k, v in told.get("by", {}).items() if k != "address"}
        for part in ("principal", "by", "detail"):
            told[part] = self._without(told.get(part, {}))
        if told == values:
            return None
        told |= {"was": values.get("was", hash_of(line)), "erasure": self.erasure}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")

    @cached_property
    def _looked_for(self) -> _Words | None:
        instead = {**self.words, **self.people}
        if not instead:
            return None
        longest_first = sorted(instead, key=len, reverse=True)
        # A label is no part of a longer one: user:ana is not user:anabel.
        either = "|".join(map(re.escape, longest_first))
        return _Words(re.compile(rf"(?<![\w@-])(?:{either})(?![\w@-])"), instead)

    @cached_property
    def _texts(self) -> re.Pattern[str] | None:
        either = "|".join(re.escape(text) for text in self.texts)
        return re.compile(either, re.IGNORECASE) if either else None

    def _without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._without(key): self._of_key(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._without(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if self._texts is not None:
            value = self._texts.sub(ERASED_TEXT, value)
        words, value = self._looked_for, self.values.get(value, value)
        if words is None:
            return value
        return words.pattern.sub(lambda found: words.instead[found[0]], value)

    def _of_key(self, key: str, value: Any) -> Any:
        """Where a person is named without the kind of label, as in what made their key."""
        if key == "user" and isinstance(value, str):
            return self.people.get(f"user:{value}", value)
        return self._without(value)


def erase_words(
    audit: AuditLog, forgotten: Forgotten, principal: Principal
) -> list[tuple[int, str]]:
    """Take them out of every record; returns which lost some: number, and hash before.

    Appends wait meanwhile. A crash on the way leaves records that are announced and still whole;
    the same call takes their words.

    Raises:
        AuditError: It can't be recorded, or the log can't be written; nothing more is replaced.
    """
    with audit.alone():
        files = audit.files()
        found = [told for file in files for told in _remainders(file, forgotten)]
        for start in range(0, len(found), _IN_ONE):
            told = found[start : start + _IN_ONE]
            detail = {"erasure": forgotten.erasure, "records": told}
            audit.append(entry(ERASED, principal, detail))
        for place in audit.anchors.copying if found else ():
            place.replace(_left(files, forgotten))
        for file in files if found else ():  # last: a crash before it leaves words to be found
            _rewrite(file, forgotten)
        return [(number, was) for number, was, _ in found]


def _remainders(file: Path, forgotten: Forgotten) -> Iterator[tuple[int, str, str]]:
    for line in lines_of(file):
        left = forgotten.remainder(line)
        if left is not None:
            values = json.loads(left)
            yield int(values["number"]), str(values["was"]), hash_of(left)


def _left(files: Sequence[Path], forgotten: Forgotten) -> Iterator[tuple[int, bytes]]:
    for file in files:
        for line in lines_of(file):
            left = forgotten.remainder(line)
            if left is not None:
                yield int(json.loads(left)["number"]), left


def _rewrite(file: Path, forgotten: Forgotten) -> None:
    """The file without the words, in one step; what stands in it is overwritten by nobody."""
    beside = file.with_suffix(".new")
    is_changed = False
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as target:
        for line in lines_of(file):
            left = forgotten.remainder(line)
            is_changed |= left is not None
            target.write((line if left is None else left) + b"\n")
        target.flush()
        os.fsync(target.fileno())
    if is_changed:
        os.replace(beside, file)
        sync_folder(file.parent)
    else:
        beside.unlink()
