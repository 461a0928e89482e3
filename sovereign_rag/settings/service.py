"""How the service is offered."""

from pydantic import Field, PositiveFloat, PositiveInt

from sovereign_rag.settings.section import Section


class ServerSettings(Section):
    """The query service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on.")
    allow_anonymous: bool = Field(
        False,
        description="Callers without a key read what everyone may; for loopback addresses alone.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="Host headers that are answered."
    )
    secure_cookies: bool = Field(
        False, description="Send the session cookie over HTTPS alone; set it behind TLS."
    )
    max_upload_mib: PositiveInt = Field(200, description="A larger upload is refused.")
    max_question_chars: PositiveInt = Field(4_000, description="A longer question is refused.")
    session_hours: PositiveFloat = Field(12.0, description="How long a sign-in on the page lasts.")
