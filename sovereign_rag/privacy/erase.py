"""Erasure: texts, vectors, images, caches, rows, the words of the record; then a certificate.

    announced -> words out of the record -> other machines asked (see `follow`) -> documents, rows,
              rights -> the disk's free pages -> the raw files searched -> certificate

Every step may run twice. What a crash leaves is brought to an end by the same command, with the ids
that `erase` on the record names.
"""

import hashlib
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from sovereign_rag.access import Principal
from sovereign_rag.catalog.erasures import MachineState
from sovereign_rag.catalog.raw_files import RawSearch
from sovereign_rag.errors import StoreError
from sovereign_rag.privacy.find import Asked, Finder, Plan
from sovereign_rag.privacy.follow import FOLDER as FOLDER
from sovereign_rag.privacy.follow import KIND as KIND
from sovereign_rag.privacy.follow import Asking, clear_leftovers
from sovereign_rag.privacy.follow import write_tombstone as write_tombstone
from sovereign_rag.privacy.scan import Scan, finder, scan
from sovereign_rag.services.container import Service
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit_erasure import Forgotten, erase_words
from sovereign_rag.store.embedded.client import EngineTransport
from sovereign_rag.version import VERSION

_LOOK_S: Final = 0.5
_PATIENCE_S: Final = 120.0  # with the store: an engine that has just begun reads its collections

ACTION: Final = "erase"


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done, and what a search of the raw files found afterwards."""

    facts: dict[str, Any]  # of the certificate, in plain JSON types
    scan: Scan


class Eraser:
    """Of documents and people, over one data folder."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.finder = Finder(service.catalog, service.content, service.settings.audit.writer)

    def erase(
        self,
        plan: Plan,
        principal: Principal,
        lines: Mapping[int, str] | None = None,
        *,
        wait_s: float = 0.0,
    ) -> Erased:
        """Erase what a plan names.

        Args:
            lines: Of the record: those of an earlier erasure.
            wait_s: For other machines to confirm; those that don't are told as outstanding.

        Raises:
            AuditError: It can't be recorded; nothing is removed.
            EnvironmentFault: Store, catalog or disk fail; the same call goes on.
        """
        service, asked = self._service, plan.asked
        needles = set(self.finder.needles(plan.documents))
        needles |= set(asked.texts) | ({f"user:{asked.person}"} if asked.person else set())
        told = tombstone(plan)
        with service.operations.begun(ACTION, principal, told) as act:
            gone = [(one["document"], one["sha256"]) for one in told["documents"]]
            service.catalog.tombstones.add(asked.tenant, told["erasure"], gone)
            forgotten = _forgotten(plan, told, lines or {})
            records = erase_words(service.audit, forgotten, principal)
            self._ask_others(Asking(told, forgotten, needles))
            rows = self._remove(plan, told)
            machines = self._await_others(told, wait_s)
            self._sweep()
            found = scan(
                service.settings.data_dir,
                needles,
                leave_out=service.settings.models_dir,
                is_of_another=lambda needle: self.finder.is_of_another(asked.tenant, needle),
            )
            server = self._search_server(needles, asked.tenant)
            if server is not None:
                files, size = found.files + server.files, found.bytes + server.bytes
                traces = found.found + tuple(f"PostgreSQL: {name}" for name in server.tables)
                found = Scan(files, size, found.needles, traces)
            head = service.audit.extent()[1]
            facts = {
                **told,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "version": VERSION,
                "rows": rows,
                "records": len(records),
                "lines": [list(line) for line in records],
                "record": {"number": head.number, "hash": head.hash},
                "kept": self._kept(plan),
                "would_come_back": list(plan.listed_by),
                "scan": {
                    **{"files": found.files, "bytes": found.bytes, "needles": found.needles},
                    "found": list(found.found),
                },
                "machines": {
                    one.writer: {"at": one.confirmed_at.isoformat(timespec="seconds"), **one.told}
                    for one in machines
                    if one.confirmed_at is not None
                },
                "outstanding": [one.writer for one in machines if one.confirmed_at is None],
                "not_looked_at": self._not_looked_at(server, machines),
            }
            act.outcome.update(rows=rows, records=len(records), found=len(found.found))
        return Erased(facts, found)

    def erase_again(self, facts: Mapping[str, Any], principal: Principal) -> Erased | None:
        """What an earlier erasure removed and a restore brought back; None: nothing of it.

        Args:
            facts: Of its certificate, or as it stands on the record.
        """
        tenant = facts["tenant"]
        people = self._service.catalog.traces.people(tenant)
        person = next((p for p in people if pseudonym(tenant, p) == facts["person"]), None)
        ids = [told["document"] for told in facts["documents"]]
        there = [id_ for id_ in ids if self._service.catalog.documents.known(tenant, id_)]
        lines = {int(number): str(was) for number, was in facts.get("lines", ())}
        gone = [(told["document"], told.get("sha256", "")) for told in facts["documents"]]
        self._service.catalog.tombstones.add(tenant, facts["erasure"], gone)
        if person is None and not there and not lines:
            return None
        plan = self.finder.plan(Asked(tenant, documents=ids, person=person))
        return self.erase(plan, principal, lines)

    def _remove(self, plan: Plan, tombstone: dict[str, Any]) -> dict[str, int]:
        service, asked = self._service, plan.asked
        traces, rows = service.catalog.traces, {"documents": len(plan.documents), "traces": 0}
        for record in plan.documents:
            service.erasure.erase(asked.tenant, record.id, record.content_hash)
        self._wait_for_store(record.id for record in plan.documents)
        for id_ in [*(record.id for record in plan.documents), *plan.gone]:
            rows["traces"] += traces.forget_document(asked.tenant, id_)
        if asked.person:
            label = f"user:{asked.person}"
            read = list(traces.named_as_reader(asked.tenant, label))
            for id_ in read:
                self._take_right(asked.tenant, id_, label)
            self._wait_for_store(read)
            rows |= traces.forget_person(asked.tenant, asked.person, tombstone["person"])
        return rows

    def _wait_for_store(self, document_ids: Iterable[str]) -> None:
        """Its files are written anew next: what it was not told yet would be copied."""
        if not self._service.erasure.wait_told(document_ids, within_s=_PATIENCE_S):
            raise StoreError(
                "The vector store does not answer: nobody finds what was erased, and its bytes may "
                "still be there. Run the command again when the store is back."
            )

    def _take_right(self, tenant: str, document_id: str, label: str) -> None:
        """Documents that nobody else could read are the owner's alone afterwards."""
        known = self._service.catalog.documents.known(tenant, document_id)
        if known is not None:
            left = known.readers - {label}
            self._service.erasure.change_readers(tenant, document_id, left, known.level)

    def _sweep(self) -> None:
        """Have the disk keep nothing of what is gone: free pages, logs, old segments, leftovers."""
        clear_leftovers(self._service)
        rewrite_vectors(self._service.settings)
        self._service.catalog.traces.compact()

    def _kept(self, plan: Plan) -> list[dict[str, str]]:
        """Contents that another document holds as well, and uploads that others read."""
        in_use = self._service.catalog.documents.content_in_use
        same = [
            {"document": record.id, "why": "another document holds the same content"}
            for record in plan.documents
            if record.content_hash and in_use(record.content_hash)
        ]
        uploads = [{"document": r.id, "why": "others read it"} for r in plan.kept_uploads]
        return same + uploads

    def _search_server(self, needles: set[str], tenant: str) -> RawSearch | None:
        own = {needle for needle in needles if not self.finder.is_of_another(tenant, needle)}
        self._service.catalog.raw_files.checkpoint()
        return self._service.catalog.raw_files.search(finder(own))

    def _ask_others(self, asking: Asking) -> None:
        erasures = self._service.catalog.erasures
        writers = set(self.finder.other_records()) - erasures.written_off()
        if writers:
            sealed = asking.sealed(self._service)
            erasures.ask(asking.forgotten.erasure, asking.told["tenant"], sealed, sorted(writers))

    def _await_others(self, told: Mapping[str, Any], wait_s: float) -> Sequence[MachineState]:
        """How far they have come; before the catalog is written anew, which has their records."""
        give_up = time.monotonic() + wait_s
        while True:
            states = self._service.catalog.erasures.all(told["tenant"])
            machines = next((one.machines for one in states if one.id == told["erasure"]), ())
            is_done = all(one.confirmed_at is not None for one in machines)
            if is_done or time.monotonic() >= give_up:
                return machines
            time.sleep(_LOOK_S)

    def _not_looked_at(
        self, server: RawSearch | None, machines: Sequence[MachineState]
    ) -> list[str]:
        settings = self._service.settings
        places = [
            f"the data folder of {one.writer}, which takes the words out of its record as soon as "
            "a service or worker runs there (`sovereign-rag erased status`)"
            + (f"; so far: {one.told['why']}" if "why" in one.told else "")
            for one in machines
            if one.confirmed_at is None
        ]
        if settings.store.url is not None:
            places.append(f"the files of the Qdrant server {settings.store.url}")
        if settings.content.url is not None:
            places.append(
                f"objects in {settings.content.url}, and copies on other machines, which go "
                "within minutes"
            )
        if server is not None and server.log:
            places.append(
                f"{len(server.log)} segments of PostgreSQL's write-ahead log, which hold some of "
                "it until the server overwrites them"
            )
        elif server is None and settings.catalog.url is not None:
            places.append(
                "the files of the database server, whose tables were written anew: the role of "
                "catalog.url may not read them (pg_read_server_files)"
            )
        return places


