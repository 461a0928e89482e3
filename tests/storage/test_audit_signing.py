"""A record that was signed is verified with the public key alone, by us and from outside."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import BadInput
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import head_line
from sovereign_rag.storage.audit_chain import ChainHead, hash_of
from sovereign_rag.storage.audit_signing import (
    is_signed,
    make_key,
    private_key,
    public_key,
    signed,
)

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def asked(number: int, at: datetime = MARCH) -> AuditEntry:
    return AuditEntry(at, "answer", "default", "user:ana", {"question": f"question {number}"})


@dataclass
class Signed:
    """Five records and a checkpoint, then two more; the keys, and the checkpoint as it was kept."""

    log: AuditLog
    key: Path
    public: Path
    kept: Path

    def verify(self) -> tuple[bool, int]:
        report = self.log.verify(is_signed=partial(is_signed, key=public_key(self.public)))
        return report.ok, report.signed

    def from_outside(self, repository: Path, *options: str) -> tuple[int, str]:
        tool = repository / "tools" / "verify_audit.py"
        keys = ("--public-key", str(self.public))
        command = [sys.executable, "-I", str(tool), str(self.log.folder), *keys, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def lines(self) -> list[bytes]:
        (file,) = self.log.folder.glob("*.jsonl")
        return file.read_bytes().splitlines()

    def rewrite(self, lines: list[bytes]) -> None:
        """As whoever has the machine would: the note beside the log is made to fit."""
        (file,) = self.log.folder.glob("*.jsonl")
        file.write_bytes(b"".join(line + b"\n" for line in lines))
        last = ChainHead(len(lines), hash_of(lines[-1]))
        (self.log.folder / "head").write_bytes(head_line(last))


@pytest.fixture
def record(tmp_path: Path) -> Signed:
    key, public, kept = (tmp_path / name for name in ("audit.pem", "audit.pub", "kept.jsonl"))
    public.write_bytes(make_key(key))
    log = AuditLog(tmp_path / "data")
    for number in range(5):
        log.append(asked(number))
    made = log.checkpoint(asked(0), partial(signed, key=private_key(key)))
    kept.write_text(json.dumps(dict(made)) + "\n", encoding="utf-8")
    log.append(asked(6))
    log.append(asked(7))
    return Signed(log, key, public, kept)


def test_what_was_signed_is_vouched_for(record: Signed, repository: Path) -> None:
    assert record.verify() == (True, 5)
    code, told = record.from_outside(repository, "--checkpoint", str(record.kept))
    assert (code, told.splitlines()[0]) == (0, "ok: records 1 to 8, signed up to 5")


def forged(record: Signed) -> None:
    """The whole log anew, with a chain that fits, and no signature."""
    shutil.rmtree(record.log.folder)
    for number in range(9):
        record.log.append(asked(number + 100))


def signed_by_another(record: Signed) -> None:
    shutil.rmtree(record.log.folder)
    make_key(other := record.key.with_name("other.pem"))
    for number in range(5):
        record.log.append(asked(number + 100))
    record.log.checkpoint(asked(0), partial(signed, key=private_key(other)))


def edited(record: Signed) -> None:
    record.rewrite([line.replace(b"question 3", b"question X") for line in record.lines()])


def checkpoint_of_elsewhere(record: Signed) -> None:
    """The signature put behind other records."""
    checkpoint = json.loads(record.lines()[5])["detail"]
    shutil.rmtree(record.log.folder)
    for number in range(5):
        record.log.append(asked(number + 100))
    record.log.checkpoint(asked(0), lambda head: checkpoint)


@pytest.mark.parametrize("tamper", [forged, signed_by_another, edited, checkpoint_of_elsewhere])
def test_what_was_not_signed_is_not_vouched_for(
    record: Signed, repository: Path, tamper: Callable[[Signed], None]
) -> None:
    tamper(record)

    ok, number = record.verify()
    code, told = record.from_outside(repository)
    assert not ok or number == 0
    assert (code, "broken: " in told) == (3, True)


def test_a_record_that_was_cut_before_its_checkpoint_is_missed_by_the_one_that_was_kept(
    record: Signed, repository: Path
) -> None:
    record.rewrite(record.lines()[:4])

    code, told = record.from_outside(repository, "--checkpoint", str(record.kept))

    assert (code, told.strip()) == (
        3,
        "broken: record 5 was signed, and the record ends after 4",
    )


@pytest.mark.parametrize("with_key", [True, False])
def test_a_beginning_that_was_trimmed_is_taken_where_that_is_signed(
    record: Signed, repository: Path, with_key: bool
) -> None:
    key = partial(signed, key=private_key(record.key))
    for number in range(3):
        record.log.append(asked(number, MARCH + timedelta(days=40)))
    record.log.checkpoint(asked(0), key)

    record.log.trim(date(2026, 4, 30), asked(0), key if with_key else None)

    assert record.verify()[0] is with_key
    code, told = record.from_outside(repository)
    assert (code, "no signed trim" in told) == ((0, False) if with_key else (3, True))
    assert record.log.verify().ok  # without a key a trim on the record is enough


def test_a_key_is_for_its_owner_alone_and_never_written_over(record: Signed) -> None:
    assert record.key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadInput, match="never written over"):
        make_key(record.key)
    with pytest.raises(BadInput, match="no private key"):
        private_key(record.public)
    with pytest.raises(BadInput, match="no public key"):
        public_key(record.key)


def test_the_tool_needs_nothing_of_the_product(repository: Path) -> None:
    source = (repository / "tools" / "verify_audit.py").read_text(encoding="utf-8")

    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }

    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
