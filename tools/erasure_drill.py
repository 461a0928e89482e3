"""The drill that an auditor asks for: one person erased among many documents, also after a restore.

    python tools/erasure_drill.py FOLDER [--documents 1000]

FOLDER is new, and holds a data folder, its backups and a second data folder afterwards. Documents
are made, one of them about a person; a backup is taken; the person is erased; every file is read,
byte by byte, for their name; the certificate is verified; the backup of before is restored, and
read likewise. Ends with code 1 where a trace is left. Times and sizes go to stdout, as JSON.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import Origin, create
from sovereign_rag.backup.redo import redo
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import restore
from sovereign_rag.privacy.erase import KIND, Eraser, write_tombstone
from sovereign_rag.privacy.find import Asked
from sovereign_rag.settings import load_settings
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


class Drill:
    """Its steps, with what each took."""

    def __init__(self, folder: Path, documents: int) -> None:
        self.folder, self.documents = folder, documents
        self.told: dict[str, object] = {"documents": documents}
        self.failures: list[str] = []

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
        write_documents(self.folder / "documents", self.documents)
        settings = load_settings(overrides={"data_dir": self.folder / "data"})
        backups, key = Repository(self.folder / "backups"), Ed25519PrivateKey.generate()
        with open_service(settings) as application:
            with self.timed("taking_in"):
                application.ingestion.ingest(
                    [self.folder / "documents"], OWNER, readers=frozenset({"everyone"})
                )
            (self.folder / "documents" / "vaillancourt-letter.txt").unlink()
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

    def asks(self, application: Application) -> list[str]:
        passages = application.searching.search(f"What happened to {PERSON}?", Principal("auditor"))
        return [passage.chunk.text for passage in passages]

    def look(self, application: Application, data: Path, step: str) -> None:
        """Read every file, count what is left, and ask once more."""
        found, files, size = files_with_traces(data)
        self.told[step] = {"files": files, "bytes": size, "with_traces": found}
        self.require(not found, f"{step}: traces in {found}")
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
        settings = load_settings(overrides={"data_dir": self.folder / "restored"})
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
    asked = parser.parse_args()
    drill = Drill(asked.folder, asked.documents)
    drill.run()
    print(json.dumps({**drill.told, "failures": drill.failures}, indent=1))
    sys.exit(1 if drill.failures else 0)


if __name__ == "__main__":
    main()
