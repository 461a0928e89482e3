"""Which addresses may be contacted: the admin's list, held against what is connected to.

A name is looked up by us, its addresses are held against the list, and the connection goes to the
very address that passed. What the name stands for a moment later changes nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sovereign_rag.errors import SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""A name and a port -> its addresses, as text; raises OSError."""

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PORTS: Final = {"http": 80, "https": 443}


class NotAdmitted(Exception):
    """Nothing that the name stands for is on the list; the text says what it stands for."""


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """Where a server is, as the settings say."""

    scheme: str
    host: str  # a name or an address, in small letters
    port: int
    path: str  # "/v1"

    @property
    def url(self) -> str:
        """As the admin knows it."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        """Host and port, for the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def literal(self) -> Address | None:
        """The address that stands there in place of a name."""
        return _address(self.host)


def place(url: str, setting: str) -> ServerPlace:
    """Read an address that stands in a setting, whose dotted name is told where it is none.

    Raises:
        SettingsError: It is none, or holds what has no business in it.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise SettingsError(f"{setting} holds {url!r}: {error}.") from error
    if parts.scheme not in _PORTS or not host:
        raise SettingsError(
            f"{setting} holds {url!r}, which is no address such as http://10.0.0.5:5000/v1."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError(
            f"The address of {host} in {setting} holds more than scheme, host, port and path. A "
            "key or a secret has a setting of its own."
        )
    return ServerPlace(parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # containers of one of them
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
"""Where clouds hand out credentials to whoever asks from a machine of theirs: never contacted,
however wide a listed network is."""


class AllowList:
    """Networks, addresses and names that may be contacted."""

    def __init__(self, entries: Iterable[str], setting: str) -> None:
        """Read what stands in a setting, whose dotted name is told where something is wrong.

        Raises:
            SettingsError: An entry is no network, address or name.
        """
        self.setting = setting
        self._networks: list[Network] = []
        self._names: set[str] = set()
        for entry in entries:
            text = entry.strip().lower().rstrip(".")
            try:
                self._networks.append(ipaddress.ip_network(text))
            except ValueError as error:
                if "/" in text or not _NAME.fullmatch(text) or text.replace(".", "").isdigit():
                    raise SettingsError(
                        f"{setting} holds {entry!r}, which is no network "
                        f"(10.0.0.0/24), address or name: {error}."
                    ) from error
                self._names.add(text)

    def admits(self, host: str, address: Address) -> bool:
        """Whether `address` may be connected to when `host` stands for it.

        By a listed name come private addresses alone: a name that is bent to an address out of
        the house, or to a cloud's metadata service, leads nowhere.
        """
        if address in METADATA:
            return False
        if any(address in network for network in self._networks):
            return True
        inside = (address.is_private or address.is_loopback) and not (
            address.is_link_local or address.is_unspecified or address.is_multicast
        )
        return host in self._names and inside

    def choose(self, at: ServerPlace, resolve: Resolve) -> str:
        """The address to connect to, as text.

        Raises:
            NotAdmitted: None of its addresses is on the list.
            OSError: The name can't be looked up.
        """
        found = [str(at.literal)] if at.literal else list(resolve(at.host, at.port))
        for text in found:
            address = _address(text)
            if address is not None and self.admits(at.host, address):
                return str(address)
        raise NotAdmitted(", ".join(found) or "nothing")


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine's resolver says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # ::ffff:10.0.0.5 is 10.0.0.5, and is judged as that.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
