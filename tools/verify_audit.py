"""Verify an audit record from outside: `verify_audit.py AUDIT_FOLDER --public-key KEY.pub`.

Needs Python 3.11 and `cryptography`, nothing of the product: copy the folder `audit/` and this file
to another machine. It follows the chain of hashes from the first record to the last, and checks
every checkpoint (`audit checkpoint`) with the public key alone. Exit code 0: whole and signed up to
a checkpoint; 3: not.

With `--timestamp-authority CERTIFICATE.pem` every time stamp (RFC 3161) has to be of that
authority, and over the signature of a checkpoint before it, and there has to be one; it is `openssl
ts -verify` that tells.
"""

import argparse
import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

NO_HASH = "0" * 64


class Broken(Exception):
    """The record is not what was signed; the text says where."""


def lines_of(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Every whole line in the order of its number, behind the number that its file begins with."""
    for file in sorted(folder.glob("*.jsonl")):
        with file.open("rb") as opened:
            for line in opened:
                if line.endswith(b"\n"):
                    yield int(file.name.partition("-")[0]), line[:-1]


def record_of(line: bytes, number: int) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:
        raise Broken(f"record {number}: the line is no record") from None


def is_signed(checkpoint: dict[str, Any], number: int, hash_: str, key: Ed25519PublicKey) -> bool:
    """Whether `checkpoint` is of this record, and signed with the private key to `key`."""
    if (checkpoint.get("number"), checkpoint.get("hash")) != (number, hash_):
        return False
    line = f"{number} {hash_} {checkpoint.get('at')}"
    try:
        signature = bytes.fromhex(str(checkpoint.get("signature")))
        key.verify(signature, f"sovereign-rag audit checkpoint v1\n{line}\n".encode())
    except (ValueError, InvalidSignature):
        return False
    return True


def erased_by(record: dict[str, Any]) -> set[tuple[int, str, str]]:
    """What a record tells of others that lost their words: (number, hash before, hash now)."""
    if record.get("action") != "audit.erased":
        return set()
    return {(int(n), str(was), str(now)) for n, was, now in record["detail"]["records"]}


def stamped_at(signature: bytes, token: bytes, authority: Path) -> datetime | None:
    """When the authority saw a signature, as OpenSSL tells; None: its stamp is not good."""
    with TemporaryDirectory() as name:
        (data := Path(name) / "signature").write_bytes(signature)
        (reply := Path(name) / "reply").write_bytes(token)
        text = _openssl("ts", "-reply", "-text", "-in", str(reply))
        said = [line for line in text.splitlines() if line.startswith("Time stamp: ")]
        if not said:
            return None
        words = said[0].removeprefix("Time stamp: ").removesuffix(" GMT").split()
        words[2] = words[2].partition(".")[0]  # of a second
        at = datetime.strptime(" ".join(words), "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        files = ("-data", str(data), "-in", str(reply), "-CAfile", str(authority))
        moment = str(int(at.timestamp()))  # its certificate need not be valid any more
        done = _openssl("ts", "-verify", *files, "-attime", moment)
        return at if "Verification: OK" in done else None


def _openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


class Stamps:
    """The time stamps of a record, each held against the signatures before it."""

    def __init__(self, authority: Path | None) -> None:
        self._authority, self._signatures = authority, dict[str, int]()
        self.number, self.at = 0, datetime.min

    def step(self, record: dict[str, Any], number: int, first: int) -> None:
        """Take in a record, of which the one before has this number. Raises Broken."""
        detail = record.get("detail", {})
        if record.get("action") == "audit.checkpoint":
            self._signatures[str(detail.get("signature"))] = number
        if record.get("action") != "audit.timestamped" or self._authority is None:
            return
        signature = str(detail.get("signature"))
        if signature not in self._signatures and int(detail.get("number", 0)) < first - 1:
            return  # its checkpoint was trimmed
        try:
            token = base64.b64decode(str(detail.get("token")), validate=True)
            at = stamped_at(bytes.fromhex(signature), token, self._authority)
        except ValueError:
            at = None
        if at is None or signature not in self._signatures:
            raise Broken(f"record {number + 1}: its time stamp is not of this record and authority")
        self.number, self.at = self._signatures[signature], at


def verify(
    folder: Path, key: Ed25519PublicKey, kept: list[dict[str, Any]], stamps: Stamps
) -> tuple[int, int, int]:
    """Numbers of the first record, of the last, and of the last that a signature vouches for.

    Args:
        kept: Checkpoints that were noted elsewhere when they were made.
        stamps: Is shown each record, and remembers what is stamped.

    Raises:
        Broken: The chain, its beginning, or a signature is not as it was made.
    """
    number, last, time, signed = 0, NO_HASH, datetime.min, 0
    first, begins_after, beginnings = 1, NO_HASH, {(1, NO_HASH)}
    remainders: set[tuple[int, str, str]] = set()
    erased: set[tuple[int, str, str]] = set()
    for checkpoint in kept:
        of = int(checkpoint["number"]), str(checkpoint["hash"])
        if not is_signed(checkpoint, *of, key):
            raise Broken(f"the checkpoint of record {of[0]} is not signed with this key")
    wanted = {int(checkpoint["number"]): str(checkpoint["hash"]) for checkpoint in kept}
    for file_number, line in lines_of(folder):
        record = record_of(line, number + 1)
        if number == 0 and file_number > 1:  # older files may have been removed, as is signed
            first, number = file_number, file_number - 1
            last = begins_after = str(record.get("prev"))
        detail = record.get("detail", {})
        if record.get("number") != number + 1:
            raise Broken(f"record {number + 1}: record {record.get('number')} is in its place")
        if record.get("prev") != last:
            raise Broken(f"record {number + 1}: it was not written after the one before it")
        at = datetime.fromisoformat(str(record.get("at"))).replace(tzinfo=None)
        if "by" in record and at < time:
            raise Broken(f"record {number + 1}: its time is before that of the one before it")
        if record.get("action") == "audit.checkpoint":
            if not is_signed(detail, number, last, key):
                raise Broken(f"record {number + 1}: its signature is not of this record and key")
            signed = number
        if record.get("action") == "audit.trimmed":
            start, prev = int(detail["first"]), str(detail["prev"])
            if is_signed(detail.get("signed", {}), start - 1, prev, key):
                beginnings.add((start, prev))
        stamps.step(record, number, first)
        erased |= erased_by(record)
        number, last = number + 1, hashlib.sha256(line).hexdigest()
        if "was" in record:  # an erasure took its words, and the chain goes on from what it was
            remainders.add((number, str(record["was"]), last))
            last = str(record["was"])
        time = at if "by" in record else time
        if wanted.pop(number, last) != last:
            raise Broken(f"record {number}: it is not the one of the checkpoint that was kept")
    if untold := remainders - erased:
        raise Broken(f"record {min(untold)[0]} was replaced, and no erasure tells of it")
    if gone := [one for one in wanted if one > number]:
        raise Broken(f"record {max(gone)} was signed, and the record ends after {number}")
    if (first, begins_after) not in beginnings:
        raise Broken(f"records 1 to {first - 1} are gone, and no signed trim removed them")
    signed = max([signed, *(int(checkpoint["number"]) for checkpoint in kept)])
    if signed == 0:
        raise Broken("nothing of it is signed")
    return first, number, signed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("folder", type=Path, help="a copy of the folder audit/")
    parser.add_argument("--public-key", type=Path, required=True, help="as `audit key` printed it")
    parser.add_argument(
        "--checkpoint", type=Path, help="file with lines that `audit checkpoint` printed"
    )
    parser.add_argument("--timestamp-authority", type=Path, help="certificate (PEM)")
    given = parser.parse_args()
    key = load_pem_public_key(given.public_key.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        parser.error(f"{given.public_key} holds no Ed25519 key")
    lines = given.checkpoint.read_text("utf-8").splitlines() if given.checkpoint else []
    stamps = Stamps(given.timestamp_authority)
    kept = [json.loads(one) for one in lines if one]
    try:
        first, last, signed = verify(given.folder, key, kept, stamps)
        if given.timestamp_authority and not stamps.number:
            raise Broken("nothing of it is stamped")
    except Broken as broken:
        print(f"broken: {broken}")
        return 3
    print(f"ok: records {first} to {last}, signed up to {signed}")
    if stamps.number:
        print(f"time stamped up to {stamps.number}, at {stamps.at:%Y-%m-%d %H:%M:%S} UTC")
    if signed < last - 1:
        print(f"not signed yet: {last - signed} records; a later checkpoint vouches for them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
