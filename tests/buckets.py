"""An S3-speaking server on loopback (moto's), one for a run; buckets by another client's hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

ACCESS_KEY: Final = "admin"
SECRET_KEY: Final = "secret-key"


@pytest.fixture(scope="session")
def storage() -> Iterator[str]:
    """The server's address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def new_bucket(storage: str, name: str) -> Iterator[Any]:
    """A client of a bucket that was just made; afterwards it is gone, with what is in it."""
    from minio import Minio

    client = Minio(
        endpoint=storage.removeprefix("http://"),
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        secure=False,
        region="us-east-1",
    )
    client.make_bucket(bucket_name=name)
    try:
        yield client
    finally:
        for item in client.list_objects(bucket_name=name, recursive=True):
            client.remove_object(bucket_name=name, object_name=item.object_name)
        client.remove_bucket(bucket_name=name)


def content_in(storage: str, url: str) -> dict[str, Any]:
    """The section `content` of the settings."""
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    return {"url": url, "endpoint": storage, **keys}
