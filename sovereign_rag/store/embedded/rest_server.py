"""The part of Qdrant's REST protocol that the store uses, answered by the engine."""

import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import orjson
import qdrant_edge as edge
from pydantic import BaseModel, ValidationError
from qdrant_client.http import models as rest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sovereign_rag.store.embedded import access_keys, translate
from sovereign_rag.store.embedded.engine import (
    Collection,
    CollectionExists,
    Engine,
    NoSuchCollection,
)
from sovereign_rag.store.embedded.reading import queries_of
from sovereign_rag.store.embedded.translate import Refused

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]

_DONE = {"operation_id": 0, "status": "completed"}


def create_app(engine: Engine) -> Starlette:
    """Handlers call the engine in the loop's own thread: it holds the interpreter's lock anyway."""

    def on(
        model: type[M],
        act: Callable[[Collection, M], object],
        *,
        read: Callable[[bytes], M] | None = None,
    ) -> Handler:
        read = read or model.model_validate_json

        async def handle(request: Request) -> Response:
            body = await request.body()

            def answer() -> object:
                wanted = read(body)
                return act(engine.collection(request.path_params["name"]), wanted)

            return _respond(answer)

        return handle

    async def create(request: Request) -> Response:
        body = await request.body()

        def answer() -> object:
            wanted = rest.CreateCollection.model_validate_json(body)
            engine.create(request.path_params["name"], wanted)
            return True

        return _respond(answer)

    async def info(request: Request) -> Response:
        def answer() -> object:
            found = engine.collection(request.path_params["name"]).info()
            return found.model_dump(mode="json", exclude_none=True)

        return _respond(answer)

    async def drop(request: Request) -> Response:
        def answer() -> object:
            engine.drop(request.path_params["name"])
            return True

        return _respond(answer)

    async def flush(_: Request) -> Response:
        def answer() -> object:
            engine.flush()
            return True

        return _respond(answer)

    async def copy(request: Request) -> Response:
        body = await request.body()

        def answer() -> object:
            engine.copy(Path(orjson.loads(body)["folder"]))
            return True

        return _respond(answer)

    async def erase(_: Request) -> Response:
        def answer() -> object:
            engine.erase()
            return True

        return _respond(answer)

    at = "/collections/{name}"
    query = on(rest.QueryRequestBatch, _query, read=queries_of)
    return Starlette(
        routes=[
            Route(at, info, methods=["GET"]),
            Route(at, create, methods=["PUT"]),
            Route(at, drop, methods=["DELETE"]),
            Route(f"{at}/index", on(rest.CreateFieldIndex, _index), methods=["PUT"]),
            Route(f"{at}/points", on(rest.PointsList, _upsert), methods=["PUT"]),
            Route(f"{at}/points/delete", on(rest.FilterSelector, _delete), methods=["POST"]),
            Route(f"{at}/points/payload", on(rest.SetPayload, _set_payload), methods=["POST"]),
            Route(f"{at}/points/query/batch", query, methods=["POST"]),
            Route(f"{at}/points/count", on(rest.CountRequest, _count), methods=["POST"]),
            Route(f"{at}/facet", on(rest.FacetRequest, _facet), methods=["POST"]),
            Route("/admin/flush", flush, methods=["POST"]),
            Route("/admin/copy", copy, methods=["POST"]),
            Route("/admin/erase", erase, methods=["POST"]),
        ]
    )


def _index(collection: Collection, wanted: rest.CreateFieldIndex) -> object:
    collection.index(wanted)
    return _DONE


def _upsert(collection: Collection, wanted: rest.PointsList) -> object:
    collection.upsert(wanted.points)
    return _DONE


def _delete(collection: Collection, wanted: rest.FilterSelector) -> object:
    collection.delete(wanted.filter)
    return _DONE


def _set_payload(collection: Collection, wanted: rest.SetPayload) -> object:
    if wanted.points or wanted.key:
        raise Refused("The payload is set by a filter, at its root")
    collection.set_payload(wanted.payload, wanted.filter)
    return _DONE


def _query(collection: Collection, wanted: rest.QueryRequestBatch) -> object:
    return [
        {
            "points": [
                {
                    "id": point.id,
                    "version": point.version,
                    "score": point.score,
                    "payload": _payload(point),
                    "vector": translate.vector_out(point.vector),
                }
                for point in points
            ]
        }
        for points in collection.query(wanted.searches)
    ]


def _payload(point: edge.ScoredPoint) -> dict[str, object] | None:
    """Without what the engine keeps for itself."""
    payload = point.payload
    return payload and {k: value for k, value in payload.items() if k != access_keys.FIELD}


def _count(collection: Collection, wanted: rest.CountRequest) -> object:
    return {"count": collection.count(wanted.filter, exact=wanted.exact is not False)}


def _facet(collection: Collection, wanted: rest.FacetRequest) -> object:
    return {"hits": [{"value": h.value, "count": h.count} for h in collection.facet(wanted)]}


def _respond(answer: Callable[[], object]) -> Response:
    started = time.perf_counter()
    try:
        result = answer()
    except NoSuchCollection as error:
        return _refuse(404, f"Not found: {error}!")
    except CollectionExists as error:
        return _refuse(409, f"Wrong input: {error}!")
    except ValidationError as error:
        # Where it is wrong, not what was sent: a question doesn't belong in a log.
        places = {".".join(map(str, e["loc"])) for e in error.errors(include_input=False)}
        return _refuse(400, f"Format error in JSON body at {', '.join(sorted(places)[:5])}")
    except (Refused, ValueError) as error:
        return _refuse(400, f"Bad request: {error}")
    except Exception as error:  # the engine raises nothing more specific
        log.exception("the engine failed")
        return _refuse(500, f"Service internal error: {error}")
    body = {"result": result, "status": "ok", "time": time.perf_counter() - started}
    return Response(orjson.dumps(body), media_type="application/json")


def _refuse(status: int, message: str) -> Response:
    body = {"status": {"error": message}, "time": 0.0}
    return Response(orjson.dumps(body), status, media_type="application/json")
