"""Where vectors and records are kept."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator

from sovereign_rag.settings.section import Section


class StoreSettings(Section):
    """Where the vectors live."""

    url: str | None = Field(
        None,
        description="Qdrant server, e.g. http://qdrant:6333, or the nodes of a cluster, separated by commas (a list in the file); unset: the embedded engine in the data folder.",
    )
    api_key: SecretStr | None = Field(None, description="Key of the Qdrant server.")
    collection: str = Field(
        "chunks",
        pattern=r"^[a-z0-9_-]{1,40}$",
        description="Prefix of the collections' names; the embedding model's version follows it, and the index's number. On a server PREFIX-live is an alias of the one in use, once there was a `reindex`.",
    )
    timeout_s: PositiveFloat = Field(
        10.0,
        description="Longest wait for a node's answer to a write; of the embedded engine, to anything.",
    )
    read_timeout_s: PositiveFloat = Field(
        2.0,
        description="Longest wait for a node's answer to a read, before the next node is asked; the reads of one search take together a quarter more at most, then it fails.",
    )
    node_pause_s: PositiveFloat = Field(
        3.0,
        description="For how long a node that did not answer is passed over, until one request tries it again.",
    )
    replication_factor: PositiveInt = Field(
        1, description="Copies of each shard, on a Qdrant cluster."
    )
    shards: PositiveInt | None = Field(
        None, description="Shards of a new collection on a Qdrant cluster; unset: one a node."
    )

    @field_validator("url", mode="before")
    @classmethod
    def _one_line(cls, url: object) -> object:
        return ",".join(map(str, url)) if isinstance(url, list | tuple) and url else url

    @field_validator("url")
    @classmethod
    def _addresses(cls, url: str | None) -> str | None:
        for address in _split(url):
            parts = urlsplit(address)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(
                    "a Qdrant server is written http://HOST:PORT or https://HOST:PORT, several "
                    "with commas between them"
                )
            _ = parts.port  # ValueError where it is none
        if url is not None and not _split(url):
            raise ValueError("it names no server; leave it out for the embedded engine")
        return url

    @property
    def addresses(self) -> tuple[str, ...]:
        """The server, or the nodes of the cluster; none: the embedded engine."""
        return _split(self.url)


def _split(url: str | None) -> tuple[str, ...]:
    return tuple(part.strip().rstrip("/") for part in (url or "").split(",") if part.strip())


class CatalogSettings(Section):
    """Where documents, jobs, keys and sessions are recorded."""

    url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL, e.g. postgresql+psycopg://...; unset: SQLite in the data folder.",
    )
    connections: PositiveInt = Field(
        10,
        description="Connections that each process keeps to PostgreSQL; as many again, twice, while more are needed.",
    )
    statement_timeout_s: PositiveFloat = Field(
        120.0, description="Longest that PostgreSQL works on one statement."
    )
    lock_timeout_s: PositiveFloat = Field(
        30.0, description="Longest wait for another writer, on PostgreSQL."
    )


class TimestampSettings(Section):
    """A time-stamping authority of your own network (RFC 3161), for signed checkpoints."""

    url: str | None = Field(
        None, description="Its address, e.g. https://tsa.inside/tsr; unset: nothing is stamped."
    )
    allow: tuple[str, ...] = Field(
        (), description="The only addresses that are contacted for it: networks, addresses, names."
    )
    authority: Path | None = Field(
        None,
        description="Certificate (PEM) at the root of the chain that vouches for its stamps.",
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) that its TLS is checked by; unset: those that the machine trusts.",
    )
    timeout_s: PositiveFloat = Field(10.0, description="Longest wait for a stamp.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.url is not None and (not self.allow or self.authority is None):
            raise ValueError(
                "audit.timestamp.url needs audit.timestamp.allow, the addresses that may be "
                "contacted, and audit.timestamp.authority, the root certificate of its stamps"
            )
        return self


class AuditSettings(Section):
    """The record of who asked what and was shown what."""

    anchor: str | None = Field(
        None,
        description="A file, on another disk or machine, that notes how far the record has come; or a syslog: syslog+udp://HOST:PORT, syslog+tcp://HOST:PORT, syslog+unix:/dev/log. The catalog notes it in any case.",
    )

    writer: str = Field(
        "audit",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="What this data folder's record is called in the catalog, which notes how far it has come. Of several machines with a data folder each, each takes a name of its own; its lines are copied there then, for the others to read.",
    )

    timestamp: TimestampSettings = TimestampSettings()

    @field_validator("anchor")
    @classmethod
    def _place(cls, anchor: str | None) -> str | None:
        if anchor is None or not anchor.startswith("syslog"):
            return anchor
        url = urlsplit(anchor)
        is_here = url.scheme == "syslog+unix" and url.path.startswith("/") and not url.netloc
        is_there = url.scheme in {"syslog+udp", "syslog+tcp"} and url.hostname and not url.path
        if not (is_here or is_there) or url.query or url.fragment or url.username is not None:
            raise ValueError(
                "a syslog is written syslog+udp://HOST:PORT, syslog+tcp://HOST:PORT or "
                "syslog+unix:/dev/log"
            )
        _ = url.port  # ValueError where it is none
        return anchor
