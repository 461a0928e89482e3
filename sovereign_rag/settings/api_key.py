"""The key of a server that the settings name: said there, or in a file of its own."""

from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from sovereign_rag.errors import SettingsError


class Keyed(Protocol):
    """A section that names a server's key."""

    @property
    def api_key(self) -> SecretStr | None: ...

    @property
    def api_key_file(self) -> Path | None: ...


def read_api_key(section: Keyed, name: str) -> str | None:
    """The key that a section says, or None: it says none.

    Args:
        name: The section's, for the message.

    Raises:
        SettingsError: The file with the key can't be read.
    """
    if section.api_key is not None:
        return section.api_key.get_secret_value().strip()
    if section.api_key_file is None:
        return None
    try:
        return section.api_key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{name}.api_key_file {section.api_key_file} can't be read: {error}."
        ) from error
