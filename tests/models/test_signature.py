"""A model that its publisher signed for is taken; a changed one, or a changed manifest, is not."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sovereign_rag.errors import ModelError
from sovereign_rag.models.importing import import_model
from sovereign_rag.models.manifest import hash_file
from sovereign_rag.models.registry import Registry
from sovereign_rag.models.signature import signed_hashes
from tests.models.test_importing import speaks
from tests.models.test_models import CHAT_MODEL, gguf

KIND = "application/vnd.in-toto+json"
Change = Callable[[dict[str, Any]], None]


def statement(*files: Path) -> dict[str, Any]:
    """What a publisher says of files, as OpenSSF's model signing writes it down."""
    digests = [hash_file(file) for file in files]
    whole = hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": whole}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [
                {"name": file.name, "algorithm": "sha256", "digest": digest}
                for file, digest in zip(files, digests, strict=True)
            ],
        },
    }


class Publisher:
    """Signs, and gives its public key away."""

    def __init__(self, folder: Path, curve: ec.EllipticCurve) -> None:
        self._private = ec.generate_private_key(curve)
        self._hash = {256: hashes.SHA256(), 384: hashes.SHA384()}[curve.key_size]
        self.key = folder / f"{id(self)}.pub"
        self.key.write_bytes(
            self._private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def sign(self, said: dict[str, Any], bundle: Path, kind: str = KIND) -> Path:
        payload = json.dumps(said).encode()
        signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
        signature = self._private.sign(signed, ec.ECDSA(self._hash))
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        }
        bundle.write_text(
            json.dumps(
                {
                    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                    "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
                    "dsseEnvelope": envelope,
                }
            ),
            "utf-8",
        )
        return bundle


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path, ec.SECP256R1())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_a_file_that_was_signed_for_is_imported_and_another_is_not(
    tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    publisher, registry = Publisher(tmp_path, curve), Registry(tmp_path / "models")
    file, other = gguf(tmp_path / "own.gguf", CHAT_MODEL), tmp_path / "other.gguf"
    other.write_bytes(file.read_bytes() + bytes(32))
    (tmp_path / "README.md").write_text("A model.", "utf-8")
    bundle = publisher.sign(statement(file, tmp_path / "README.md"), tmp_path / "model.sig")

    signed = signed_hashes(bundle, publisher.key)
    with pytest.raises(ModelError, match="not in the manifest that its publisher signed"):
        import_model(other, registry, try_out=speaks, signed=signed)
    after_the_refusal = registry.all()
    imported = import_model(file, registry, try_out=speaks, signed=signed)

    assert after_the_refusal == ()
    assert registry.all() == (imported,)


def name_another_file(envelope: dict[str, Any]) -> None:
    said = json.loads(base64.b64decode(envelope["payload"]))
    (one,) = said["predicate"]["resources"]
    one["digest"] = "0" * 64
    envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()


def change_the_signature(envelope: dict[str, Any]) -> None:
    raw = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    raw[-1] ^= 1
    envelope["signatures"][0]["sig"] = base64.b64encode(bytes(raw)).decode()


def drop_the_signature(envelope: dict[str, Any]) -> None:
    envelope["signatures"] = []


def leave_it(envelope: dict[str, Any]) -> None:
    """As it was signed."""


@pytest.mark.parametrize(
    ("attack", "refusal"),
    [
        (leave_it, None),
        (name_another_file, "was changed since"),
        (change_the_signature, "was changed since"),
        (drop_the_signature, "no signed manifest"),
    ],
)
def test_a_manifest_that_was_tampered_with_is_refused(
    tmp_path: Path, publisher: Publisher, attack: Change, refusal: str | None
) -> None:
    file = gguf(tmp_path / "own.gguf", CHAT_MODEL)
    bundle = publisher.sign(statement(file), tmp_path / "model.sig")
    content = json.loads(bundle.read_text("utf-8"))

    attack(content["dsseEnvelope"])
    bundle.write_text(json.dumps(content), "utf-8")

    if refusal is None:
        assert signed_hashes(bundle, publisher.key) == {hash_file(file)}
    else:
        with pytest.raises(ModelError, match=refusal):
            signed_hashes(bundle, publisher.key)


def test_another_s_signature_and_another_kind_of_statement_are_refused(
    tmp_path: Path, publisher: Publisher
) -> None:
    file = gguf(tmp_path / "own.gguf", CHAT_MODEL)
    said, somebody = statement(file), Publisher(tmp_path, ec.SECP256R1())
    theirs = somebody.sign(said, tmp_path / "theirs.sig")
    other_kind = publisher.sign({**said, "predicateType": "other"}, tmp_path / "kind.sig")
    no_sum = publisher.sign({**said, "subject": [{"digest": {"sha256": "0" * 64}}]}, tmp_path / "n")

    for bundle, refusal in ((theirs, "not signed with"), (other_kind, "kind"), (no_sum, "kind")):
        with pytest.raises(ModelError, match=refusal):
            signed_hashes(bundle, publisher.key)
