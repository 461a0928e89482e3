"""The drill that an auditor asks for: one person erased among many documents, also after a restore.

    python tools/erasure_drill.py FOLDER [--documents 1000] [--catalog-url postgresql+psycopg://…]
    python tools/erasure_drill.py FOLDER --from BACKUPS      # of an earlier drill: FOLDER/backups

FOLDER is new, and holds a data folder, its backups and a second data folder afterwards. Documents
are made, one of them about a person; a backup is taken; the person is erased; every file is read,
byte by byte, for their name; the certificate is verified; the backup of before is restored, and
read likewise. Ends with code 1 where a trace is left. Times and sizes go to stdout, as JSON.

With --catalog-url the catalog is in two schemas of that database, which are new and removed at the
end; its role has to be a superuser: all files of the database are read, and the write-ahead log,
where traces are told of and fail the drill unless --log-may-keep says that the server reuses it.
"""

import argparse
import json
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import Origin, create
from sovereign_rag.backup.redo import redo
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import restore
from sovereign_rag.privacy.erase import KIND, Eraser, write_tombstone
from sovereign_rag.privacy.find import Asked
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.storage.signed_statements import signed_statement, statement_in
from sovereign_rag.wiring import Application, open_service

OWNER = local_owner()
PERSON = "Odette Vaillancourt"
TRACES = (b"Odette Vaillancourt", b"fractured the left scaphoid", b"vaillancourt-letter")
LETTER = (
    f"{PERSON} of the night shift fractured the left scaphoid in the spring of 2024. "
    "The company doctor saw her twice and wrote to the insurance."
)
PLACES = ("yard", "cellar", "tower", "harbour", "archive", "kitchen", "workshop", "library")


def write_documents(folder: Path, number: int) -> None:
    """Short notes, each with words of its own; the person's lies among them."""
    folder.mkdir(parents=True)
    for n in range(1, number):
        place = PLACES[n % len(PLACES)]
        text = (
            f"Note {n}. The gate of the {place} number {n} opens at {n % 12 + 1} and is closed by "
            f"warden {n * 7919 % 1_000}. Its lantern takes {n % 9 + 1} litres of oil a week."
        )
        (folder / f"note-{n:05d}.txt").write_text(text, encoding="utf-8")
    (folder / "vaillancourt-letter.txt").write_text(LETTER, encoding="utf-8")


def files_with_traces(folder: Path) -> tuple[list[str], int, int]:
    """Which files hold one, how many were read, and their bytes; knows nothing of the product."""
    found, files, size = [], 0, 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            files, size = files + 1, size + len(data)
            if any(trace in data for trace in TRACES):
                found.append(str(path.relative_to(folder)))
    return found, files, size


class Server:
    """A PostgreSQL server, through a connection that knows nothing of the product."""

    def __init__(self, url: str) -> None:
        self._url = url
        plain = url.replace("postgresql+psycopg://", "postgresql://")
        self._connection = psycopg.connect(plain, autocommit=True)
        self._schemas: list[str] = []

    def schema(self, name: str) -> str:
        """An empty schema; returns the URL of a catalog in it."""
        self._connection.execute(f'CREATE SCHEMA "{name}"'.encode())
        self._schemas.append(name)
        return f"{self._url}{'&' if '?' in self._url else '?'}options=-csearch_path%3D{name}"

    def look(self) -> dict[str, object]:
        """Files of the database and of the log that hold a trace."""
        self._connection.execute("CHECKPOINT")
        (oid,) = self._row("SELECT oid FROM pg_database WHERE datname = current_database()")
        tables, log = self._search(f"base/{oid}"), self._search("pg_wal")
        return {
            "files": tables[1] + log[1],
            "bytes": tables[2] + log[2],
            "with_traces": tables[0],
            "log_with_traces": log[0],
        }

    def _search(self, folder: str) -> tuple[list[str], int, int]:
        found, files, size = [], 0, 0
        listed = self._connection.execute("SELECT pg_ls_dir(%s)", (folder,)).fetchall()
        for (name,) in listed:
            path = f"{folder}/{name}"
            length, is_folder = self._row("SELECT size, isdir FROM pg_stat_file(%s)", path)
            if is_folder or not length:
                continue
            (data,) = self._row("SELECT pg_read_binary_file(%s, 0, %s, true)", path, length)
            files, size = files + 1, size + len(data or b"")
            found += [path] if any(trace in (data or b"") for trace in TRACES) else []
        return found, files, size

    def _row(self, query: str, *values: object) -> tuple[Any, ...]:
        row = self._connection.execute(query.encode(), values).fetchone()
        return tuple(row or (None,))

    def close(self) -> None:
        for name in self._schemas:
            self._connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())
        self._connection.close()


