"""A sync and what it finds, for the tests of it."""

import os
from pathlib import Path

from ingest.sync.plan import Change
from ingest.sync.sync import SyncReport, SyncRequest
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.wiring import Application

OWNER = local_owner()


ANA = Principal("ana", frozenset({"staff"}))


HUGO = Principal("hugo", frozenset({"hr"}))


LONG_AGO = 1_700_000_000  # a file's time that no clock is near


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (LONG_AGO + len(text), LONG_AGO + len(text)))


def synced(
    application: Application, folder: Path, *, readers: str | None = None, **request: object
) -> SyncReport:
    asked = SyncRequest(readers=readers, **request)  # type: ignore[arg-type]  # a table of defaults
    return application.sync.sync(application.sync.find(str(folder)), OWNER, asked)


def changes(report: SyncReport) -> dict[str, Change]:
    return {step.name: step.change for step in report.plan.steps}


def texts(application: Application, query: str, principal: Principal = OWNER) -> list[str]:
    return [p.chunk.text for p in application.searching.search(query, principal)]


def finds(application: Application, word: str, principal: Principal = OWNER) -> bool:
    return any(word in text for text in texts(application, word, principal))
