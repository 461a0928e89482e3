"""A signed checkpoint is stamped by an authority of the network, and by nobody else."""

import base64
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import ValidationError

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.compliance.egress import destinations
from sovereign_rag.errors import AuditError, BadInput, SettingsError
from sovereign_rag.settings import AuditSettings, Settings, TimestampSettings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_signing import is_signed, make_key, private_key, public_key, signed
from sovereign_rag.storage.audit_timestamp import StampAuthority, stamped
from sovereign_rag.storage.audit_walk import TIMESTAMPED, AuditReport

HERE = ("127.0.0.0/8",)
CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def entry(action: str = "answer", **detail: Any) -> AuditEntry:
    return AuditEntry(datetime.now(UTC), action, "default", "owner", detail)


def signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certified(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, by: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """For time stamps, or for whoever vouches for such where `key` signs itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now, is_root = datetime.now(UTC), key is by
    made = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
    )
    if not is_root:
        stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        made = made.add_extension(stamping, critical=True)
    return made.sign(by, hashes.SHA256())


@dataclass
class House:
    """A time-stamping authority: OpenSSL's own, behind a server on loopback."""

    folder: Path
    asked: list[bytes] = field(default_factory=list)
    answer_to: bytes | None = None  # a request that is answered instead of what was asked

    def __post_init__(self) -> None:
        root, own = signing_key(), signing_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.folder.name)])
        issuer = certified(self.folder.name, root, name, root)
        self.folder.mkdir()
        pem = serialization.Encoding.PEM
        (self.folder / "root.pem").write_bytes(issuer.public_bytes(pem))
        signer = certified("stamps", own, name, root)
        (self.folder / "signer.pem").write_bytes(signer.public_bytes(pem))
        (self.folder / "key.pem").write_bytes(
            own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (self.folder / "serial").write_text("01\n", "ascii")
        (self.folder / "tsa.cnf").write_text(CONFIG.format(folder=self.folder), "utf-8")
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                house.asked.append(query)
                reply = house.reply(house.answer_to or query)
                self.send_response(200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        names = {"-config": "tsa.cnf", "-queryfile": "query", "-inkey": "key.pem"}
        names |= {"-signer": "signer.pem", "-out": "reply"}
        files = [word for o, name in names.items() for word in (o, str(self.folder / name))]
        subprocess.run(["openssl", "ts", "-reply", *files], check=True, capture_output=True)
        return (self.folder / "reply").read_bytes()

    def settings(self, **more: Any) -> TimestampSettings:
        url = f"http://127.0.0.1:{self._server.server_port}/tsr"
        return TimestampSettings(**{"url": url, "allow": HERE, "authority": self.root, **more})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, House]]:
    folder = tmp_path_factory.mktemp("authorities")
    made = House(folder / "ours"), House(folder / "theirs")
    yield made
    for house in made:
        house.close()


@dataclass
class Record:
    """Three records and a signed checkpoint."""

    log: AuditLog
    folder: Path
    checkpoint: dict[str, Any]

    def note(self, detail: dict[str, Any]) -> None:
        self.log.append(entry(TIMESTAMPED, **detail))

    def verify(self, authority: Path) -> AuditReport:
        key = public_key(self.folder / "audit.pub")
        stamps = StampAuthority.read(authority)
        return self.log.verify(is_signed=partial(is_signed, key=key), stamped_at=stamps.stamped_at)

    def from_outside(self, repository: Path, authority: Path) -> tuple[int, str]:
        tool = repository / "tools" / "verify_audit.py"
        trusted = ("--public-key", str(self.folder / "audit.pub"))
        stamps = ("--timestamp-authority", str(authority))
        command = [sys.executable, "-I", str(tool), str(self.log.folder), *trusted, *stamps]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def record(tmp_path: Path) -> Record:
    key = tmp_path / "audit.pem"
    (tmp_path / "audit.pub").write_bytes(make_key(key))
    log = AuditLog(tmp_path / "data")
    for number in range(3):
        log.append(entry(question=f"question {number}"))
    made = log.checkpoint(entry(), partial(signed, key=private_key(key)))
    return Record(log, tmp_path, dict(made))


