"""Encryption at rest, looked after: what is in clear, keys changed, a tenant's destroyed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from sovereign_rag.access import Principal
from sovereign_rag.errors import BadInput, NotFound
from sovereign_rag.privacy.erase import rewrite_vectors
from sovereign_rag.services.container import Service
from sovereign_rag.storage.conversion import Conversion
from sovereign_rag.storage.encryption.master_key import MasterKey
from sovereign_rag.storage.shared_content import SharedContent

_AT_ONCE: Final = 200  # passages

FORGET: Final = "encryption.forget"
"""A tenant's keys were destroyed: done again where a restore brings them back."""

Progress = Callable[[int, int], None]
"""Contents done, and how many there are."""


@dataclass(frozen=True, slots=True)
class EncryptionState:
    """How what is stored lies on the disk."""

    is_on: bool
    master_key: str | None  # its name
    tenants: dict[str, int]  # with how many keys each
    files_encrypted: int
    files_clear: int
    rows_clear: int  # of the catalog, sealed by the data folder's own key
    takes_clear: bool  # files in clear are still read


@dataclass(frozen=True, slots=True)
class Converted:
    contents: int
    files: int  # written anew
    rows: int
    chunks: int  # passages in the vector store
    removed: int  # contents that nobody had any more


class EncryptionDesk:
    """Over one data folder, and its bucket if there is one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._vault = service.content.vault
        self._conversion = Conversion(service.content)

    def state(self) -> EncryptionState:
        """Looks at every file. Raises KeyUnavailable."""
        content = self._service.content
        if not self._vault.is_on:
            files = sum(len(content.names(hash_)) for hash_ in content.hashes())
            return EncryptionState(False, None, {}, 0, files, self._old_rows(), True)
        counts = [self._conversion.counts(hash_) for hash_ in content.hashes()]
        keys = self._vault.tenant_keys
        return EncryptionState(
            is_on=True,
            master_key=keys.master.id,
            tenants=keys.tenants(),
            files_encrypted=sum(done for done, _ in counts),
            files_clear=sum(clear for _, clear in counts),
            rows_clear=self._old_rows(),
            takes_clear=keys.takes_clear,
        )

    def convert(
        self, principal: Principal, progress: Progress, *, renew: bool = False
    ) -> Converted:
        """Encrypt what is in clear; a kill costs the file in work, and the next run goes on.

        Args:
            renew: Give each tenant a new key first, encrypt everything anew, and destroy the
                older ones. What was begun is gone on with.

        Raises:
            BadInput: No key is set, or a service or worker is running.
        """
        self._require_key()
        detail = {"renew": renew}
        with self._alone(), self._begun("encryption.convert", principal, detail) as told:
            if isinstance(self._service.content, SharedContent):
                self._service.content.drop_copies()
            if renew:
                self._renew()
            done = self._contents(progress)
            rows, chunks = self._rows(), self._chunks()
            self._service.content.sweep(older_than_s=0)
            catalog = self._service.catalog
            if not (catalog.sealed_rows.has_passwords() or catalog.erasures.is_awaited()):
                self._service.sealer.drop_keys()
            if renew:
                self._drop_older()
            self._vault.tenant_keys.refuse_clear()
            converted = Converted(*done, rows=rows, chunks=chunks, removed=self._removed)
            told |= asdict(converted)
        return converted

    def add_master(self, new: MasterKey, principal: Principal) -> int:
        """Let a new master key open all as well, while everything runs; how many keys it opens."""
        self._require_key()
        with self._begun("encryption.rotate", principal, {"to": new.id}) as told:
            told["keys"] = changed = self._vault.tenant_keys.add_master(new)
        return changed

    def drop_masters(self, principal: Principal) -> int:
        """Let no master key but that of the settings open anything from now on."""
        self._require_key()
        keys = self._vault.tenant_keys
        with self._begun("encryption.finish", principal, {"only": keys.master.id}) as told:
            told["keys"] = changed = keys.drop_masters()
        return changed

    def forget(self, tenant: str, principal: Principal) -> dict[str, int]:
        """Destroy a tenant's keys, then remove its documents; what others have too stays theirs.

        Raises:
            BadInput: No key is set, or a service or worker is running.
            NotFound: The tenant has neither keys nor documents.
        """
        self._require_key()
        catalog, content = self._service.catalog, self._service.content
        listed = [id_ for id_, _, _, _ in catalog.traces.documents(tenant)]
        if not listed and tenant not in self._vault.tenant_keys.tenants():
            raise NotFound(f"There is no tenant {tenant!r} with keys or documents.")
        with self._alone(), self._begun(FORGET, principal, {"tenant": tenant}) as told:
            shared = {
                hash_: tenants - {tenant}
                for hash_, tenants in catalog.sealed_rows.holders_of_contents().items()
                if tenant in tenants and tenants != {tenant} and content.holds(hash_)
            }
            for hash_, others in shared.items():  # first: they are to be able to open it
                for other in sorted(others):
                    content.keep_for(hash_, other)
            told["keys"] = self._vault.tenant_keys.destroy(tenant)
            told["documents"] = 0
            for id_ in listed:
                known = catalog.documents.known(tenant, id_)
                if known is not None:
                    self._service.erasure.erase(tenant, id_, known.content_hash)
                    told["documents"] += 1
            return dict(told)

    def _contents(self, progress: Progress) -> tuple[int, int]:
        content = self._service.content
        holders = self._service.catalog.sealed_rows.holders_of_contents()
        hashes, files, self._removed = content.hashes(), 0, 0
        for number, hash_ in enumerate(hashes, start=1):
            if hash_ in holders:
                files += self._conversion.convert(hash_, holders[hash_])
            else:
                self._service.erasure.erase_content(hash_)
                self._removed += 1
            progress(number, len(hashes))
        return len(hashes) - self._removed, files

    def _rows(self) -> int:
        """Conversations, answers of the house and secrets of sources, sealed anew."""
        rows, sealer, count = self._service.catalog.sealed_rows, self._service.sealer, 0
        for row in rows.all():
            if sealer.is_newest(row.data, row.tenant):
                continue
            context = f"conversation {row.column}\n{row.conversation}"
            plain = sealer.open(row.data, context)
            if plain is not None:  # else its key is gone for good
                count += rows.replace(row, sealer.seal(plain, context, row.tenant))
        return count + self._service.curated.reseal() + self._service.remote_sources.reseal()

    def _chunks(self) -> int:
        """Passages sealed anew in every index, and their former words written out of its files."""
        catalog, count = self._service.catalog, 0
        for index in catalog.indexes.all():
            if not self._service.indexes.is_there(index):
                continue
            store = self._service.indexes.store(index)
            for tenant, id_, version, chunks in catalog.sealed_rows.documents(index.id):
                for start in range(0, chunks, _AT_ONCE):
                    batch = range(start, min(start + _AT_ONCE, chunks))
                    count += store.seal_texts(tenant, id_, version, batch)
            store.flush()
        if count:
            rewrite_vectors(self._service.settings)
        return count

    def _renew(self) -> None:
        """A new key each; not again where an earlier run was broken off."""
        for tenant, keys in self._vault.tenant_keys.tenants().items():
            if keys == 1:
                self._vault.tenant_keys.renew(tenant)

    def _drop_older(self) -> None:
        for tenant in self._vault.tenant_keys.tenants():
            newest = self._vault.tenant_keys.newest(tenant)
            self._vault.tenant_keys.destroy(tenant, but=newest.id)

    def _old_rows(self) -> int:
        sealer = self._service.sealer
        rows = self._service.catalog.sealed_rows.all()
        old = sum(sealer.is_of_data_folder(row.data) for row in rows)
        sources = self._service.remote_sources
        return old + self._service.curated.of_data_folder() + sources.of_data_folder()

    def _require_key(self) -> None:
        if not self._vault.is_on:
            raise BadInput(
                "No master key is set: make one with `sovereign-rag encryption key FILE`, and name "
                "it in encryption.key_file."
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        others = self._service.catalog.processes.alive()
        if others:
            named = ", ".join(sorted(f"{one.kind} {one.pid} on {one.hostname}" for one in others))
            raise BadInput(
                f"Stop services and workers first, they hold keys and write files: {named}. One "
                "that was killed is forgotten within a minute."
            )
        yield

    @contextmanager
    def _begun(
        self, action: str, principal: Principal, detail: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        with self._service.operations.begun(action, principal, detail) as act:
            yield act.outcome
