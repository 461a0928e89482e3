"""The catalog: documents, jobs, leases, keys and sessions over one database."""

from types import TracebackType

from sovereign_rag.catalog.archives import Archives
from sovereign_rag.catalog.audit_heads import AuditHeads
from sovereign_rag.catalog.database import Clock, Database, utc_now
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.indexes import Indexes
from sovereign_rag.catalog.jobs import Jobs
from sovereign_rag.catalog.keys import Keys
from sovereign_rag.catalog.leases import Leases
from sovereign_rag.catalog.locks import Locks
from sovereign_rag.catalog.migrate import upgrade
from sovereign_rag.catalog.sessions import Sessions
from sovereign_rag.catalog.sources import Sources
from sovereign_rag.settings import Settings


class Catalog:
    """One database, and what it knows of each kind of thing in a part of its own.

    Every method of a part is one transaction, or a few short ones where it says so. It may be used
    from several threads; any number of processes may open one database. Every method raises
    `CatalogError` when the database can't be reached or refuses, with the way out.
    """

    def __init__(
        self, database: Database, *, clock: Clock, max_attempts: int, index: int | None = None
    ) -> None:
        """
        Args:
            clock: Gives timezone-aware times.
            max_attempts: The tries that a document has.
            index: Whose versions of documents are spoken of; None: the live one's at each time.
        """
        self._database, self._clock, self._max_attempts = database, clock, max_attempts
        self.documents = Documents(database, clock, index)
        self.archives = Archives(database, clock)
        self.sources = Sources(database, clock, index)
        self.indexes = Indexes(database, clock)
        self.jobs = Jobs(database, clock)
        self.leases = Leases(database, clock, max_attempts)
        self.audit_heads = AuditHeads(database, clock)
        self.locks = Locks(database, clock)
        self.keys = Keys(database, clock)
        self.sessions = Sessions(database, clock)

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock = utc_now) -> "Catalog":
        """Open the database that the settings name, made or brought up to date where need be.

        Raises:
            SettingsError: `catalog.url` names no database of a kind that is known.
            CatalogError: It can't be opened, or a newer version of the product made it.
        """
        database = Database.of(settings)
        try:
            upgrade(database)
        except BaseException:  # also of an interrupt: nobody else will close it
            database.close()
            raise
        return cls(database, clock=clock, max_attempts=settings.ingest.max_attempts)

    def at(self, index: int) -> "Catalog":
        """The same catalog, speaking of what documents are in `index`, whichever is live.

        What a search of that index found is looked up here: also one that began before a switch
        meets the versions that it found. Close the catalog that it came from, not this.
        """
        return Catalog(
            self._database, clock=self._clock, max_attempts=self._max_attempts, index=index
        )

    def close(self) -> None:
        """Let go of the database; nothing can be asked afterwards."""
        self._database.close()

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
