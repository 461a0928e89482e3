"""Nothing takes effect that is not on the record before, and what begins there has an end there.

Acts are cut off at their steps, by SIGKILL or by a record that takes nothing more, and what they
left is held against the record. `TEST_KILLS=all` kills at every single step, a number at
so many of each act.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pytest

from sovereign_rag.access import Principal, in_both
from sovereign_rag.catalog.records import AuditEntry, document_id
from sovereign_rag.errors import AuditError
from sovereign_rag.roles import Role
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.store.protocol import SearchFilter
from sovereign_rag.wiring import Application, open_service
from tests.hashed import HashEmbedder
from tests.record import acts
from tests.record.acts import ACTS, TENANT

KILLS: Final = os.environ.get("TEST_KILLS", "2")
ANA, BO, EVE = Principal("ana"), Principal("bo"), Principal("eve")
ENDS: Final = {"done", "failed", "abandoned", "interrupted"}
BEGINS: Final = {"ingest", "sync", "delete", "edit"}


@dataclass(frozen=True)
class State:
    """What there is of a document: its readers by the catalog, its versions in the store."""

    readers: frozenset[str] | None  # None: there is no such document
    versions: frozenset[str]


def _on_the_way(was: State, told: Sequence[tuple[str, frozenset[str]]]) -> list[frozenset[str]]:
    """Whose a document may be: those that were told, and before the store knows who is in both."""
    readers = [readers for _, readers in told]
    return [*readers, *(in_both(was.readers or frozenset(), one) for one in readers)]


@dataclass(frozen=True)
class Killer:
    """Does acts in processes of their own, and kills them."""

    process: "subprocess.Popen[str]"
    data: Path

    def run(self, act: str, path: Path, kill_at: int = 0) -> dict[str, Any]:
        asked = {"data": str(self.data), "act": act, "path": str(path), "kill_at": kill_at}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


@pytest.fixture(scope="module")
def settings(product_settings: Callable[..., Settings]) -> Settings:
    return product_settings()


@pytest.fixture(scope="module")
def watcher(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The product that looks at what others left, and goes on."""
    anchor = tmp_path_factory.mktemp("anchor") / "anchor.txt"
    anchor.write_text(acts.TEXT, encoding="utf-8")
    with open_service(settings, embedder=HashEmbedder()) as application:
        secret = application.catalog.keys.create("Admin", "adam", role=Role.ADMIN)[1]
        (settings.data_dir / "admin.key").write_text(secret, encoding="utf-8")
        acts.ingested(application, anchor, "everyone")  # so that its text is not read each time
        yield application


@pytest.fixture(scope="module")
def killer(settings: Settings) -> Iterator[Killer]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.record.killed"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Killer(process, settings.data_dir)
        process.terminate()


