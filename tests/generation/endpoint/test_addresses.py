"""Only listed addresses are contacted, at the address that was checked, with TLS verified."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.errors import GenerationError, SettingsError
from sovereign_rag.generation.endpoint import EndpointModel
from sovereign_rag.settings import load_settings
from sovereign_rag.system.allowed_addresses import AllowList, NotAdmitted, place
from tests.generation.endpoint.upstream import (
    Make,
    ask,
    talks,
)


@pytest.mark.parametrize(
    ("allow", "host", "address", "admitted"),
    [
        (("10.0.0.0/24",), "10.0.0.5", "10.0.0.5", True),
        (("10.0.0.0/24",), "10.0.1.5", "10.0.1.5", False),
        (("10.0.0.5",), "llm", "10.0.0.5", True),
        (("llm.example",), "llm.example", "10.0.0.5", True),
        (("llm.example",), "other.example", "10.0.0.5", False),
        (("llm.example",), "llm.example", "93.184.215.14", False),
        (("llm.example",), "llm.example", "169.254.169.254", False),
        (("llm.example",), "llm.example", "0.0.0.0", False),
        (("llm.example", "93.184.215.14"), "llm.example", "93.184.215.14", True),
        (("fd00::/8",), "llm", "fd00::1", True),
        (("fd00::/8",), "llm", "fd00:ec2::254", False),  # hands out a cloud's credentials
        (("llm.example",), "llm.example", "fd20:ce::254", False),
        (("169.254.0.0/16",), "llm", "169.254.10.1", True),
        (("169.254.0.0/16",), "llm", "169.254.169.254", False),
        (("169.254.0.0/16",), "llm", "::ffff:169.254.169.254", False),
        (("10.0.0.0/24",), "llm", "::ffff:10.0.0.5", True),
        (("127.0.0.1",), "llm", "::ffff:10.0.0.5", False),
    ],
)
def test_only_listed_addresses_are_admitted(
    allow: Sequence[str], host: str, address: str, admitted: bool
) -> None:
    listed, at = AllowList(allow, "a.list"), place(f"http://{host}:5000/v1", "a.url")

    if admitted:
        assert listed.choose(at, lambda *_: [address]) == address.removeprefix("::ffff:")
    else:
        with pytest.raises(NotAdmitted, match=address.removeprefix("::ffff:")):
            listed.choose(at, lambda *_: [address])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("10.0.0.5:5000", "no address"),
        ("ftp://10.0.0.5/v1", "no address"),
        ("http://", "no address"),
        ("http://10.0.0.5:99999/v1", "Port"),
        ("http://user:s3cret@10.0.0.5/v1", "more than scheme"),
        ("http://10.0.0.5/v1?key=s3cret", "more than scheme"),
        ("http://192.168.7.7:5000/v1", "does not list"),
    ],
)
def test_an_impossible_address_is_refused_at_the_start_without_telling_secrets(
    endpoint_model: Make, url: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason) as refusal:
        endpoint_model(url)

    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "10.0.0", "a b", "http://llm", ""])
def test_an_impossible_entry_of_the_list_is_refused(entry: str) -> None:
    with pytest.raises(SettingsError, match=r"generation\.endpoint\.allow"):
        AllowList([entry], "generation.endpoint.allow")


def test_settings_without_a_list_or_a_model_are_refused() -> None:
    for more, missing in (({"model": "small"}, "allow"), ({"allow": ["10.0.0.5"]}, "model")):
        endpoint = {"urls": ["http://10.0.0.5:5000/v1"], **more}
        with pytest.raises(SettingsError, match=rf"generation\.endpoint\.{missing}"):
            load_settings(overrides={"generation": {"endpoint": endpoint}})


def test_a_name_is_looked_up_once_and_the_connection_stays_with_the_checked_address(
    upstream: Make, endpoint_model: Make
) -> None:
    server = upstream(talks("Yes."))
    answers = [["127.0.0.1"], ["93.184.215.14"]]
    asked: list[tuple[str, int]] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return answers[min(len(asked), 2) - 1]

    url = f"http://llm.example:{server.port}/v1"
    asking = endpoint_model(url, allow=("llm.example",), resolve=rebinding)

    assert [ask(asking)[0], ask(asking)[0]] == ["Yes.", "Yes."]
    assert asked == [("llm.example", server.port)]
    assert server.headers[0][1]["Host"] == f"llm.example:{server.port}"


def test_a_name_that_moves_out_of_the_house_is_not_followed(
    upstream: Make, endpoint_model: Make
) -> None:
    server = upstream(talks("Yes."))
    answers = [["127.0.0.1"], ["93.184.215.14"], ["127.0.0.1"]]
    url = f"http://llm.example:{server.port}/v1"
    asking = endpoint_model(url, allow=("llm.example",), resolve=lambda *_: answers.pop(0))
    ask(asking)
    server.close()

    with pytest.raises(GenerationError, match="no connection"):
        ask(asking)
    with pytest.raises(GenerationError, match=r"93\.184\.215\.14.* nothing was sent"):
        ask(asking)

    with pytest.raises(GenerationError, match="no connection"):
        ask(asking)  # it is back in the house, and asked again


def test_a_name_that_nobody_knows_is_a_clear_error(endpoint_model: Make) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    asking = endpoint_model("http://llm.example/v1", allow=("llm.example",), resolve=unknown)

    with pytest.raises(GenerationError, match=r"llm\.example can't be looked up"):
        ask(asking)


def test_only_the_endpoint_is_contacted_whatever_proxies_the_environment_names(
    upstream: Make,
) -> None:
    server = upstream(talks("Yes."))
    program = f"""
