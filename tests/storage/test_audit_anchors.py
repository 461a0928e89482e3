"""What is gone from the audit record is missed, also where its own note is gone with it."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.settings import AuditSettings, Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import FileAnchor, anchors_of, head_line
from sovereign_rag.storage.audit_chain import ChainHead, hash_of

JANUARY = datetime(2026, 1, 15, tzinfo=UTC)
MONTHS = 3
A_MONTH = 4  # records


def asked(number: int) -> AuditEntry:
    at = JANUARY + timedelta(days=31 * ((number - 1) // A_MONTH))
    return AuditEntry(at, "answer", "default", "user:ana", {"question": f"question {number}"})


class Place:
    """A data folder whose record the catalog notes, or a file elsewhere does."""

    def __init__(self, folder: Path, kind: str) -> None:
        anchor = str(folder / "elsewhere") if kind == "file" else None
        self.settings = Settings(data_dir=folder / "data", audit=AuditSettings(anchor=anchor))
        self.settings.data_dir.mkdir(parents=True)
        self.catalog = Catalog.open(self.settings)
        self._noted_by = self.catalog if kind == "catalog" else None

    @property
    def folder(self) -> Path:
        return self.settings.data_dir / "audit"

    def open(self) -> AuditLog:
        anchors = anchors_of(self.settings, self._noted_by)
        return AuditLog(self.settings.data_dir, anchors=anchors)

    def write(self, *numbers: int) -> None:
        log = self.open()
        for number in numbers:
            log.append(asked(number))
        log.close()

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))


@pytest.fixture(params=["catalog", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, request.param)
    place.write(*range(1, MONTHS * A_MONTH + 1))
    yield place
    place.catalog.close()


def cut(count: int) -> Callable[[Place], None]:
    """The newest lines go, and the note beside them is made to fit."""

    def tamper(place: Place) -> None:
        lines = place.files()[-1].read_bytes().splitlines(keepends=True)
        kept = lines[: len(lines) - count]
        place.files()[-1].write_bytes(b"".join(kept))
        last = ChainHead(MONTHS * A_MONTH - count, hash_of(kept[-1].rstrip(b"\n")))
        (place.folder / "head").write_bytes(head_line(last))

    return tamper


def last_edited(place: Place) -> None:
    file = place.files()[-1]
    file.write_bytes(file.read_bytes().replace(b"question 12", b"question XX"))
    line = file.read_bytes().splitlines()[-1]
    (place.folder / "head").write_bytes(head_line(ChainHead(12, hash_of(line))))


def file_gone(number: int) -> Callable[[Place], None]:
    return lambda place: place.files()[number].unlink()


def all_gone(place: Place) -> None:
    shutil.rmtree(place.folder)


def all_files_gone(place: Place) -> None:
    for file in place.files():
        file.unlink()


def head_gone(place: Place) -> None:
    (place.folder / "head").unlink()


def head_garbled(place: Place) -> None:
    (place.folder / "head").write_text("nothing that could be read\n")


def reordered(place: Place) -> None:
    first, second, *rest = place.files()[0].read_bytes().splitlines(keepends=True)
    place.files()[0].write_bytes(b"".join([second, first, *rest]))


def swapped(place: Place) -> None:
    """The folder of another installation, whole in itself, and longer."""
    shutil.rmtree(place.folder)
    other = AuditLog(place.settings.data_dir)
    for number in range(1, 20):
        other.append(asked(100 + number))


def older_copy(place: Place) -> None:
    """As it was after two months, with the note of then."""
    cut_to = 2 * A_MONTH
    place.files()[-1].unlink()
    last = place.files()[-1].read_bytes().splitlines()[-1]
    (place.folder / "head").write_bytes(head_line(ChainHead(cut_to, hash_of(last))))


TAMPERINGS: dict[str, Callable[[Place], None]] = {
    **{f"newest {count} cut": cut(count) for count in range(1, A_MONTH)},
    "last edited": last_edited,
    "newest file": file_gone(-1),
    "middle file": file_gone(1),
    "oldest file": file_gone(0),
    "all files": all_files_gone,
    "whole folder": all_gone,
    "head gone": head_gone,
    "head garbage": head_garbled,
    "reordered": reordered,
    "another's folder": swapped,
    "an older copy": older_copy,
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_every_loss_is_a_finding(place: Place, tampering: str) -> None:
    assert place.open().verify().ok

    TAMPERINGS[tampering](place)

    assert not place.open().verify().ok


@pytest.mark.parametrize(
    "tampering", ["newest 2 cut", "newest file", "all files", "whole folder", "an older copy"]
)
def test_going_on_over_a_gap_says_so_and_hides_nothing(place: Place, tampering: str) -> None:
    TAMPERINGS[tampering](place)

    place.write(13)

    actions = [record.entry.action for record in place.open().read()]
    assert actions[-2:] == ["audit.gap", "answer"]
    assert not place.open().verify().ok


def test_a_crash_before_the_note_is_no_loss(place: Place) -> None:
    log = place.open()
    log.append(asked(13))  # and never closed, as after a crash

    assert place.open().verify().ok
    place.write(14)
    assert place.open().verify().ok


def test_a_record_of_before_there_were_anchors_is_taken_as_it_is(tmp_path: Path) -> None:
    place = Place(tmp_path, "catalog")
    former = AuditLog(place.settings.data_dir)
    for number in range(1, 4):
        former.append(asked(number))

    before = place.open().verify()
    place.write(4)
    after = place.open().verify()

    assert (before.ok, after.ok, after.head.number) == (True, True, 4)
    assert place.catalog.audit_heads.last() == (4, after.head.hash)
    place.catalog.close()


def test_an_anchor_that_cannot_be_written_refuses_the_record_that_follows(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, anchors=[FileAnchor(tmp_path / "no folder" / "anchor")])

    def go_on() -> None:
        for number in range(1, 200):  # the note is made within a second
            log.append(asked(number))
            time.sleep(0.1)

    with pytest.raises(AuditError, match=r"audit\.anchor"):
        go_on()
    log.close()