def test_a_stamp_vouches_for_a_checkpoint_also_from_outside(
    houses: tuple[House, House], record: Record, repository: Path
) -> None:
    ours, theirs = houses

    record.note(stamped(record.checkpoint, ours.settings()))

    report = record.verify(ours.root)
    assert (report.ok, report.signed, report.stamped) == (True, 3, 3)
    assert report.stamped_at is not None
    assert abs(datetime.now(UTC) - report.stamped_at) < timedelta(minutes=5)
    code, told = record.from_outside(repository, ours.root)
    assert (code, "time stamped up to 3, at " in told) == (0, True)
    assert not record.verify(theirs.root).ok
    assert record.from_outside(repository, theirs.root)[0] == 3
    assert record.log.verify().ok  # who asks for no authority takes the chain's word


def of_another_signature(house: House, record: Record) -> dict[str, Any]:
    other = {**record.checkpoint, "signature": "ab" * 64}
    return {**stamped(other, house.settings()), "signature": record.checkpoint["signature"]}


def of_no_checkpoint(house: House, record: Record) -> dict[str, Any]:
    return stamped({**record.checkpoint, "signature": "ab" * 64}, house.settings())


def of_nobody(house: House, record: Record) -> dict[str, Any]:
    made = stamped(record.checkpoint, house.settings())
    token = bytearray(base64.b64decode(made["token"]))
    token[-1] ^= 1
    return {**made, "token": base64.b64encode(token).decode("ascii")}


@pytest.mark.parametrize("forge", [of_another_signature, of_no_checkpoint, of_nobody])
def test_a_stamp_that_is_not_over_this_checkpoint_is_a_break(
    houses: tuple[House, House],
    record: Record,
    repository: Path,
    forge: Callable[[House, Record], dict[str, Any]],
) -> None:
    record.note(forge(houses[0], record))

    report = record.verify(houses[0].root)

    assert (report.ok, report.broken_at) == (False, 5)
    code, told = record.from_outside(repository, houses[0].root)
    assert (code, "broken: record 5" in told) == (3, True)


def test_a_reply_that_is_another_authority_s_or_to_another_request_is_refused(
    houses: tuple[House, House], record: Record
) -> None:
    ours, theirs = houses
    stamped(record.checkpoint, ours.settings())

    with pytest.raises(BadInput, match="not good"):
        stamped(record.checkpoint, theirs.settings(authority=ours.root))
    ours.answer_to = ours.asked[-1]  # an old one, as somebody between would send it again
    try:
        with pytest.raises(BadInput, match="Nonce"):
            stamped(record.checkpoint, ours.settings())
    finally:
        ours.answer_to = None


def test_only_a_listed_server_is_asked_and_the_egress_report_names_it(
    houses: tuple[House, House], record: Record, tmp_path: Path
) -> None:
    ours, asked = houses[0], len(houses[0].asked)

    with pytest.raises(SettingsError, match=r"timestamp\.allow does not list"):
        stamped(record.checkpoint, ours.settings(allow=("10.0.0.0/8",)))
    named = ours.settings(url="http://tsa.inside/tsr", allow=("tsa.inside",))
    with pytest.raises(AuditError, match="nothing was sent"):  # a name that leads out of the house
        stamped(record.checkpoint, named, resolve=lambda host, port: ["93.184.216.34"])
    with pytest.raises(ValidationError, match="needs"):
        TimestampSettings(url="http://tsa.inside/tsr")
    assert len(ours.asked) == asked

    settings = Settings(data_dir=tmp_path, audit=AuditSettings(timestamp=named))
    (told,) = destinations(settings)
    assert (told.address, told.setting) == ("http://tsa.inside", "audit.timestamp.url")
