"""A bind to the directory, searches page by page, and whether a password is somebody's.

Over TLS with the certificates that the settings name. Another server that the directory points to
(a referral) is never contacted: neither a password nor a question goes to an address that nobody
listed.
"""

import ssl
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sovereign_rag.errors import DirectoryLost, SettingsError
from sovereign_rag.settings.ldap import LdapSettings

with warnings.catch_warnings():
    # It calls what its ASN.1 library has renamed since; constraints.txt holds both.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPException
    from ldap3.utils.conv import escape_filter_chars

_PAGES: Final = "1.2.840.113556.1.4.319"  # the control of RFC 2696
_REFERRAL: Final = 10
_NO_SUCH_ENTRY: Final = 32
_WRONG_PASSWORD: Final = 49
_MOST_ENTRIES: Final = 100_000  # of one search


@dataclass(frozen=True, slots=True)
class LdapEntry:
    """What the directory knows under one name."""

    dn: str
    attributes: Mapping[str, tuple[str, ...]]  # by their names in lower case

    def first(self, name: str) -> str | None:
        """The first value of an attribute; `dn` is one, too."""
        if name.lower() == "dn":
            return self.dn
        values = self.attributes.get(name.lower(), ())
        return values[0] if values else None


class _Refused(Exception):
    """The directory does not take a bind; `result` says why."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = result
        super().__init__(result.get("description"))


class _Tls(ldap3.Tls):  # type: ignore[misc]  # the library brings no types
    """TLS as Python itself makes it: the library's own check of names is of another age."""

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        context = ssl.create_default_context(cafile=self.ca_certs_file)
        connection.socket = context.wrap_socket(
            connection.socket,
            server_hostname=connection.server.host,
            do_handshake_on_connect=do_handshake,
        )


class LdapConnection:
    """A bind that holds; one thread at a time."""

    def __init__(self, connection: Any, settings: LdapSettings) -> None:
        self._connection, self._settings = connection, settings

    def search(
        self, base: str, condition: str, attributes: Sequence[str], *, is_entry: bool = False
    ) -> Iterator[LdapEntry]:
        """Entries below `base` that fit a filter, page by page.

        Args:
            condition: An LDAP filter, with `escaped` values.
            is_entry: Look at `base` itself alone.

        Raises:
            DirectoryLost: The directory can't be asked, refuses, or points to another server.
        """
        scope, cookie, seen = (ldap3.BASE if is_entry else ldap3.SUBTREE), None, 0
        while True:
            with _translated(self._settings):
                self._connection.search(
                    base,
                    condition,
                    search_scope=scope,
                    attributes=list(attributes),
                    paged_size=self._settings.page_size,
                    paged_cookie=cookie,
                )
            result, found = self._connection.result, self._connection.response or ()
            if result["result"] == _NO_SUCH_ENTRY and is_entry:
                return
            if result["result"] != 0:
                raise DirectoryLost(_said(self._settings, result))
            for one in found:
                # A reference to another server is left where it is.
                if one["type"] == "searchResEntry":
                    seen += 1
                    yield _entry(one)
            if seen > _MOST_ENTRIES:
                raise DirectoryLost(
                    f"The directory gives more than {_MOST_ENTRIES} entries below {base!r}: name "
                    "a narrower base or filter in [identity.ldap]."
                )
            cookie = result.get("controls", {}).get(_PAGES, {}).get("value", {}).get("cookie")
            if not cookie:
                return


@contextmanager
def connected(settings: LdapSettings) -> Iterator[LdapConnection]:
    """Bound as the settings say, until the end.

    Raises:
        DirectoryLost: It can't be reached, its certificate doesn't hold, or it refuses the bind.
        SettingsError: The file with the password can't be read.
    """
    try:
        with _bound(settings, settings.bind_dn, _password(settings)) as connection:
            yield LdapConnection(connection, settings)
    except _Refused as refusal:
        raise DirectoryLost(_said(settings, refusal.result)) from refusal


def is_password(settings: LdapSettings, dn: str, password: str) -> bool:
    """Whether the directory takes a password for an entry. Raises DirectoryLost.

    An empty one is nobody's: servers take a name without a password for a bind as nobody, and say
    that it went well (RFC 4513, 5.1.2).
    """
    if not password:
        return False
    try:
        with _bound(settings, dn, password):
            return True
    except _Refused as refusal:
        if refusal.result["result"] != _WRONG_PASSWORD:
            raise DirectoryLost(_said(settings, refusal.result)) from refusal
        return False


def escaped(value: str) -> str:
    """A value as it may stand in a filter."""
    return str(escape_filter_chars(value))


@contextmanager
def _bound(settings: LdapSettings, dn: str | None, password: str | None) -> Iterator[Any]:
    made = None
    try:
        with _translated(settings):
            made = ldap3.Connection(
                _server(settings),
                dn,
                password,
                authentication=ldap3.ANONYMOUS if dn is None else ldap3.SIMPLE,
                auto_referrals=False,
                read_only=True,
                raise_exceptions=False,
                check_names=False,
                receive_timeout=max(1, round(settings.timeout_s)),
            )
            made.open()
            if settings.start_tls and not made.start_tls(read_server_info=False):
                raise _Refused(made.result)
            made.bind(read_server_info=False)
            if made.result["result"] != 0:
                raise _Refused(made.result)
        yield made
    finally:
        if made is not None:
            with suppress(LDAPException, OSError):
                made.unbind()
            if made.socket is not None:  # left open where it could not be connected
                made.socket.close()


def _server(settings: LdapSettings) -> Any:
    address = urlsplit(settings.url or "")
    tls = _Tls(ca_certs_file=None if settings.ca_file is None else str(settings.ca_file))
    return ldap3.Server(
        address.hostname,
        port=address.port,
        use_ssl=address.scheme == "ldaps",
        tls=tls,
        get_info=ldap3.NONE,  # no question that nobody asked
        connect_timeout=settings.timeout_s,
        allowed_referral_hosts=[],
    )


def _password(settings: LdapSettings) -> str | None:
    if settings.bind_password_file is None:
        return None
    try:
        return settings.bind_password_file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"identity.ldap.bind_password_file can't be read: {error}") from error


@contextmanager
def _translated(settings: LdapSettings) -> Iterator[None]:
    try:
        yield
    except (LDAPException, OSError, ValueError) as error:
        raise DirectoryLost(
            f"The directory can't be asked at {settings.url}: {error}. Look whether it runs, "
            "whether it can be reached from here, and whether identity.ldap.ca_file vouches for "
            "its certificate."
        ) from error


def _said(settings: LdapSettings, result: Mapping[str, Any]) -> str:
    if result["result"] == _REFERRAL:
        return (
            f"The directory at {settings.url} points to another server, which is never followed: "
            "name the server that holds the entries in identity.ldap.url, or another base."
        )
    told = ", ".join(filter(None, (result.get("description"), result.get("message"))))
    return (
        f"The directory at {settings.url} refuses: {told}. Look at bind_dn, its password, "
        "people_base and groups_base in [identity.ldap]."
    )


def _entry(found: Mapping[str, Any]) -> LdapEntry:
    raw = found["raw_attributes"]
    values = {
        name.lower(): tuple(value.decode("utf-8", "replace") for value in raw[name]) for name in raw
    }
    return LdapEntry(dn=found["dn"], attributes=values)
