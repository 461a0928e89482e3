"""A password while its document waits: sealed in the catalog, see `sealing`.

The sealed form opens for the one document that it was given for. It is erased when the document's
task ends.
"""

from typing import Final

from sovereign_rag.errors import BadInput, DocumentError
from sovereign_rag.storage.sealing import Sealer
from sovereign_rag.storage.sealing_keys import KEY_NAME as KEY_NAME

MAX_PASSWORD_CHARS: Final = 1_000


class Seal:
    """Seals and opens passwords."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def close(self, password: str, *, tenant: str, uri: str) -> bytes:
        """Seal a password for the document that `uri` names in `tenant`.

        Raises:
            BadInput: It is empty or longer than any format takes.
            EnvironmentFault: The key can't be read or made.
        """
        if not 0 < len(password) <= MAX_PASSWORD_CHARS:
            raise BadInput(f"A password has 1 to {MAX_PASSWORD_CHARS} characters.")
        return self._sealer.seal(
            password.encode("utf-8", "surrogatepass"), f"{tenant}\n{uri}", tenant
        )

    def open(self, sealed: bytes, *, tenant: str, uri: str) -> str:
        """The password again.

        Raises:
            DocumentError: It was sealed for another document, or with a key that is gone.
            EnvironmentFault: The key can't be read.
        """
        text = self._sealer.open(sealed, f"{tenant}\n{uri}")
        if text is None:
            raise DocumentError(
                "encrypted",
                "The password can't be opened: the key that it was sealed with is not there any "
                "more. Hand the document in again, with its password.",
            )
        return text.decode("utf-8", "surrogatepass")
