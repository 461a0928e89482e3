"""Where originals, texts and page images are kept."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator

from sovereign_rag.settings.section import Section


class ContentSettings(Section):
    """Where the originals of documents, their texts and page images are kept."""

    url: str | None = Field(
        None,
        description="s3://BUCKET/PREFIX in an S3-compatible object storage, for services and workers on several machines; unset: a folder in the data folder, which then holds copies of what was last used.",
    )
    endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^/@\s?#]+/?$",
        description="Address of the object storage, e.g. https://minio.inside:9000; nothing else is contacted.",
    )
    region: str = Field("us-east-1", description="Its region, as it was set up.")
    access_key: str | None = Field(None, description="Name of the key.")
    access_key_file: Path | None = Field(None, description="File that holds it.")
    secret_key: SecretStr | None = Field(None, description="The key's secret.")
    secret_key_file: Path | None = Field(None, description="File that holds it.")
    ca_file: Path | None = Field(None, description="Certificates (PEM) that its own is checked by.")
    timeout_s: PositiveFloat = Field(20.0, description="Longest wait for the object storage.")
    cache_mib: PositiveInt = Field(
        10_240, description="Room for local copies; those unused for longest go first."
    )

    @field_validator("url")
    @classmethod
    def _place(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("an object storage is written s3://BUCKET or s3://BUCKET/PREFIX")
        return url

    @model_validator(mode="after")
    def _is_whole(self) -> "ContentSettings":
        if (self.url is None) != (self.endpoint is None):
            raise ValueError("content.url and content.endpoint go together")
        return self

    @property
    def bucket(self) -> str:
        return urlsplit(self.url or "").netloc

    @property
    def prefix(self) -> str:
        """Before every key: empty, or with a slash at its end."""
        path = urlsplit(self.url or "").path.strip("/")
        return f"{path}/" if path else ""


class EncryptionSettings(Section):
    """Encryption at rest: whose key opens what is stored of documents and conversations."""

    key_file: Path | None = Field(
        None,
        description="File with the master key, as `sovereign-rag encryption key` makes one: 32 bytes as 64 hexadecimal digits. Keep it on another disk than the data, and a copy of it in a safe: without it everything that is encrypted is lost.",
    )
    key_command: tuple[str, ...] = Field(
        (),
        description="Instead: a program with its arguments that prints the key so, for a key in a token (PKCS#11), a TPM or a vault; run without a shell, once a process.",
    )
    key_timeout_s: PositiveFloat = Field(20.0, description="Longest wait for that program.")

    @model_validator(mode="after")
    def _one_place(self) -> "EncryptionSettings":
        if self.key_file is not None and self.key_command:
            raise ValueError("the key comes from key_file or from key_command, not from both")
        return self

    @property
    def is_on(self) -> bool:
        return self.key_file is not None or bool(self.key_command)
