"""Where vectors and records are kept."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr

from sovereign_rag.settings.section import Section


class StoreSettings(Section):
    """Where the vectors live."""

    url: str | None = Field(
        None,
        description="Qdrant server, e.g. http://qdrant:6333; unset: the embedded engine in the data folder.",
    )
    api_key: SecretStr | None = Field(None, description="Key of the Qdrant server.")
    collection: str = Field(
        "chunks",
        pattern=r"^[a-z0-9_-]{1,40}$",
        description="Prefix of the collections' names; the embedding model's version follows it, and the index's number. On a server PREFIX-live is an alias of the one in use, once there was a `reindex`.",
    )
    timeout_s: PositiveFloat = Field(10.0, description="Longest wait for one request to the store.")
    replication_factor: PositiveInt = Field(
        1, description="Copies of each shard, on a Qdrant cluster."
    )
    shards: PositiveInt | None = Field(
        None, description="Shards of a new collection on a Qdrant cluster; unset: one a node."
    )


class CatalogSettings(Section):
    """Where documents, jobs, keys and sessions are recorded."""

    url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL, e.g. postgresql+psycopg://...; unset: SQLite in the data folder.",
    )


class AuditSettings(Section):
    """The record of who asked what and was shown what."""

    anchor: Path | None = Field(
        None,
        description="A file, on another disk or machine, that notes how far the record has come; "
        "the catalog notes it in any case.",
    )
