"""The catalog: documents, jobs, leases, keys and sessions over one database."""

from types import TracebackType

from sovereign_rag.catalog.archives import Archives
from sovereign_rag.catalog.audit_copies import AuditCopies
from sovereign_rag.catalog.audit_heads import AuditHeads
from sovereign_rag.catalog.conversations import Conversations
from sovereign_rag.catalog.curated_answers import CuratedAnswerRows
from sovereign_rag.catalog.database import Clock, Database, utc_now
from sovereign_rag.catalog.directory_people import DirectoryPeople
from sovereign_rag.catalog.document_lists import DocumentLists
from sovereign_rag.catalog.document_overview import DocumentOverviews
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.erasures import Erasures
from sovereign_rag.catalog.facts import Facts
from sovereign_rag.catalog.follow_ups import FollowUps
from sovereign_rag.catalog.granted_roles import GrantedRoles
from sovereign_rag.catalog.house_words import HouseWords
from sovereign_rag.catalog.indexes import Indexes
from sovereign_rag.catalog.job_lists import JobLists
from sovereign_rag.catalog.jobs import Jobs
from sovereign_rag.catalog.keys import Keys
from sovereign_rag.catalog.late_writes import LateWrites
from sovereign_rag.catalog.leases import Leases
from sovereign_rag.catalog.locks import Locks
from sovereign_rag.catalog.maintenance import MaintenanceTasks
from sovereign_rag.catalog.migrate import upgrade
from sovereign_rag.catalog.operations import Operations
from sovereign_rag.catalog.outages import Outages
from sovereign_rag.catalog.processes import Processes
from sovereign_rag.catalog.raw_files import RawFiles
from sovereign_rag.catalog.readings import Readings
from sovereign_rag.catalog.sealed_rows import SealedRows
from sovereign_rag.catalog.sessions import Sessions
from sovereign_rag.catalog.setting_values import SettingValues
from sovereign_rag.catalog.signals import Signals
from sovereign_rag.catalog.source_plans import SourcePlans
from sovereign_rag.catalog.sources import Sources
from sovereign_rag.catalog.tombstones import Tombstones
from sovereign_rag.catalog.traces import Traces
from sovereign_rag.catalog.transfer import Transfer
from sovereign_rag.catalog.uploads import Uploads
from sovereign_rag.catalog.usage import Usage
from sovereign_rag.catalog.webhooks import Webhooks
from sovereign_rag.settings import Settings


class Catalog:
    """One database, and what it knows of each kind of thing in a part of its own.

    Every method of a part is one transaction, or a few short ones where it says so. It may be used
    from several threads; any number of processes may open one database. Every method raises
    `CatalogError` when the database can't be reached or refuses, with the way out.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        max_attempts: int,
        most_awaiting: int,
        index: int | None = None,
        signals: Signals | None = None,
    ) -> None:
        """
        Args:
            clock: Gives timezone-aware times.
            max_attempts: The tries that a document has.
            most_awaiting: How many documents are made ready for a store that is away.
            index: Whose versions of documents are spoken of; None: the live one's at each time.
            signals: Of the same database, where there are some already.
        """
        self.signals = signals or Signals(database)
        self._database, self._clock = database, clock
        self._max_attempts, self._most_awaiting = max_attempts, most_awaiting
        self.documents = Documents(database, clock, index)
        self.lists = DocumentLists(database, clock, index)
        self.follow_ups = FollowUps(database, clock)
        self.late_writes = LateWrites(database, clock)
        self.readings = Readings(database, clock, index)
        self.archives = Archives(database, clock)
        self.sources = Sources(database, clock, index)
        self.source_plans = SourcePlans(database, clock)
        self.indexes = Indexes(database, clock)
        self.house_words = HouseWords(database, clock)
        self.curated_answers = CuratedAnswerRows(database, clock)
        self.setting_values = SettingValues(database, clock)
        self.maintenance = MaintenanceTasks(database, clock)
        self.jobs = Jobs(database, clock)
        self.job_lists = JobLists(database, clock)
        self.leases = Leases(database, clock, max_attempts, most_awaiting)
        self.audit_heads = AuditHeads(database, clock)
        self.audit_copies = AuditCopies(database, clock)
        self.erasures = Erasures(database, clock)
        self.operations = Operations(database, clock)
        self.transfer = Transfer(database, clock)
        self.traces = Traces(database, clock)
        self.raw_files = RawFiles(database, clock)
        self.tombstones = Tombstones(database, clock)
        self.locks = Locks(database, clock)
        self.outages = Outages(database, clock)
        self.processes = Processes(database, clock)
        self.keys = Keys(database, clock)
        self.sealed_rows = SealedRows(database, clock)
        self.sessions = Sessions(database, clock)
        self.granted_roles = GrantedRoles(database, clock)
        self.directory_people = DirectoryPeople(database, clock)
        self.overviews = DocumentOverviews(database, clock)
        self.conversations = Conversations(database, clock)
        self.uploads = Uploads(database, clock)
        self.facts = Facts(database, clock)
        self.usage = Usage(database, clock)
        self.webhooks = Webhooks(database, clock)

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
        own = settings.ingest
        return cls(database, clock=clock, max_attempts=own.max_attempts, most_awaiting=own.outbox)

    def at(self, index: int) -> "Catalog":
        """The same catalog, speaking of what documents are in `index`, whichever is live.

        What a search of that index found is looked up here: also one that began before a switch
        meets the versions that it found. Close the catalog that it came from, not this.
        """
        return Catalog(
            self._database,
            clock=self._clock,
            max_attempts=self._max_attempts,
            most_awaiting=self._most_awaiting,
            index=index,
            signals=self.signals,
        )

    def close(self) -> None:
        """Let go of the database; nothing can be asked afterwards."""
        self.signals.close()
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
