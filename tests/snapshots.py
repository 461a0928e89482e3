"""Snapshots, alias and shards of a Qdrant server, as the engine of the tests has them.

Qdrant's own requests for them, over the real engine's collections: a snapshot is the collection's
folder as one tar file, as it is a tar file there. The server is a cluster of one node.
"""

import hashlib
import shutil
import tarfile
import uuid
from pathlib import Path
from typing import Any

from qdrant_client.http import models as rest
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from sovereign_rag.store.embedded.engine import Collection, Engine
from sovereign_rag.store.embedded.rest_server import create_app


class ServersEngine(Engine):
    """Takes a collection as a server is asked for one, and makes it as the engine can."""

    def __init__(self, folder: Path, snapshots: Path) -> None:
        snapshots.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        self._snapshots, self.aliases = snapshots, dict[str, str]()

    def collection(self, name: str) -> Collection:
        return super().collection(self.aliases.get(name, name))

    def create(self, name: str, wanted: rest.CreateCollection) -> None:
        vectors = wanted.vectors if isinstance(wanted.vectors, dict) else {}
        plain = {
            key: rest.VectorParams(size=vector.size, distance=vector.distance)
            for key, vector in vectors.items()
        }
        super().create(
            name, rest.CreateCollection(vectors=plain, sparse_vectors=wanted.sparse_vectors)
        )

    def snapshot(self, name: str) -> Path:
        self.collection(name).flush()
        file = self._snapshots / f"{name}-1-{uuid.uuid4()}.snapshot"
        with tarfile.open(file, "w") as tar:
            tar.add(self._folder / name, arcname=".")
        return file

    def snapshot_file(self, name: str) -> Path:
        return self._snapshots / Path(name).name

    def recover(self, name: str, snapshot: Path) -> None:
        """Have a collection be what the snapshot holds, whatever it was."""
        beside = self._folder / f".new-{uuid.uuid4()}"
        with tarfile.open(snapshot) as tar:
            tar.extractall(beside, filter="data")
        if name in self._collections:
            self._collections.pop(name).close()
            shutil.rmtree(self._folder / name)
        self._collections[name] = Collection(beside.rename(self._folder / name))


def server_app(engine: ServersEngine) -> Starlette:
    """The engine's app, with what a server has beyond."""

    async def cluster(request: Request) -> Response:
        count = engine.collection(request.path_params["name"]).info().points_count
        shard = {"shard_id": 0, "points_count": count, "state": "Active"}
        told = {"peer_id": 1, "shard_count": 1, "local_shards": [shard]}
        return _result({**told, "remote_shards": [], "shard_transfers": []})

    async def make(request: Request) -> Response:
        file = engine.snapshot(request.path_params["name"])
        told = {"name": file.name, "size": file.stat().st_size, "checksum": _sum(file)}
        return _result({**told, "creation_time": "2026-03-01T12:00:00"})

    async def fetch(request: Request) -> Response:
        return FileResponse(engine.snapshot_file(request.path_params["snapshot"]))

    async def remove(request: Request) -> Response:
        engine.snapshot_file(request.path_params["snapshot"]).unlink()
        return _result(True)

    async def upload(request: Request) -> Response:
        file = engine.snapshot_file(f"uploaded-{uuid.uuid4()}")
        async with request.form() as form:
            sent = form["snapshot"]
            assert isinstance(sent, UploadFile)
            file.write_bytes(await sent.read())
        try:
            if _sum(file) != request.query_params["checksum"]:
                return _refused("Snapshot checksum mismatch")
            engine.recover(request.path_params["name"], file)
        finally:
            file.unlink()
        return _result(True)

    async def aliases(_: Request) -> Response:
        pairs = engine.aliases.items()
        return _result({"aliases": [{"alias_name": a, "collection_name": c} for a, c in pairs]})

    async def rename(request: Request) -> Response:
        for act in (await request.json())["actions"]:
            if gone := act.get("delete_alias"):
                del engine.aliases[gone["alias_name"]]
            if made := act.get("create_alias"):
                engine.aliases[made["alias_name"]] = made["collection_name"]
        return _result(True)

    at = "/collections/{name}"
    more = [
        Route("/aliases", aliases, methods=["GET"]),
        Route("/collections/aliases", rename, methods=["POST"]),
        Route(f"{at}/cluster", cluster, methods=["GET"]),
        Route(f"{at}/snapshots", make, methods=["POST"]),
        Route(f"{at}/snapshots/upload", upload, methods=["POST"]),
        Route(f"{at}/snapshots/{{snapshot}}", fetch, methods=["GET"]),
        Route(f"{at}/snapshots/{{snapshot}}", remove, methods=["DELETE"]),
    ]
    return Starlette(routes=[*more, *create_app(engine).routes])


def _result(result: Any) -> Response:
    return JSONResponse({"result": result, "status": "ok", "time": 0.0})


def _refused(message: str) -> Response:
    return JSONResponse({"status": {"error": f"Bad request: {message}"}, "time": 0.0}, 400)


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
