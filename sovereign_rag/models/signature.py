"""A publisher's signed manifest of a model, as OpenSSF's model signing (1.0) writes it.

A bundle of JSON holds a statement of the files' hashes and an elliptic curve's signature over it.
The publisher's public key comes by another way. Signatures by certificate, or by an account of an
identity provider, are asked about over the internet and are not taken.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sovereign_rag.errors import ModelError

_PAYLOAD: Final = "application/vnd.in-toto+json"
_PREDICATE: Final = "https://model_signing/signature/v1.0"
_HASHES: Final = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
_MOST_BYTES: Final = 16 << 20


def signed_hashes(bundle: Path, public_key: Path) -> frozenset[str]:
    """The SHA-256 of every file that the publisher signed for.

    Raises:
        ModelError: A file can't be read, the manifest isn't signed with the key, was changed since,
            or is of a kind that is not taken.
    """
    key = _key(public_key)
    try:
        envelope = json.loads(_read(bundle))["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        (signature,) = (base64.b64decode(one["sig"]) for one in envelope["signatures"])
        kind = str(envelope["payloadType"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{bundle} is no signed manifest of a model: it should be a bundle of OpenSSF's model "
            "signing. Ask its publisher for one."
        ) from error
    signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    try:
        key.verify(signature, signed, ec.ECDSA(_HASHES[key.curve.key_size]))
    except InvalidSignature:
        raise ModelError(
            f"The manifest {bundle} is not signed with {public_key}, or was changed since. Do not "
            "use the model: fetch both again, and compare the key with the publisher's."
        ) from None
    return _hashes(bundle, kind, payload)


def _hashes(bundle: Path, kind: str, payload: bytes) -> frozenset[str]:
    try:
        statement: dict[str, Any] = json.loads(payload)
        if (kind, statement["predicateType"]) != (_PAYLOAD, _PREDICATE):
            raise ValueError(statement["predicateType"])
        resources = statement["predicate"]["resources"]
        digests = [bytes.fromhex(one["digest"]) for one in resources]
        (subject,) = statement["subject"]
        if hashlib.sha256(b"".join(digests)).hexdigest() != subject["digest"]["sha256"]:
            raise ValueError("the whole is not the sum of its files")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The signed manifest {bundle} is of a kind that is not taken: {error}. Ask its "
            "publisher for one of OpenSSF's model signing, version 1.0."
        ) from error
    return frozenset(
        digest.hex()
        for one, digest in zip(resources, digests, strict=True)
        if one["algorithm"] == "sha256"
    )


def _key(file: Path) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(_read(file))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ModelError(f"{file} is no public key (PEM).") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size not in _HASHES:
        raise ModelError(f"{file} is no key of P-256, P-384 or P-521, the curves that sign models.")
    return key


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except OSError as error:
        raise ModelError(f"{file} can't be read: {error.strerror}.") from error
