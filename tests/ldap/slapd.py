"""An LDAP directory that tests start: OpenLDAP's slapd, over TLS, with people and groups."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sovereign_rag.settings.ldap import LdapSettings

SUFFIX = "dc=house"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
READER, READER_PASSWORD = f"cn=reader,{SUFFIX}", "what only the service knows"
PROGRAM = shutil.which("slapd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
MISSING = "slapd is not installed: `apt-get install slapd ldap-utils`, or tools/setup.sh dev"

_CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit size.pr=3 size.prtotal=unlimited
database mdb
suffix "{suffix}"
rootdn "cn=root,{suffix}"
rootpw root
directory {folder}/data
index objectClass,uid,member eq
overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
"""

_TREE = f"""\
dn: {SUFFIX}
objectClass: organization
objectClass: dcObject
o: house
dc: house

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {READER_PASSWORD}

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups
"""


def dn_of(user: str) -> str:
    return f"uid={user},{PEOPLE}"


def group_dn(name: str) -> str:
    return f"cn={name},{GROUPS}"


@dataclass
class Slapd:
    """A running directory, and what its own admin does to it."""

    folder: Path
    port: int
    tls_port: int

    @property
    def url(self) -> str:
        return f"ldaps://localhost:{self.tls_port}"

    def settings(self, **more: Any) -> LdapSettings:
        named = {
            "url": self.url,
            "ca_file": str(self.folder / "ca.pem"),
            "bind_dn": READER,
            "bind_password_file": str(self.folder / "reader.password"),
            "people_base": PEOPLE,
            "groups_base": GROUPS,
            "page_size": 2,
        }
        return LdapSettings.model_validate({**named, **more})

    def add_person(self, user: str) -> None:
        """Their password is `secret`."""
        self.add(
            f"dn: {dn_of(user)}\nobjectClass: inetOrgPerson\nuid: {user}\ncn: {user}\n"
            f"sn: {user}\nemployeeNumber: 2\nuserPassword: secret\n"
        )

    def add_group(self, name: str, *members: str) -> None:
        """`members` are names of entries."""
        listed = "".join(f"member: {member}\n" for member in members)
        self.add(f"dn: {group_dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n{listed}")

    def leave_group(self, name: str, member: str) -> None:
        self.modify(f"dn: {group_dn(name)}\nchangetype: modify\ndelete: member\nmember: {member}\n")

    def join_group(self, name: str, member: str) -> None:
        self.modify(f"dn: {group_dn(name)}\nchangetype: modify\nadd: member\nmember: {member}\n")

    def remove(self, dn: str) -> None:
        self._as_root("ldapdelete", "", dn)

    def add(self, ldif: str) -> None:
        self._as_root("ldapadd", ldif, "-M")

    def modify(self, ldif: str) -> None:
        self._as_root("ldapmodify", ldif)

    def _as_root(self, program: str, ldif: str, *more: str) -> None:
        address = f"ldap://127.0.0.1:{self.port}"
        login = ["-x", "-H", address, "-D", f"cn=root,{SUFFIX}", "-w", "root"]
        done = subprocess.run(
            [program, *login, *more], input=ldif, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def running(folder: Path) -> Iterator[Slapd]:
    """A directory below `folder`, on two free ports of this machine."""
    assert PROGRAM is not None
    (folder / "data").mkdir()
    (folder / "reader.password").write_text(f"{READER_PASSWORD}\n", encoding="utf-8")
    _certificates(folder)
    config = folder / "slapd.conf"
    named = {"folder": folder, "suffix": SUFFIX, "reader": READER}
    config.write_text(_CONFIG.format(**named), encoding="utf-8")
    load = [PROGRAM, "-T", "add", "-f", str(config)]
    subprocess.run(load, input=_TREE, text=True, check=True, capture_output=True)
    port, tls_port = _free_port(), _free_port()
    addresses = f"ldap://127.0.0.1:{port} ldaps://localhost:{tls_port}"
    with subprocess.Popen(
        [PROGRAM, "-f", str(config), "-h", addresses, "-d", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            for each in (port, tls_port):
                _wait_for(each, process)
            yield Slapd(folder, port, tls_port)
        finally:
            process.terminate()
            process.wait(30)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, "slapd ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("slapd does not listen")


def _certificates(folder: Path) -> None:
    """An authority of the house's own, and a certificate of it for this machine."""
    now = datetime.now(UTC)
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The house")])
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])

    def signed(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
    ) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        made = builder.sign(authority_key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    basic = x509.BasicConstraints(ca=True, path_length=None)
    (folder / "ca.pem").write_bytes(signed(authority, authority_key.public_key(), basic))
    (folder / "server.pem").write_bytes(signed(server, server_key.public_key(), names))
    (folder / "server.key").write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
