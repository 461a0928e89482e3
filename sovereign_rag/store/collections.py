"""Collections as wholes: whether one is there, what it is called, and its end."""

from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from sovereign_rag.errors import StoreError


class Collections:
    """Of one Qdrant server, or of the embedded engine of a data folder."""

    def __init__(self, client: QdrantClient, *, has_aliases: bool) -> None:
        """`client` as a `QdrantStore` has it; the embedded engine has no aliases."""
        self._client, self._has_aliases = client, has_aliases

    def exists(self, name: str) -> bool:
        """Whether there is a collection of that name, or an alias."""
        with _in_our_words():
            try:
                self._client.get_collection(name)
            except UnexpectedResponse as error:
                if error.status_code != 404:
                    raise
                return False
            return True

    def drop(self, name: str) -> None:
        """Remove a collection and all that is in it; that it is not there is no error."""
        with _in_our_words():
            try:
                self._client.delete_collection(name)
            except UnexpectedResponse as error:
                if error.status_code != 404:
                    raise

    def call(self, name: str, alias: str) -> None:
        """Let `alias` mean this collection from now on, whatever it meant; in one step."""
        if not self._has_aliases:
            return
        with _in_our_words():
            known = {found.alias_name for found in self._client.get_aliases().aliases}
            before = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
            after = models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
            )
            self._client.update_collection_aliases([before, after] if alias in known else [after])

    def close(self) -> None:
        self._client.close()


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except ResponseHandlingException as error:
        if isinstance(error.source, StoreError):  # from the engine's transport
            raise error.source from error
        raise StoreError(
            f"The vector store doesn't answer ({error.source or error}). Is it running?"
        ) from error
    except (ApiException, QdrantException) as error:
        raise StoreError(f"The vector store refused ({error}); try again later.") from error
