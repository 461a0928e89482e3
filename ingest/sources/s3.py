"""A bucket of an S3-compatible object storage; each object is a document.

Only the endpoint that the admin named is contacted: see `s3_client`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import urllib3
from minio import Minio
from minio.datatypes import Object
from minio.error import MinioException, S3Error

from ingest.sources import sidecar
from ingest.sources.beside import parted
from ingest.sources.folder import is_hidden
from ingest.sources.source import Entry, LeftOut, Listing, Sidecar
from sovereign_rag.errors import DocumentError, EnvironmentFault
from sovereign_rag.settings import S3Source
from sovereign_rag.settings.sources import secret
from sovereign_rag.storage import s3_client

_BLOCK: Final = 1 << 20
_GONE = {"NoSuchKey", "NoSuchVersion"}


class Bucket:
    """A bucket, or what lies below a prefix of its keys, as a source."""

    kind = "s3"

    def __init__(self, name: str, section: S3Source) -> None:
        """Nothing is connected to yet. Raises SettingsError: a secret's file can't be read."""
        self.name = name
        self._section = section
        self._below = f"{section.prefix.strip('/')}/" if section.prefix.strip("/") else ""
        self._pool = s3_client.pool(timeout_s=section.timeout_s, ca_file=section.ca_file)
        self._client = _client(name, section, self._pool)

    @property
    def prefix(self) -> str:
        return f"{self.name}:/"

    @property
    def facts_key(self) -> str | None:
        return None if self._section.metadata is None else self._section.metadata.key

    def list(self) -> Listing:
        entries: list[Entry] = []
        sidecars: list[Sidecar] = []
        left_out: list[LeftOut] = []
        with self._asking():
            found = list(
                self._client.list_objects(
                    bucket_name=self._section.bucket, prefix=self._below, recursive=True
                )
            )
        for item in found:
            full = item.object_name or ""
            key = full.removeprefix(self._below)
            folder, _, name = key.rpartition("/")
            if not key or key.endswith("/"):
                continue  # the mark of an empty folder
            if name in {sidecar.NAME, sidecar.MISNAMED}:
                sidecars.append(self._sidecar(full, folder, name))
            elif any(is_hidden(part) for part in key.split("/")):
                left_out.append(LeftOut(key, "hidden"))
            elif any(part in {"", ".", ".."} for part in key.split("/")):
                left_out.append(LeftOut(key, "special"))
            else:
                entries.append(self._entry(key, name, item))
        entries, files, alone = parted(entries)
        return Listing(
            entries=tuple(sorted(entries, key=lambda entry: entry.key)),
            sidecars=tuple(sidecars) if self._section.sidecars else (),
            beside=files,
            left_out=(*left_out, *alone),
        )

    def _entry(self, key: str, name: str, item: Object) -> Entry:
        written = "" if item.last_modified is None else item.last_modified.isoformat()
        return Entry(
            key=key,
            uri=f"{self.prefix}{key}",
            name=name,
            stamp=f"{item.etag}:{written}:{item.size}",
            size=item.size,
            modified=item.last_modified,
        )

    def _sidecar(self, full: str, folder: str, name: str) -> Sidecar:
        if name == sidecar.MISNAMED:
            return Sidecar(folder, problem=f"{name} is not looked into; name it {sidecar.NAME}")
        try:
            data = b""
            for block in self._read(full):
                data += block
                if len(data) > sidecar.MAX_BYTES:
                    break
        except DocumentError as error:
            return Sidecar(folder, problem=f"it can't be read: {error}")
        return Sidecar(folder, data)

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        return self._read(self._below + entry.key)

    def facts(self, entry: Entry) -> tuple[str, ...]:
        assert self._section.metadata is not None
        with self._asking(entry.key):
            told = self._client.stat_object(
                bucket_name=self._section.bucket, object_name=self._below + entry.key
            )
        wanted = f"x-amz-meta-{self._section.metadata.key}".lower()
        values = next(
            (value for key, value in (told.metadata or {}).items() if key.lower() == wanted), ""
        )
        return tuple(part.strip() for part in values.split(",") if part.strip())

    def _read(self, full: str) -> Iterator[bytes]:
        with self._asking(full):
            response = self._client.get_object(bucket_name=self._section.bucket, object_name=full)
        try:
            with self._asking(full):
                yield from response.stream(_BLOCK)
        finally:
            response.close()
            response.release_conn()

    @contextmanager
    def _asking(self, key: str | None = None) -> Iterator[None]:
        """Translate what the client raises; about one object, or the whole bucket."""
        try:
            yield
        except S3Error as error:
            if key is not None and error.code in _GONE:
                raise DocumentError("missing", f"{key} is not in the bucket any more.") from error
            if key is not None and error.code == "AccessDenied":
                raise DocumentError(
                    "unreadable", f"{key} may not be read with this key; allow it s3:GetObject."
                ) from error
            raise EnvironmentFault(
                f"The object storage of {self.name!r} refuses: {error.code}: {error.message}. "
                "Check bucket, access_key and secret_key of its section."
            ) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise EnvironmentFault(
                f"The object storage of {self.name!r} at {self._section.endpoint} does not answer "
                f"({type(error).__name__}: {error}). Check endpoint, bucket and ca_file."
            ) from error

    def __enter__(self) -> "Bucket":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.clear()


def _client(name: str, section: S3Source, http: urllib3.PoolManager) -> Minio:
    what = f"sources.{name}"
    return s3_client.client(
        section.endpoint,
        http,
        region=section.region,
        access=secret(section.access_key, section.access_key_file, what=f"{what}.access_key_file"),
        key=secret(section.secret_key, section.secret_key_file, what=f"{what}.secret_key_file"),
        section=what,
    )
