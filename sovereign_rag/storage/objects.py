"""Objects below a prefix of a bucket, whole or not there; each with the sha256 of its bytes."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import urllib3
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error

from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.settings import ContentSettings
from sovereign_rag.settings.sources import secret
from sovereign_rag.storage import s3_client

_SUM: Final = "x-amz-meta-sha256"
_GONE: Final = {"NoSuchKey", "NoSuchVersion", "NoSuchObject"}
_BLOCK: Final = 1 << 20


class Objects:
    """For use by any number of threads and machines.

    Every method raises EnvironmentFault where the object storage does not answer, refuses, or
    gives other bytes than were stored.
    """

    def __init__(self, settings: ContentSettings) -> None:
        """Nothing is connected to yet. Raises SettingsError: a file that it names can't be read."""
        self._settings = settings
        self._pool = s3_client.pool(timeout_s=settings.timeout_s, ca_file=settings.ca_file)
        what = "content.access_key_file"
        self._client = s3_client.client(
            settings.endpoint or "",
            self._pool,
            region=settings.region,
            access=secret(settings.access_key, settings.access_key_file, what=what),
            key=secret(
                settings.secret_key, settings.secret_key_file, what="content.secret_key_file"
            ),
            section="content",
        )

    def has(self, key: str) -> bool:
        with self._asking():
            try:
                self._client.stat_object(bucket_name=self._bucket, object_name=self._full(key))
            except S3Error as error:
                if error.code in _GONE:
                    return False
                raise
            return True

    def put(self, key: str, data: bytes) -> None:
        """Store an object in the place of whatever was there, in one step."""
        with self._asking():
            self._client.put_object(
                bucket_name=self._bucket,
                object_name=self._full(key),
                data=io.BytesIO(data),
                length=len(data),
                metadata={_SUM: hashlib.sha256(data).hexdigest()},
            )

    def put_file(self, key: str, path: Path, *, sha256: str) -> None:
        """As `put`, a file's bytes, which have this sum."""
        with self._asking():
            self._client.fput_object(
                bucket_name=self._bucket,
                object_name=self._full(key),
                file_path=str(path),
                metadata={_SUM: sha256},
            )

    def fetch(self, key: str, path: Path) -> bool:
        """Write an object's bytes to `path`; False: there is no such object.

        Raises:
            EnvironmentFault: They are not the bytes that were stored; nothing is at `path`.
        """
        digest = hashlib.sha256()
        with self._asking():
            try:
                response = self._client.get_object(
                    bucket_name=self._bucket, object_name=self._full(key)
                )
            except S3Error as error:
                if error.code in _GONE:
                    return False
                raise
            try:
                with path.open("wb") as file:
                    for block in response.stream(_BLOCK):
                        digest.update(block)
                        file.write(block)
                wanted = response.headers.get(_SUM)
            finally:
                response.close()
                response.release_conn()
        if wanted != digest.hexdigest():
            path.unlink(missing_ok=True)
            raise EnvironmentFault(
                f"The object {self._full(key)} in {self._settings.url} has other bytes than were "
                "stored. Restore it from a backup, or ingest its document again."
            )
        return True

    def listed(self, below: str = "") -> Iterator[tuple[str, datetime]]:
        """Every key that begins so, with when it was stored."""
        prefix = self._full(below)
        with self._asking():
            for item in self._client.list_objects(
                bucket_name=self._bucket, prefix=prefix, recursive=True
            ):
                if item.object_name and item.last_modified:
                    yield item.object_name.removeprefix(self._settings.prefix), item.last_modified

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; that one is not there is no error."""
        doomed = [DeleteObject(self._full(key)) for key in keys]
        if not doomed:
            return
        with self._asking():
            problems = list(
                self._client.remove_objects(
                    bucket_name=self._bucket, delete_object_list=iter(doomed)
                )
            )
        if problems:
            raise EnvironmentFault(
                f"The object storage kept {len(problems)} objects that were to be removed "
                f"({problems[0].code}: {problems[0].message}). Allow the key s3:DeleteObject."
            )

    def keeps_old_versions(self) -> bool:
        """Whether what is removed stays as an older version."""
        with self._asking():
            status = self._client.get_bucket_versioning(bucket_name=self._bucket).status
        return status == "Enabled"

    def close(self) -> None:
        self._pool.clear()

    @property
    def _bucket(self) -> str:
        return self._settings.bucket

    def _full(self, key: str) -> str:
        return self._settings.prefix + key

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            raise EnvironmentFault(
                f"The object storage of content.url refuses: {error.code}: {error.message}. "
                "Check the bucket, and content.access_key and secret_key."
            ) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise EnvironmentFault(
                f"The object storage at {self._settings.endpoint} does not answer "
                f"({type(error).__name__}: {error}). Check content.endpoint, bucket and ca_file."
            ) from error
