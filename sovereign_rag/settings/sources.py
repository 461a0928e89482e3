"""Where documents come from, by name: `[sources.NAME]`; and how far an archive is unpacked."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator

from sovereign_rag.access import DEFAULT_TENANT, HIGHEST_LEVEL, parse_readers
from sovereign_rag.errors import BadInput, SettingsError
from sovereign_rag.settings.section import Section

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_INTERVAL = r"^[1-9][0-9]{0,5}[smhd]$"
_SHARE = r"^([0-9]{1,2}|100)%$|^[0-9]{1,9}$"


class ArchiveSettings(Section):
    """Limits for what is taken out of a ZIP file or a mailbox file, nested ones included."""

    max_members: PositiveInt = Field(20_000, description="An archive with more files is refused.")
    max_unpacked_mib: PositiveInt = Field(
        4_096, description="An archive that unpacks to more is refused."
    )
    max_ratio: PositiveInt = Field(
        200, description="An archive that unpacks to more than so many times its size is refused."
    )
    max_depth: int = Field(
        3, ge=1, le=10, description="Archives in archives are unpacked down to this depth."
    )


class MetadataMapping(Section):
    """How a field of the source's own metadata becomes readers."""

    key: str = Field(min_length=1, description="The field; its value is a name or several.")
    kind: Literal["group", "user", "label"] = Field(
        "group", description="What a value names; label: it is group:NAME, user:NAME or everyone."
    )
    values: dict[str, str] = Field(
        {}, description="Values that stand for readers; once there is one, others name nobody."
    )

    @field_validator("values")
    @classmethod
    def _readers(cls, values: dict[str, str]) -> dict[str, str]:
        for labels in values.values():
            _labels(labels)
        return values


class SourceSettings(Section):
    """What every source has."""

    tenant: str = DEFAULT_TENANT
    readers: str = Field("", description="Who may read what nothing nearer says; empty: nobody.")
    paths: dict[str, str] = Field({}, description="Patterns of paths, and who may read there.")
    level: int = Field(0, ge=0, le=HIGHEST_LEVEL, description="Least clearance of a reader.")
    schedule: str | None = Field(
        None, pattern=_INTERVAL, description="How often it is looked through, e.g. 15m."
    )
    max_delete: str = Field(
        "10%", pattern=_SHARE, description="Most documents that a sync may delete."
    )

    @field_validator("readers")
    @classmethod
    def _known_readers(cls, value: str) -> str:
        _labels(value)
        return value

    @field_validator("paths")
    @classmethod
    def _known_paths(cls, value: dict[str, str]) -> dict[str, str]:
        for labels in value.values():
            _labels(labels)
        return value

    @property
    def interval(self) -> timedelta | None:
        """Time from one look to the next; None: only when somebody asks."""
        return None if self.schedule is None else parse_interval(self.schedule)


class FolderSource(SourceSettings):
    """A folder of this machine."""

    kind: Literal["folder"]
    path: Path = Field(description="The folder.")
    access: Literal["readers", "posix"] = Field(
        "readers", description="posix: who may read a file on this machine may read it here."
    )
    sidecars: bool = Field(True, description="Honour .access.yaml files.")


class S3Source(SourceSettings):
    """A bucket of an S3-compatible object storage."""

    kind: Literal["s3"]
    endpoint: str = Field(
        pattern=r"^https?://[^/@\s?#]+/?$", description="Its address; nothing else is contacted."
    )
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = ""
    region: str = "us-east-1"
    access_key: str | None = None
    access_key_file: Path | None = None
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    ca_file: Path | None = Field(None, description="Certificates that its own is checked by.")
    metadata: MetadataMapping | None = None
    sidecars: bool = True
    timeout_s: PositiveFloat = 60.0


class ImapSource(SourceSettings):
    """A mailbox."""

    kind: Literal["imap"]
    host: str
    port: int | None = Field(None, ge=1, le=65_535)
    security: Literal["tls", "starttls", "none"] = "tls"
    ca_file: Path | None = None
    user: str
    password: SecretStr | None = None
    password_file: Path | None = None
    folders: tuple[str, ...] = Field(("*",), description="Patterns of folders that are read.")
    timeout_s: PositiveFloat = 60.0

    @model_validator(mode="after")
    def _has_password(self) -> "ImapSource":
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give either password or password_file")
        return self


class ReaderSource(SourceSettings):
    """Whatever a LlamaIndex reader that is installed loads."""

    kind: Literal["llama_index"]
    reader: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$", description="Its class.")
    arguments: dict[str, object] = Field({}, description="What the class is made with.")
    load: dict[str, object] = Field({}, description="Arguments of its load_data.")
    secrets: dict[str, Path] = Field({}, description="Arguments whose value stands in a file.")
    metadata: MetadataMapping | None = None


AnySource = Annotated[
    FolderSource | S3Source | ImapSource | ReaderSource, Field(discriminator="kind")
]
"""A section `[sources.NAME]`; `kind` says which."""


def parse_interval(text: str) -> timedelta:
    """The time span that "90s", "15m", "2h" or "1d" is.

    Raises:
        BadInput: It is written otherwise.
    """
    if not re.fullmatch(_INTERVAL.strip("^$"), text):
        raise BadInput(f"{text!r} is no interval: write a number and s, m, h or d, e.g. 15m.")
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def parse_max_delete(text: str) -> tuple[int, bool]:
    """What "10%" or "25" says, as (number, whether it is a percentage).

    Raises:
        BadInput: It is neither a share from 0% to 100% nor a count.
    """
    if not re.fullmatch(_SHARE, text):
        raise BadInput(f"{text!r} is no limit: write a share such as 10%, or a count such as 25.")
    return int(text.rstrip("%")), text.endswith("%")


def secret(value: SecretStr | str | None, file: Path | None, *, what: str) -> str | None:
    """A secret as it was given, or as it stands in its file, without the line break at the end.

    Raises:
        SettingsError: The file can't be read.
    """
    if file is None:
        return value.get_secret_value() if isinstance(value, SecretStr) else value
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{what}: the file {file} can't be read ({error}).") from error


def _labels(text: str) -> None:
    try:
        parse_readers(text)
    except BadInput as error:
        raise ValueError(str(error)) from error