def rewrite_vectors(settings: Settings) -> None:
    """Have the embedded engine keep nothing that was removed or replaced; a server's is its own."""
    if settings.store.url is None and (settings.data_dir / "vectors").is_dir():
        engine = EngineTransport(settings.data_dir)
        try:
            engine.erase()
        finally:
            engine.close()


def tombstone(plan: Plan) -> dict[str, Any]:
    """What is on the record of an erasure: ids and hashes, no words."""
    asked = plan.asked
    return {
        "erasure": str(uuid.uuid4()),
        "tenant": asked.tenant,
        "documents": [
            *({"document": r.id, "sha256": r.content_hash} for r in plan.documents),
            *({"document": id_, "sha256": ""} for id_ in plan.gone),
        ],
        "person": pseudonym(asked.tenant, asked.person) if asked.person else None,
    }


def pseudonym(tenant: str, user: str) -> str:
    """Who an erased person is called on the record: always the same, and no name.

    Whoever guesses a name can tell whether it is theirs.
    """
    digest = hashlib.sha256(f"sovereign-rag person\n{tenant}\n{user}".encode()).hexdigest()
    return f"erased:{digest[:16]}"


def _forgotten(plan: Plan, told: dict[str, Any], lines: Mapping[int, str]) -> Forgotten:
    words: dict[str, str] = {}
    values: dict[str, str] = {}
    for record in plan.documents:
        instead = f"erased:{record.id}"
        words[record.uri] = instead
        values |= dict.fromkeys((record.title, record.name), instead)
        if record.uri.startswith("file://"):  # as errors name it
            words[unquote(record.uri.removeprefix("file://"))] = instead
    people = {f"user:{plan.asked.person}": told["person"]} if plan.asked.person else {}
    return Forgotten(told["erasure"], words, values, people, plan.asked.texts, lines)


def all_of(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.json"))
