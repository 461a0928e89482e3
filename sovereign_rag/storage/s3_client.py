"""A client of an S3-compatible object storage that asks nobody but the address it was given.

The region is said, not asked for; no metadata service is looked up for keys; no proxy of the
environment is used, and no redirect followed.
"""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import StaticProvider

from sovereign_rag.errors import SettingsError

_KEPT: Final = 32  # connections that are kept open to one server; more are opened and closed


def pool(*, timeout_s: float, ca_file: Path | None) -> urllib3.PoolManager:
    """Connections with a time limit. Raises SettingsError: `ca_file` can't be read."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise SettingsError(f"ca_file {ca_file} can't be read: {error}.") from error
    return urllib3.PoolManager(
        maxsize=_KEPT,
        timeout=urllib3.Timeout(total=timeout_s),
        retries=urllib3.Retry(total=3, redirect=0, backoff_factor=0.2, status_forcelist=[502, 503]),
        ssl_context=context,
    )


def client(
    endpoint: str,
    http: urllib3.PoolManager,
    *,
    region: str,
    access: str | None,
    key: str | None,
    section: str,
) -> Minio:
    """
    Args:
        section: Of the settings, for messages.

    Raises:
        SettingsError: Half of a key was given.
    """
    if (access is None) != (key is None):
        raise SettingsError(f"{section} needs both access_key and secret_key, or neither.")
    address = urlsplit(endpoint)
    return Minio(
        endpoint=address.netloc,
        secure=address.scheme == "https",
        region=region,  # given, so that it isn't asked for
        credentials=StaticProvider(access, key) if access and key else None,
        http_client=http,
    )