@dataclass
class Trial:
    """One act on documents of its own, and what the record says since."""

    watcher: Application
    act: str
    path: Path

    def __post_init__(self) -> None:
        acts.prepare(self.act, self.watcher, self.path)
        self.uris = acts.uris(self.act, self.path)
        self.ids = {uri: document_id(TENANT, uri) for uri in self.uris}
        self.since = max(record.number for record in self.watcher.audit.read())
        self.before = self.state()

    def state(self) -> dict[str, State]:
        return {uri: self._state(uri) for uri in self.uris}

    def _state(self, uri: str) -> State:
        known = self.watcher.catalog.documents.find(TENANT, uri)
        versions = self.watcher.store.versions(TENANT, self.ids[uri])
        return State(None if known is None else known.readers, frozenset(versions))

    def records(self) -> list[AuditEntry]:
        return [record.entry for record in self.watcher.audit.read(after=self.since)]

    def told(self, uri: str) -> list[tuple[str, frozenset[str]]]:
        """What the record tells of a document: actions, with who reads it then."""
        return [
            (entry.action, frozenset(item.get("readers", ())))
            for entry in self.records()
            for item in _items(entry)
            if self.ids[uri] == item.get("document") or uri == item.get("to")
        ]

    def unrecorded(self) -> list[str]:
        """Effects that are on no record."""
        now, found = self.state(), []
        for uri in self.uris:
            told, was, is_ = self.told(uri), self.before[uri], now[uri]
            if is_.versions != was.versions and not told:
                found.append(f"{uri}: its chunks changed")
            if is_.readers is None and was.readers is not None:
                if not any(a in {"delete", "sync.deletes", "sync.moves"} for a, _ in told):
                    found.append(f"{uri}: it is gone")
            elif is_.readers != was.readers and is_.readers not in _on_the_way(was, told):
                found.append(f"{uri}: its readers are {is_.readers}")
        return found

    def leaks(self) -> list[str]:
        """Who finds what the record does not make them a reader of."""
        found = []
        for who in (ANA, BO, EVE):
            only = SearchFilter(documents=frozenset(self.ids.values()))
            hits = self.watcher.searching.search("gate", who, limit=20, search_filter=only)
            seen = {hit.chunk.document_id for hit in hits}
            for uri, id_ in self.ids.items():
                readers = self.before[uri].readers or frozenset()
                readers = readers.union(*(told for _, told in self.told(uri)))
                if id_ in seen and who.label not in readers:
                    found.append(f"{who.label} reads {uri}")
        return found

    def without_end(self) -> list[str]:
        begun = {e.detail["operation"]: e.action for e in self.records() if e.action in BEGINS}
        for entry in self.records():
            if entry.action.rpartition(".")[2] in ENDS:
                begun.pop(entry.detail.get("operation"), None)
        return list(begun.values())

    def readers(self) -> dict[str, frozenset[str]]:
        """Who reads what, of what is there and found."""
        return {
            uri: state.readers
            for uri, state in self.state().items()
            if state.readers is not None and state.versions
        }

    def done(self) -> dict[str, frozenset[str]]:
        wanted = acts.expected(self.act, self.path)
        return {uri: frozenset({reader}) for uri, reader in wanted.items()}

    def check_as_it_was_left(self) -> None:
        assert self.unrecorded() == []
        assert self.leaks() == []
        assert self.watcher.audit.verify().problem is None

    def check_after_the_next_start(self) -> None:
        was_begun = any(entry.action in BEGINS for entry in self.records())
        acts.finish(self.watcher)
        if self.act == "sync":
            ACTS[self.act](self.watcher, self.path)
        self.check_as_it_was_left()
        assert self.without_end() == []
        untouched = {
            uri: state.readers for uri, state in self.before.items() if state.readers is not None
        }
        was_abandoned = any(entry.action.endswith(".abandoned") for entry in self.records())
        if self.act == "sync" or (was_begun and not was_abandoned):
            assert self.readers() == self.done()
        else:
            assert self.readers() == untouched


def _items(entry: AuditEntry) -> Iterator[dict[str, Any]]:
    listed: Sequence[object] = entry.detail.get("documents", ())
    yield from (item for item in listed if isinstance(item, dict))
    if isinstance(entry.detail.get("document"), str):
        yield dict(entry.detail)


@pytest.mark.parametrize("act", ACTS)
def test_an_act_that_is_killed_at_any_step_leaves_no_effect_off_the_record(
    watcher: Application, killer: Killer, tmp_path: Path, act: str
) -> None:
    whole = Trial(watcher, act, tmp_path / "whole.txt")
    steps = killer.run(act, whole.path)["steps"]
    assert whole.readers() == whole.done()
    whole.check_as_it_was_left()
    many = steps if KILLS == "all" else min(int(KILLS), steps)

    for number in range(many):
        kill_at = steps * (number + 1) // (many + (KILLS != "all"))
        trial = Trial(watcher, act, tmp_path / f"{number}.txt")
        outcome = killer.run(act, trial.path, kill_at)
        assert "error" not in outcome, outcome
        trial.check_as_it_was_left()
        trial.check_after_the_next_start()


class Room:
    """An audit record that takes so many entries more, as on a disk that fills up."""

    def __init__(self, audit: AuditLog, entries: int) -> None:
        self._audit, self.left = audit, entries

    def append(self, entry: AuditEntry) -> None:
        if self.left == 0:
            raise AuditError("The audit log can't be used: No space left on device.")
        self.left -= 1
        self._audit.append(entry)


class FullSoon(Application):
    """The product on such a disk."""

    def __init__(self, settings: Settings, entries: int) -> None:
        super().__init__(settings, embedder=HashEmbedder())
        self.room = Room(self.audit, entries)
        self.audit = cast(AuditLog, self.room)


@pytest.mark.parametrize("act", ACTS)
def test_an_act_that_can_not_be_recorded_at_any_step_has_no_effect_off_the_record(
    watcher: Application, settings: Settings, tmp_path: Path, act: str
) -> None:
    entries, is_whole = 0, False
    while not is_whole:
        trial = Trial(watcher, act, tmp_path / f"{entries}.txt")
        cramped = FullSoon(settings, entries)
        try:
            ACTS[act](cramped, trial.path)
        except (AuditError, KeyError):  # of the API it is an answer without a job
            pass
        finally:
            cramped.close()
        trial.check_as_it_was_left()
        if entries == 0:
            assert trial.state() == trial.before
        trial.check_after_the_next_start()
        is_whole = cramped.room.left > 0
        entries += 1 if KILLS == "all" or entries < 2 else 2

    assert entries > 1
