"""How the service is offered."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from sovereign_rag.settings.section import Section


class ServerSettings(Section):
    """The query service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on.")
    allow_anonymous: bool = Field(
        False,
        description="Callers without a key read what everyone may; for loopback addresses alone, and with server.no_proxy.",
    )
    no_proxy: bool = Field(
        False,
        description="You say that no proxy stands before this service: behind one, everybody comes from a loopback address.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="Host headers that are answered."
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/@\s?#]+$",
        description="Where people reach the page, e.g. https://rag.example.org: links that programs are given begin with it; unset: with the address that a request came to.",
    )
    contact: str | None = Field(
        None,
        max_length=200,
        description="Whom people ask who may read nothing or miss a document, as the page tells them: a name, an address.",
    )
    cors_origins: tuple[Annotated[str, Field(pattern=r"^https?://[^/@\s*?#]+$")], ...] = Field(
        (),
        description="Pages of other origins that may ask the API from a browser, with keys of their own: https://app.example.org; cookies are never sent along.",
    )
    secure_cookies: bool = Field(
        False, description="Send the session cookie over HTTPS alone; set it behind TLS."
    )
    max_upload_mib: PositiveInt = Field(200, description="A larger upload is refused.")
    max_question_chars: PositiveInt = Field(4_000, description="A longer question is refused.")
    session_hours: PositiveFloat = Field(12.0, description="How long a sign-in on the page lasts.")
    design_page: bool = Field(
        False,
        description="Serve /design, every part of the pages in every state: for who changes them.",
    )
    queue: NonNegativeInt = Field(
        64, description="Questions and searches that may wait for their turn; more get 429."
    )
    concurrent: NonNegativeInt = Field(
        0,
        description="Questions and searches computed at a time; 0: one more than there are cores.",
    )
    uploads: PositiveInt = Field(8, description="Uploads received at a time; more get 429.")
    uploads_per_person: PositiveInt = Field(
        3, description="Uploads received at a time from one person; more get 429."
    )
    connections: PositiveInt = Field(
        1_000, description="Open connections and requests; beyond that 503 at once."
    )
    request_timeout_s: PositiveFloat = Field(
        30.0,
        description="How long headers may take to arrive, and each part of a body; then 408.",
    )
    send_timeout_s: PositiveFloat = Field(
        60.0, description="A caller that reads nothing for this long is let go."
    )
    shutdown_s: PositiveFloat = Field(
        10.0,
        description="At SIGTERM, how long requests at hand may take; streams are told to come again.",
    )


class HistorySettings(Section):
    """Conversations on the page, each its owner's alone."""

    keep_days: NonNegativeInt = Field(
        90,
        description="Days that a conversation is kept, sealed, after its last question; 0: none is, and only the browser's window remembers it.",
    )


class ClientSettings(Section):
    """The command line, where it asks a service instead of opening the data folder."""

    url: str | None = Field(
        None,
        description="Address of the service that ask, search, documents, jobs and ingest speak to; also --url.",
    )
    key_file: Path | None = Field(
        None, description="File with the API key for it, on its first line; also --key-file."
    )
