"""Front ends that may act for their people, by name: `[front_ends.NAME]`."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from sovereign_rag.settings.section import Section

_LEAST_SECRET = 32  # bytes: a shorter one can be guessed from a token (RFC 7518, section 3.2)


class FrontEndSettings(Section):
    """A front end that serves many people with one key, and says in a signed token who asks."""

    secret: SecretStr | None = Field(
        None, description="What it signs with (HS256), at least 32 characters; or its keys in jwks."
    )
    jwks: Path | None = Field(
        None, description="File with its public keys (a JWK set); tokens signed by one are taken."
    )
    issuer: str = Field(description="The `iss` of its tokens; open-webui's is open-webui.")
    audience: str | None = Field(
        None, description="The `aud` that its tokens must name; unset: it may be left out."
    )
    header: str = Field(
        "X-OpenWebUI-User-Jwt",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="The header that a token comes in.",
    )
    user_claim: str = Field("sub", description="The claim that names the person, e.g. email.")
    groups_claim: str = Field("groups", description="The claim that lists their groups.")
    clearance_claim: str = Field("clearance", description="The claim with their clearance.")
    clock_skew_s: int = Field(30, ge=0, le=300, description="How far its clock may be off.")

    @model_validator(mode="after")
    def _one_way_to_sign(self) -> Self:
        if (self.secret is None) == (self.jwks is None):
            raise ValueError("give either `secret` or `jwks`")
        if self.secret and len(self.secret.get_secret_value().encode()) < _LEAST_SECRET:
            raise ValueError(f"`secret` has fewer than {_LEAST_SECRET} characters")
        return self
