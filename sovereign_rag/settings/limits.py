"""How much of the service anybody may take, and how it is watched."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, SecretStr, StringConstraints, model_validator

from sovereign_rag.settings.section import Section

Rate = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,11}/(minute|hour|day)$")]
"""How many in which time, e.g. `120/minute`."""


class LimitSettings(Section):
    """Requests and written tokens, each list such as `["120/minute", "5000/day"]`; empty: no limit."""

    key_requests: tuple[Rate, ...] = Field((), description="Of one key.")
    person_requests: tuple[Rate, ...] = Field((), description="Of one person, by all their keys.")
    tenant_requests: tuple[Rate, ...] = Field((), description="Of one tenant.")
    key_tokens: tuple[Rate, ...] = Field((), description="Tokens written for one key.")
    person_tokens: tuple[Rate, ...] = Field((), description="Tokens written for one person.")
    tenant_tokens: tuple[Rate, ...] = Field((), description="Tokens written for one tenant.")
    redis_url: SecretStr | None = Field(
        None,
        description="Where several processes count together, e.g. redis://redis:6379/0; unset: each process counts by itself. Out of reach: 503, nothing is let through uncounted.",
    )


class TraceSettings(Section):
    """Where traces go, by OpenTelemetry's protocol over HTTP. Off without an address."""

    url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Address of a collector for traces, e.g. http://10.0.0.9:4318/v1/traces. Spans hold ids, names of steps and numbers; no question and no text.",
    )
    allow: tuple[str, ...] = Field(
        (),
        description="The only addresses that are contacted for it: networks (10.0.0.0/24), addresses, or names. A name admits the private addresses that it stands for.",
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) that vouch for its address; unset: the system's."
    )
    share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the requests that are traced; of those whose caller traces, all.",
    )

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.url is not None and not self.allow:
            raise ValueError("`url` needs `allow`: the addresses that may be contacted for it")
        return self


class SightSettings(Section):
    """What whoever runs the service sees of it; never a question, an answer or a document."""

    log_format: Literal["text", "json"] = Field(
        "text", description="How lines are logged: for people, or one JSON object each."
    )
    access_log: bool = Field(
        False,
        description="Log each request: method, operation, status, time, request id, key id; no query and no body.",
    )
    metrics_port: PositiveInt | None = Field(
        None,
        le=65_535,
        description="Port of its own for `/metrics`, without a key; unset: `/metrics` of the service, with a key that has the scope admin or audit.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that this port listens on.")
    traces: TraceSettings = TraceSettings()
