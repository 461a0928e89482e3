"""The whole service behind a real socket, over four documents with different readers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.roles import Role
from sovereign_rag.settings import (
    AnswerSettings,
    ConsoleSettings,
    GenerationSettings,
    ParseSettings,
    ServerSettings,
    Settings,
)
from sovereign_rag.wiring import Application, open_service

HEATING = "demarches/Temperature-de-chauffage.pdf"
INFORMATION = "recht/Informationsfreiheitsgesetz-Auszug.eml"
RETIREMENT = "filings/Foot-Locker-2022-08-19-Press-Release.eml"
SALARIES = (
    "# Salary bands\n\n"
    "The salary band of grade seven runs from 61,000 to 74,000 euros a year. "
    "Read <b>more</b> at https://intranet.example/salaries or javascript:alert(1).\n"
)


NOBODY = {
    "url": "http://127.0.0.1:9/hook",
    "allow": ["127.0.0.1"],
    "secret": "whsec_c2VjcmV0IG9mIHR3ZW50eS1mb3VyIGJ5dGVzIQ==",
}
"""A webhook whose messages are written down; `serve` would send them, and does not run here."""
NOBODY_S3, NOBODY_IMAP = "http://127.0.0.1:9", "imaps://127.0.0.1:9"
"""Where sources may be added, and nobody listens."""


@dataclass(frozen=True)
class Product:
    """A running service, and what its tests speak to it with."""

    application: Application
    url: str
    keys: dict[str, str]
    documents: dict[str, str]  # file name -> document id
    ingested: Path  # one of them, as it still is
    source_folder: Path  # below which admins may add sources

    def work_off(self) -> None:
        """Do the jobs that wait; what was ingested before is left as it is."""
        self.application.ingestion.ingest([self.ingested], local_owner())

    def client(self, who: str | None = None) -> httpx.Client:
        """A program's connection with the key of `who`; None: without a key."""
        headers = {} if who is None else {"Authorization": f"Bearer {self.keys[who]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The app on a free loopback port; gives its URL."""
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # its sockets, which none of ours asks for
            await super().startup()
            started.set()

    server = Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(30), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="session")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    repository: Path,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
) -> Iterator[Product]:
    sources = tmp_path_factory.mktemp("sources")
    settings = product_settings(
        console=ConsoleSettings(
            source_folders=(str(sources),), source_addresses=(NOBODY_S3, NOBODY_IMAP)
        ),
        # No time to read whole sections: how much is read then hangs on the machine's speed.
        answer=AnswerSettings(kind="extracts", writing_s=0.1),
        generation=GenerationSettings(max_tokens=32, context_tokens=2_048, slots=1),
        parse=ParseSettings(workers=1),
        server=ServerSettings(max_upload_mib=1, max_question_chars=500, design_page=True),
        webhooks={"tickets": NOBODY},
    )
    folder = tmp_path_factory.mktemp("documents")
    salaries = folder / "salaries.md"
    salaries.write_text(SALARIES, encoding="utf-8")
    with open_service(settings, embedder=embedder) as application:
        examples = repository / "examples" / "documents"
        owner = local_owner()
        ingest = application.ingestion.ingest
        public = [examples / name for name in (HEATING, INFORMATION, RETIREMENT)]
        ingest(public, owner, readers=frozenset({"everyone"}))
        ingest([salaries], owner, readers=frozenset({"group:hr"}))
        with serving(create_app(application)) as url:
            yield Product(
                application,
                url,
                keys=_make_keys(application),
                documents={d.name: d.id for d in application.documents.list(owner)},
                ingested=salaries,
                source_folder=sources,
            )


def _make_keys(application: Application) -> dict[str, str]:
    make = application.catalog.keys.create
    return {
        "ana": make("Ana", "ana", groups=["finance"])[1],
        "hugo": make("Hugo", "hugo", groups=["hr"])[1],
        "admin": make("Admin", "adam", role=Role.ADMIN)[1],
        "other admin": make("Other admin", "olga", role=Role.ADMIN)[1],
        "stranger": make("Stranger", "ana", groups=["hr"], tenant="elsewhere", role=Role.ADMIN)[1],
        # Of a tenant that no test puts anything into.
        "newcomer": make("Newcomer", "nils", tenant="untouched", role=Role.ADMIN)[1],
    }
