"""Documents in object storage: stored, listed, read by another machine, erased, and looked for.

    python benchmarks/objects.py
    python benchmarks/objects.py --documents 500

An S3-speaking server in this process (moto's) is filled with originals and texts by one machine;
another lists them and reads each original, whose bytes are compared with their hash. Then all are
erased and a bare client looks for what is left, of objects in the bucket and of copies in either
data folder. The server does most of the work: seconds tell of it, requests of us. Prints one line
of JSON; exit code 0: everything was there, and nothing is left but marks.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from machines import bucket, told
from minio import Minio
from pydantic import SecretStr

from sovereign_rag.domain import PageText, ParsedDocument
from sovereign_rag.settings import ContentSettings, Settings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.shared_content import SharedContent

T = TypeVar("T")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=10_000, help="(10000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="objects-") as folder, bucket() as endpoint:
        report = measure(Path(folder), endpoint, arguments.documents)
    print(json.dumps(report))
    return 0 if report["well"] else 1


def measure(folder: Path, endpoint: str, documents: int) -> dict[str, object]:
    one, other = (machine(folder / name, endpoint) for name in ("a", "b"))
    try:
        return compared(one, other, endpoint, documents)
    finally:
        one.close()
        other.close()


def compared(
    one: SharedContent, other: SharedContent, endpoint: str, documents: int
) -> dict[str, object]:
    stored, store_s = timed(lambda: [put(one, number) for number in range(documents)])
    told(f"{documents} stored in {store_s:.0f} s")
    listed, list_s = timed(other.hashes)
    read, read_s = timed(lambda: sum(is_whole(other, hash_) for hash_ in listed))
    told(f"{read} read in {read_s:.0f} s")
    erase_s = timed(lambda: erase(one, stored))[1]
    told(f"erased in {erase_s:.0f} s")
    other.tidy_copies()
    left = [name for name in keys(endpoint) if not name.startswith("rag/erased/")]
    copies = [len(ContentStore.hashes(machine)) for machine in (one, other)]
    well = (
        listed == sorted(stored)
        and read == documents
        and not left
        and copies == [0, 0]
        and other.hashes() == []
    )
    return {
        "well": well,
        "documents": documents,
        "listed": len(listed),
        "read_whole": read,
        "objects_left": len(left),
        "copies_left": copies,
        "store_s": round(store_s, 1),
        "list_s": round(list_s, 2),
        "read_s": round(read_s, 1),
        "erase_s": round(erase_s, 1),
    }


def put(machine: SharedContent, number: int) -> str:
    content_hash, _ = machine.add_stream([original(number)], tenant="default")
    text = f"Note {number}: the office {number} keeps the harbour."
    page = PageText(number=1, text=text)
    machine.put_parsed(
        content_hash,
        "p1",
        ParsedDocument(
            media_type="text/plain",
            title=None,
            language="en",
            paged=False,
            pages=(page,),
            elements=(),
        ),
    )
    return content_hash


def erase(machine: SharedContent, hashes: list[str]) -> None:
    for content_hash in hashes:
        machine.delete(content_hash)


def original(number: int) -> bytes:
    return f"Note {number}\n\nThe office {number} keeps the harbour.\n".encode()


def is_whole(machine: SharedContent, content_hash: str) -> bool:
    found = machine.original(content_hash).read_bytes()
    return hashlib.sha256(found).hexdigest() == content_hash and bool(
        machine.page_texts(content_hash, "p1")
    )


def machine(data_dir: Path, endpoint: str) -> SharedContent:
    content = ContentSettings(
        url="s3://content/rag",
        endpoint=endpoint,
        access_key="admin",
        secret_key=SecretStr("secret-key"),
    )
    return SharedContent(Settings(data_dir=data_dir, content=content))


def keys(endpoint: str) -> list[str]:
    """Every object in the bucket, by another client's hand."""
    client = Minio(
        endpoint=endpoint.removeprefix("http://"),
        access_key="admin",
        secret_key="secret-key",  # noqa: S106  - of a server that asks for none
        secure=False,
        region="us-east-1",
    )
    found = client.list_objects(bucket_name="content", recursive=True)
    return [item.object_name for item in found if item.object_name]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.monotonic()
    done = work()
    return done, time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
