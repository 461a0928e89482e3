"""An erasure reaches every machine: each takes the words out of its own record, and says so.

erased on one machine -> words, sealed, in the catalog -> every other: record, leftovers, files
searched, confirmed -> with the last of them the sealed words go
"""

import json
import logging
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.erasures import AwaitedErasure
from sovereign_rag.errors import SovereignError
from sovereign_rag.privacy.find import Finder
from sovereign_rag.privacy.scan import scan
from sovereign_rag.services.container import Service
from sovereign_rag.storage.audit import entry
from sovereign_rag.storage.audit_erasure import Forgotten, erase_words
from sovereign_rag.storage.signed_statements import signed_statement

log = logging.getLogger(__name__)

FOLLOWED: Final = "erase.followed"
KIND: Final = "erasure"
FOLDER: Final = "erasures"
"""In the data folder, and so in each backup: what was erased, by ids alone."""

_EVERY_S: Final = 5.0
_AGAIN_S: Final = 600.0  # after a try that left something


@dataclass(frozen=True, slots=True)
class Asking:
    """What other machines are told: the words, and how to find what is left of them."""

    told: Mapping[str, Any]  # as on the record: ids and hashes
    forgotten: Forgotten
    needles: Collection[str]

    def sealed(self, service: Service) -> bytes:
        own = self.forgotten
        said = {
            **{"told": dict(self.told), "needles": sorted(self.needles)},
            **{"words": dict(own.words), "values": dict(own.values), "people": dict(own.people)},
            "texts": list(own.texts),
        }
        data = json.dumps(said).encode()
        return service.sealer.seal(data, _context(own.erasure), self.told["tenant"])

    @classmethod
    def opened(cls, service: Service, asked: AwaitedErasure) -> "Asking | None":
        """None: it was sealed with a key that is not here."""
        data = service.sealer.open(asked.words, _context(asked.id))
        if data is None:
            return None
        said = json.loads(data)
        words = (said["words"], said["values"], said["people"], said["texts"])
        return cls(said["told"], Forgotten(asked.id, *words), said["needles"])


class ErasureFollower:
    """Does on this machine what was erased on another."""

    def __init__(self, service: Service, *, every_s: float = _EVERY_S) -> None:
        """`every_s`: between two looks of `run`."""
        self._service, self._every_s = service, every_s
        self._writer = service.settings.audit.writer
        self._finder = Finder(service.catalog, service.content, self._writer)
        self._again_at: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Look for what is to be done until `stop` is set."""
        while True:
            try:
                self.follow()
            except SovereignError as fault:
                log.warning("An erasure could not be followed yet: %s", fault)
            except Exception:  # a thread that ended would tell nobody
                log.exception("An erasure could not be followed")
            if stop.wait(self._every_s):
                return

    def follow(self) -> int:
        """Do what other machines wait for; returns how many erasures were confirmed.

        Raises:
            AuditError: It can't be recorded; nothing is removed.
            EnvironmentFault: Catalog or disk fail; the next call goes on.
        """
        awaited = self._service.catalog.erasures.awaited_of(self._writer)
        due = [one for one in awaited if self._again_at.get(one.id, 0.0) <= time.monotonic()]
        if not due:
            return 0
        folder = self._service.settings.data_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with FileLock(folder / "lock", timeout=0, mode=0o600):
                return sum(self._follow(one) for one in due)
        except Timeout:  # another process of this machine is at it
            return 0

    def _follow(self, asked: AwaitedErasure) -> bool:
        service, erasures = self._service, self._service.catalog.erasures
        self._again_at[asked.id] = time.monotonic() + _AGAIN_S
        asking = Asking.opened(service, asked)
        if asking is None:
            why = "it lacks the sealing.key that they were sealed with: copy that to it"
            log.error("The words of erasure %s can't be opened here: %s", asked.id, why)
            erasures.could_not(asked.id, self._writer, why)
            return False
        if self._is_under_way(asking):
            self._again_at.pop(asked.id)
            return False
        owner = local_owner(asked.tenant)
        lines = erase_words(service.audit, asking.forgotten, owner)
        clear_leftovers(service)
        found = scan(
            service.settings.data_dir,
            asking.needles,
            leave_out=service.settings.models_dir,
            is_of_another=lambda needle: self._finder.is_of_another(asked.tenant, needle),
        )
        counts = {"erasure": asked.id, "records": len(lines), "found": len(found.found)}
        service.audit.append(entry(FOLLOWED, owner, counts))
        head = service.audit.extent()[1]
        self._keep(asking, lines)
        if not found.is_clean:
            why = f"words of it are still in {', '.join(found.found[:5])}"
            log.error("Erasure %s: %s", asked.id, why)
            erasures.could_not(asked.id, self._writer, why)
            return False
        told = {
            "records": len(lines),
            "record": {"number": head.number, "hash": head.hash},
            "scan": {"files": found.files, "bytes": found.bytes, "needles": found.needles},
        }
        erasures.confirm(asked.id, self._writer, told)
        service.catalog.traces.compact()  # copies of the record had the words, too
        log.info("Erasure %s: %d records lost their words here", asked.id, len(lines))
        return True

    def _is_under_way(self, asking: Asking) -> bool:
        """Whether its documents are still there: words of theirs would be taken for a document's
        that stays.
        """
        tenant, ids = asking.told["tenant"], [one["document"] for one in asking.told["documents"]]
        catalog = self._service.catalog
        gone = [tombstone.document for tombstone in catalog.tombstones.among(tenant, ids)]
        return any(catalog.documents.known(tenant, id_) is not None for id_ in gone)

    def _keep(self, asking: Asking, lines: list[tuple[int, str]]) -> None:
        """For a restore of this machine's backups, which does it again."""
        folder = self._service.settings.data_dir / FOLDER
        if not lines and (folder / f"{asking.forgotten.erasure}.json").exists():
            return  # a try before this one has noted which lines they were
        facts = {**asking.told, "lines": [list(line) for line in lines]}
        write_tombstone(folder, signed_statement(KIND, facts, None), asking.forgotten.erasure)


def clear_leftovers(service: Service) -> None:
    """Have the disk keep nothing that came beside documents: uploads, results, copies."""
    service.content.sweep(older_than_s=3_600.0)  # younger ones may be coming in
    for path in (service.settings.data_dir / "reindex").rglob("*"):  # comparisons, with questions
        with suppress(OSError):
            path.unlink()


def write_tombstone(folder: Path, signed: bytes, erasure: str) -> Path:
    """Keep a certificate where restores look for it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{erasure}.json"
    path.write_bytes(signed)
    path.chmod(0o600)
    return path


def _context(erasure: str) -> str:
    return f"erasure\n{erasure}"
