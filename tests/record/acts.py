"""What changes documents, by each path that there is: to be cut off at any step."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from starlette.testclient import TestClient

from ingest.sync.sync import SyncRequest
from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.catalog.records import document_id
from sovereign_rag.wiring import Application

OWNER = local_owner()
TENANT = OWNER.tenant
TEXT = "The gate of the yard opens at seven and closes at nine in the evening."
BEFORE, AFTER = "user:ana", "user:bo"

Act = Callable[[Application, Path], None]


def uploaded(application: Application, path: Path, readers: str) -> None:
    with _client(application) as client:
        job = client.post(
            "/v1/documents",
            files={"file": (path.name, path.read_bytes())},
            data={"readers": readers},
        ).json()["job_id"]
    application.ingestion.work_off(application.catalog.jobs.get(job, TENANT))


def ingested(application: Application, path: Path, readers: str) -> None:
    application.ingestion.ingest([path], OWNER, readers=frozenset({readers}))


def deleted_by_the_api(application: Application, path: Path) -> None:
    with _client(application) as client:
        client.delete(f"/v1/documents/{document_id(TENANT, uploads_uri(path))}")


def deleted_by_command(application: Application, path: Path) -> None:
    application.documents.delete(document_id(TENANT, file_uri(path)), OWNER)


def edited(application: Application, path: Path) -> None:
    with _client(application) as client:
        client.patch(
            f"/v1/documents/{document_id(TENANT, uploads_uri(path))}",
            json={"readers": [AFTER]},
        )


def synced(application: Application, path: Path, readers: str) -> None:
    """The source beside `path`: a folder with the same name."""
    source = application.sync.find(str(path.with_suffix("")))
    request = SyncRequest(readers=readers, max_delete="100%")
    application.sync.sync(source, OWNER, request)


def source_of(path: Path) -> dict[str, Path]:
    """What the source beside `path` holds, by what will become of it."""
    folder = path.with_suffix("")
    return {name: folder / f"{name}.txt" for name in ("kept", "moved", "gone", "new", "arrived")}


def fill_source(path: Path) -> None:
    files = source_of(path)
    files["kept"].parent.mkdir()
    for name in ("kept", "moved", "gone"):
        files[name].write_text(f"{TEXT}\n" + "\n" * len(name) + name, encoding="utf-8")


def change_source(path: Path) -> None:
    files = source_of(path)
    files["moved"].rename(files["arrived"])
    files["gone"].unlink()
    shutil.copyfile(files["kept"], files["new"])


def file_uri(path: Path) -> str:
    return path.as_uri()


def uploads_uri(path: Path) -> str:
    return f"upload:user:adam/{path.name}"


def _client(application: Application) -> TestClient:
    secret = (application.settings.data_dir / "admin.key").read_text(encoding="utf-8")
    return TestClient(
        create_app(application),
        base_url="http://localhost",
        headers={"Authorization": f"Bearer {secret}"},
        raise_server_exceptions=False,
    )


ACTS: dict[str, Act] = {
    "upload": lambda application, path: uploaded(application, path, BEFORE),
    "rights by upload": lambda application, path: uploaded(application, path, AFTER),
    "rights by the API": edited,
    "delete by the API": deleted_by_the_api,
    "ingest": lambda application, path: ingested(application, path, BEFORE),
    "rights by ingest": lambda application, path: ingested(application, path, AFTER),
    "delete by command": deleted_by_command,
    "sync": lambda application, path: synced(application, path, AFTER),
}


def prepare(act: str, application: Application, path: Path) -> None:
    """Bring about what `act` changes."""
    path.write_text(TEXT, encoding="utf-8")
    if act == "rights by upload":
        uploaded(application, path, BEFORE)
    elif act == "delete by the API":  # an admin deletes what they may read
        uploaded(application, path, "user:adam")
    elif act == "rights by the API":
        uploaded(application, path, f"{BEFORE},user:adam")
    elif act in {"rights by ingest", "delete by command"}:
        ingested(application, path, BEFORE)
    elif act == "sync":
        fill_source(path)
        synced(application, path, BEFORE)
        change_source(path)


def uris(act: str, path: Path) -> list[str]:
    """The documents that `act` may touch."""
    if act == "sync":
        return [file_uri(file) for file in source_of(path).values()]
    return [uploads_uri(path) if "upload" in act or "API" in act else file_uri(path)]


def expected(act: str, path: Path) -> dict[str, str]:
    """Who reads what, once the act is done: the reader by URI."""
    if act == "sync":
        kept = ("kept", "new", "arrived")
        return {file_uri(source_of(path)[name]): AFTER for name in kept}
    if act.startswith("delete"):
        return {}
    return {uris(act, path)[0]: AFTER if act.startswith("rights") else BEFORE}


def finish(application: Application) -> None:
    """What the next start does, and whoever works."""
    application.operations.settle()
    for job in application.catalog.jobs.recent(TENANT, limit=5):
        if job.finished is None:
            application.ingestion.work_off(job)
    application.ingestion.take_in([], OWNER, origin=["the next start"])
    application.operations.settle()
    with suppress(FileNotFoundError):
        application.store.flush()
