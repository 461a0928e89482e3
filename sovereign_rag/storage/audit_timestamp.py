"""Time stamps of signed checkpoints, by an authority of the tenant's network (RFC 3161).

A stamp is over a checkpoint's signature. So it tells that the signature was there at a time that
neither this machine's clock nor the holder of the key could choose. It stands on the record
behind its checkpoint, and is verified with the authority's certificate alone.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from cryptography import x509
from rfc3161_client import (
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.base import HashAlgorithm

from sovereign_rag.errors import AuditError, BadInput
from sovereign_rag.settings import TimestampSettings
from sovereign_rag.system.allowed_addresses import AllowList, Resolve, look_up, place
from sovereign_rag.system.listed_client import ListedClient, NotReached, tls_of

_HEADERS: Final = {"Content-Type": "application/timestamp-query"}


class StampAuthority:
    """Whose stamps are taken: those that a root certificate vouches for."""

    def __init__(self, certificates: Sequence[x509.Certificate]) -> None:
        self._certificates = certificates

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises BadInput."""
        try:
            return cls(x509.load_pem_x509_certificates(file.read_bytes()))
        except OSError as error:
            raise BadInput(f"{file} can't be read: {error.strerror}.") from error
        except ValueError as error:
            raise BadInput(f"{file} holds no certificate (X.509, PEM).") from error

    def time_of(self, token: bytes, signature: bytes, *, nonce: int | None = None) -> datetime:
        """When the authority saw `signature`.

        Args:
            token: Its reply, DER.
            nonce: Of the request; None: it is not known any more.

        Raises:
            BadInput: The stamp is another authority's, or over something else.
        """
        verifier = VerifierBuilder(nonce=nonce, roots=list(self._certificates)).build()
        try:
            reply: TimeStampResponse = decode_timestamp_response(token)
            verifier.verify_message(reply, signature)
            at: datetime = reply.tst_info.gen_time
        except (VerificationError, ValueError) as error:
            raise BadInput(
                f"The time stamp is not good: {error}. Compare audit.timestamp.authority with the "
                "server's own root."
            ) from error
        return at

    def stamped_at(self, detail: Mapping[str, Any]) -> datetime | None:
        """The time of a stamp as it stands on the record; None: it is not good."""
        try:
            token = base64.b64decode(str(detail["token"]), validate=True)
            return self.time_of(token, bytes.fromhex(str(detail["signature"])))
        except (KeyError, ValueError, BadInput):
            return None


def stamped(
    checkpoint: Mapping[str, Any], settings: TimestampSettings, *, resolve: Resolve = look_up
) -> dict[str, Any]:
    """Have a checkpoint stamped; returns what the record holds of it, in plain JSON types.

    Raises:
        SettingsError: The server is not listed, or the certificates can't be read.
        BadInput: The authority's certificate can't be read, or another one made the stamp.
        AuditError: The server gave no stamp.
    """
    assert settings.url is not None, "a server is named"
    assert settings.authority is not None, "its certificate is named"
    authority = StampAuthority.read(settings.authority)
    signature = bytes.fromhex(str(checkpoint["signature"]))
    request = TimestampRequestBuilder().data(signature).hash_algorithm(HashAlgorithm.SHA256).build()
    client = ListedClient(
        place(settings.url, "audit.timestamp.url"),
        AllowList(settings.allow, "audit.timestamp.allow"),
        tls=tls_of(settings.ca_file, "audit.timestamp.ca_file"),
        timeout_s=settings.timeout_s,
        resolve=resolve,
    )
    try:
        reply = client.ask("", request.as_bytes(), _HEADERS)
    except NotReached as error:
        raise _no_stamp(settings.url, str(error)) from error
    finally:
        client.close()
    if reply.status_code != 200:
        raise _no_stamp(settings.url, f"it answers {reply.status_code}")
    at = authority.time_of(reply.content, signature, nonce=request.nonce)
    return {
        "number": checkpoint["number"],
        "signature": checkpoint["signature"],
        "token": base64.b64encode(reply.content).decode("ascii"),
        "stamped": at.isoformat(),
    }


def _no_stamp(url: str, why: str) -> AuditError:
    return AuditError(
        f"The checkpoint is signed and on the record, and has no time stamp: {url}: {why}. Check "
        "audit.timestamp, then make another checkpoint."
    )