class Drill:
    """Its steps, with what each took."""

    def __init__(
        self,
        folder: Path,
        documents: int,
        server: Server | None,
        *,
        begin_with: Path | None,
        log_may_keep: bool,
    ) -> None:
        self.begin_with = begin_with
        self.folder, self.documents = folder, documents
        self.server, self.log_may_keep = server, log_may_keep
        self.told: dict[str, object] = {"documents": documents}
        self.failures: list[str] = []

    def settings(self, name: str) -> Settings:
        sections: dict[str, Any] = {"data_dir": self.folder / name}
        if self.server is not None:
            schema = f"drill_{name}_{uuid.uuid4().hex[:8]}"
            sections["catalog"] = {"url": self.server.schema(schema)}
        return load_settings(overrides=sections)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        wall, cpu = time.monotonic(), time.process_time()
        yield
        took = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
        self.told[step] = {name: round(value, 1) for name, value in took.items()}

    def require(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.failures.append(what)

    def run(self) -> None:
        settings = self.settings("data")
        if self.begin_with is not None:
            self.restore_first(settings, Repository(self.begin_with))
        backups, key = Repository(self.folder / "backups"), Ed25519PrivateKey.generate()
        with open_service(settings) as application:
            if self.begin_with is None:
                self.take_in(application)
            found = self.asks(application)
            self.require(any(PERSON in text for text in found), "the letter is not found before")
            with self.timed("backup"):
                origin = Origin(settings, application.catalog, application.audit)
                before = create(origin, backups, key=key, recipient=None)
            with self.timed("erasure"):
                eraser = Eraser(application)
                plan = eraser.finder.plan(Asked("default", texts=[PERSON]))
                done = eraser.erase(plan, OWNER)
            signed = signed_statement(KIND, done.facts, key)
            certificate = write_tombstone(backups.erased, signed, done.facts["erasure"])
            self.require(done.scan.is_clean, f"its own scan found {done.scan.found}")
            self.look(application, settings.data_dir, "after_erasure")
        told = statement_in(certificate, KIND, key.public_key(), what="The certificate")
        self.require(len(told["documents"]) == 1, "the certificate tells of another number")
        self.restored(backups, before.name, key)

    def take_in(self, application: Application) -> None:
        documents = self.folder / "documents"
        write_documents(documents, self.documents)
        with self.timed("taking_in"):
            application.ingestion.ingest([documents], OWNER, readers=frozenset({"everyone"}))
        (documents / "vaillancourt-letter.txt").unlink()

    def restore_first(self, settings: Settings, backups: Repository) -> None:
        """The installation as it was before anything was erased."""
        with self.timed("restore_first"):
            done = restore(settings, backups, backups.names()[0], key=None, opener=None)
        self.documents = done.documents
        self.told["documents"] = done.documents

    def asks(self, application: Application) -> list[str]:
        passages = application.searching.search(f"What happened to {PERSON}?", Principal("auditor"))
        return [passage.chunk.text for passage in passages]

    def look(self, application: Application, data: Path, step: str) -> None:
        """Read every file, count what is left, and ask once more."""
        found, files, size = files_with_traces(data)
        self.told[step] = {"files": files, "bytes": size, "with_traces": found}
        self.require(not found, f"{step}: traces in {found}")
        if self.server is not None:
            told = self.server.look()
            self.told[f"{step}_postgresql"] = told
            self.require(not told["with_traces"], f"{step}: traces in {told['with_traces']}")
            kept = told["log_with_traces"] and not self.log_may_keep
            self.require(not kept, f"{step}: traces in {told['log_with_traces']}")
        left = application.catalog.traces.count()
        self.require(left == self.documents - 1, f"{step}: {left} documents are there")
        self.require(application.audit.verify().ok, f"{step}: the record does not verify")
        self.require(
            not any(PERSON in text for text in self.asks_without_a_trace(application)),
            f"{step}: the person is still found",
        )

    def asks_without_a_trace(self, application: Application) -> list[str]:
        """Asking by name would put that on the record."""
        passages = application.searching.search("Who was hurt at the night shift?", OWNER)
        return [passage.chunk.text for passage in passages]

    def restored(self, backups: Repository, name: str, key: Ed25519PrivateKey) -> None:
        settings = self.settings("restored")
        with self.timed("restore"):
            done = restore(settings, backups, name, key=key.public_key(), opener=None)
            with open_service(settings) as application:
                again = redo(application, done.to_redo, done.erased)
                self.require(again["erased"] == 1, "the restore did not erase again")
        with open_service(settings) as application:
            self.look(application, settings.data_dir, "after_restore")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--catalog-url", metavar="URL")
    parser.add_argument("--from", dest="begin_with", type=Path, metavar="BACKUPS")
    parser.add_argument("--log-may-keep", action="store_true")
    asked = parser.parse_args()
    server = None if asked.catalog_url is None else Server(asked.catalog_url)
    drill = Drill(
        asked.folder,
        asked.documents,
        server,
        begin_with=asked.begin_with,
        log_may_keep=asked.log_may_keep,
    )
    try:
        drill.run()
    finally:
        if server is not None:
            server.close()
    print(json.dumps({**drill.told, "failures": drill.failures}, indent=1))
    sys.exit(1 if drill.failures else 0)


if __name__ == "__main__":
    main()
