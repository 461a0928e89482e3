"""Programs that are told when something has ended, by name: `[webhooks.NAME]`."""

import base64
import binascii
import ipaddress
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.settings.section import Section

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # how a secret begins, not one
LEAST_SECRET: Final = 24  # bytes, as the Standard Webhooks ask for
_EVENTS: Final = ("job.finished", "source.synced", "source.failed")


class WebhookSettings(Section):
    """A program that is told, by a signed message, when a job or a sync ends."""

    url: str = Field(description="Where messages are posted: https://, or http:// on this machine.")
    allow: tuple[str, ...] = Field(
        min_length=1,
        description="The only addresses that are contacted for it: networks (10.0.0.0/24), addresses, or names. A name admits the private addresses that it stands for; a public one has to be listed itself.",
    )
    secret: SecretStr | None = Field(
        None,
        description="What messages are signed with, as both sides know it: whsec_ and at least 24 bytes in base64; or secret_file.",
    )
    secret_file: Path | None = Field(
        None, description="File with that secret on its first line; read when the service starts."
    )
    events: tuple[Literal["job.finished", "source.synced", "source.failed"], ...] = Field(
        _EVENTS, min_length=1, description="What it is told."
    )
    tenant: str = Field(DEFAULT_TENANT, description="The tenant whose jobs and sources it is told.")
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) that vouch for its address; unset: the system's."
    )
    timeout_s: PositiveFloat = Field(10.0, le=60, description="How long it may take to answer.")
    tries: PositiveInt = Field(
        18,
        description="After so many a message is given up. The second comes 5 s after the first, each other after four times as long, up to 6 hours: 18 take three days.",
    )

    @model_validator(mode="after")
    def _whole_and_closed(self) -> Self:
        address = urlsplit(self.url)
        if address.scheme != "https" and not (
            address.scheme == "http" and _is_here(address.hostname)
        ):
            raise ValueError("`url` begins with https://")
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give either `secret` or `secret_file`")
        if self.secret is not None:
            signing_key(self.secret.get_secret_value())
        return self


def signing_key(secret: str) -> bytes:
    """The bytes that a secret stands for. Raises ValueError, which does not repeat it."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < LEAST_SECRET:
        raise ValueError(
            f"a secret is whsec_ and at least {LEAST_SECRET} bytes in base64: "
            'make one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return key


def _is_here(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