import sys
seen = set()
def note(event, args):
    if event == "socket.connect":
        seen.add(args[1])
    elif event.startswith("socket.get"):
        seen.add((event, args[0]))
sys.addaudithook(note)
from sovereign_rag.generation.endpoint import EndpointModel
from sovereign_rag.generation.protocol import CompletionRequest, Message
from sovereign_rag.settings import EndpointSettings, GenerationSettings
endpoint = EndpointSettings(urls=({server.url!r},), allow=("127.0.0.1",), model="small")
generator = EndpointModel.open(GenerationSettings(endpoint=endpoint))
pieces = generator.stream(CompletionRequest([Message("user", "Hi")], tenant="t", max_tokens=9))
print("".join(piece.text for piece in pieces), sorted(seen))
"""
    proxy = "http://127.0.0.1:9"
    environment = os.environ | {"HTTP_PROXY": proxy, "ALL_PROXY": proxy, "http_proxy": proxy}

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=environment,
    )

    # The socket library "looks up" an address, too; that asks nobody.
    literal = "('socket.getaddrinfo', '127.0.0.1')"
    assert done.stdout.strip() == f"Yes. [('127.0.0.1', {server.port}), {literal}]"


# TLS


def write_certificates(folder: Path) -> tuple[Path, Path]:
    """An authority of one's own, and a server's key and certificate signed by it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(
        subject: str, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("House CA"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(extension, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
                critical=False,
            )
            .sign(authority, hashes.SHA256())
        )

    authority = ec.generate_private_key(ec.SECP256R1())
    server = ec.generate_private_key(ec.SECP256R1())
    ca, own = folder / "ca.pem", folder / "server.pem"
    root = certificate("House CA", authority, x509.BasicConstraints(ca=True, path_length=0))
    leaf = certificate("llm", server, x509.SubjectAlternativeName([x509.DNSName("llm.example")]))
    pem = serialization.Encoding.PEM
    ca.write_bytes(root.public_bytes(pem))
    own.write_bytes(
        leaf.public_bytes(pem)
        + server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ca, own


def test_a_server_s_certificate_is_verified_by_the_house_s_own_authority(
    upstream: Make, endpoint_model: Make, tmp_path: Path
) -> None:
    ca, own = write_certificates(tmp_path)
    server = upstream(talks("Yes."), certificate=own)

    def asking(host: str, **more: Any) -> EndpointModel:
        url = f"https://{host}:{server.port}/v1"
        made: EndpointModel = endpoint_model(
            url, allow=(host,), resolve=lambda *_: ["127.0.0.1"], **more
        )
        return made

    assert ask(asking("llm.example", ca_file=ca))[0] == "Yes."
    with pytest.raises(GenerationError, match="certificate"):
        ask(asking("llm.example"))  # the machine does not know that authority
    with pytest.raises(GenerationError, match="certificate"):
        ask(asking("other.example", ca_file=ca))  # a certificate for another name
    with pytest.raises(SettingsError, match="ca_file"):
        asking("llm.example", ca_file=tmp_path / "missing.pem")
    assert len(server.bodies) == 1
