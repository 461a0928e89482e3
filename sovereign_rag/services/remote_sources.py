"""Object storages and mailboxes that admins add: at addresses that the settings allow alone.

The secret is sealed for the one source that it was given for, and is never shown again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.catalog.source_plans import SourcePlan, SourcePlans
from sovereign_rag.errors import BadInput, Forbidden
from sovereign_rag.settings import AnySource, ImapSource, S3Source, Settings
from sovereign_rag.storage.sealing import Sealer

SEALED: Final = "sealed"
"""Where the sealed secret of an added source stands in its section, in hexadecimal digits."""

_SECTION: Final[TypeAdapter[AnySource]] = TypeAdapter(AnySource)
_MOST_SECRET: Final = 1_000


@dataclass(frozen=True, slots=True)
class WantedSource:
    """What a form says of a source that lies elsewhere."""

    name: str
    kind: Literal["s3", "imap"]
    address: str  # one of those that are allowed
    user: str  # of an object storage, its access key
    secret: str
    place: str = ""  # of an object storage BUCKET/PREFIX; of a mailbox folders, by commas
    readers: str = ""
    level: int = 0
    schedule: str = ""


class RemoteSources:
    """Makes sections of the settings from forms, and finds their secrets again."""

    def __init__(self, settings: Settings, sealer: Sealer, plans: SourcePlans) -> None:
        self._settings, self._sealer, self._plans = settings, sealer, plans

    def addresses(self, tenant: str, kind: str) -> tuple[str, ...]:
        """Where admins of a tenant may add sources of a kind, "s3" or "imap"."""
        if tenant != DEFAULT_TENANT:
            return ()
        allowed = self._settings.console.source_addresses
        return tuple(one for one in allowed if one.startswith("http") == (kind == "s3"))

    def section(self, wanted: WantedSource, tenant: str) -> dict[str, Any]:
        """The section of a source, its secret sealed.

        Raises:
            Forbidden: The settings allow no such address.
            BadInput: Something about it is impossible.
        """
        if wanted.address not in self.addresses(tenant, wanted.kind):
            raise Forbidden(
                "Sources are added at the addresses that console.source_addresses names alone. "
                "Choose one of those, or ask whoever looks after the machine."
            )
        if not 0 < len(wanted.secret) <= _MOST_SECRET or not wanted.user.strip():
            raise BadInput("Give who signs in there, and the secret, of at most 1,000 characters.")
        made = _storage(wanted) if wanted.kind == "s3" else _mailbox(wanted)
        section = {
            **{"kind": wanted.kind, "tenant": tenant, "readers": wanted.readers},
            **{"level": wanted.level, "schedule": wanted.schedule or None, **made},
        }
        whole = {**section, SEALED: self._sealed(wanted.secret, tenant, wanted.name)}
        try:
            read_section(whole, tenant, wanted.secret)
        except ValidationError as error:
            raise BadInput("; ".join(str(one["msg"]) for one in error.errors())) from error
        return whole

    def secret_of(self, plan: SourcePlan) -> str | None:
        """The secret of an added source; None: it has none, or what sealed it is gone."""
        sealed = _sealed_in(plan)
        if sealed is None:
            return None
        opened = self._sealer.open(sealed, _context(plan.tenant, plan.name))
        return None if opened is None else opened.decode()

    def reseal(self) -> int:
        """Seal anew what another key than the newest had sealed; gives how many secrets."""
        count = 0
        for plan in self._plans.all():
            sealed = _sealed_in(plan)
            if sealed is None or self._sealer.is_newest(sealed, plan.tenant):
                continue
            secret = self.secret_of(plan)
            if secret is not None:  # else its key is gone for good
                anew = {SEALED: self._sealed(secret, plan.tenant, plan.name)}
                count += self._plans.replace(plan, {**(plan.section or {}), **anew})
        return count

    def of_data_folder(self) -> int:
        """How many secrets were sealed before there was a master key."""
        found = (_sealed_in(plan) for plan in self._plans.all())
        return sum(one is not None and self._sealer.is_of_data_folder(one) for one in found)

    def _sealed(self, secret: str, tenant: str, name: str) -> str:
        return self._sealer.seal(secret.encode(), _context(tenant, name), tenant).hex()


def read_section(section: Mapping[str, Any], tenant: str, secret: str | None) -> AnySource:
    """An added section as one of the settings, with its secret. Raises ValidationError."""
    given = {name: value for name, value in section.items() if name != SEALED}
    if SEALED in section:  # one that can't be opened any more is refused where it is sent
        given["secret_key" if given["kind"] == "s3" else "password"] = secret or ""
    return _SECTION.validate_python({**given, "tenant": tenant})


def hold_the_same(one: AnySource, other: AnySource) -> bool:
    """Whether two sources that lie elsewhere have documents in common."""
    match one, other:
        case S3Source(), S3Source():
            if (one.endpoint.rstrip("/"), one.bucket) != (other.endpoint.rstrip("/"), other.bucket):
                return False
            here, there = f"{one.prefix.strip('/')}/", f"{other.prefix.strip('/')}/"
            return "/" in (here, there) or here.startswith(there) or there.startswith(here)
        case ImapSource(), ImapSource():
            return (one.host.lower(), one.user) == (other.host.lower(), other.user)
    return False


def _sealed_in(plan: SourcePlan) -> bytes | None:
    sealed = (plan.section or {}).get(SEALED)
    return None if sealed is None else bytes.fromhex(sealed)


def _storage(wanted: WantedSource) -> dict[str, Any]:
    bucket, _, prefix = wanted.place.strip().strip("/").partition("/")
    return {
        **{"endpoint": wanted.address, "bucket": bucket, "prefix": prefix},
        "access_key": wanted.user.strip(),
    }


def _mailbox(wanted: WantedSource) -> dict[str, Any]:
    parts = urlsplit(wanted.address)
    folders = [one.strip() for one in wanted.place.split(",") if one.strip()]
    return {
        **{"host": parts.hostname or "", "port": parts.port, "user": wanted.user.strip()},
        "security": "tls" if parts.scheme == "imaps" else "starttls",
        "folders": folders or ["*"],
    }


def _context(tenant: str, name: str) -> str:
    return f"source secret\n{tenant}\n{name}"
