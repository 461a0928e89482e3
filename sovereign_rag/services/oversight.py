"""What oversees the use of the service: limits, usage, metrics, and refusals on the record."""

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.services.limits import Limiter
from sovereign_rag.services.metrics import Metrics
from sovereign_rag.services.refusals import Refusals
from sovereign_rag.services.usage import UsageDesk
from sovereign_rag.settings.limits import LimitSettings
from sovereign_rag.storage.audit import AuditTrail


class Oversight:
    """The four together, over one catalog and one record."""

    def __init__(self, *, catalog: Catalog, audit: AuditTrail, limits: LimitSettings) -> None:
        self.limiter = Limiter(limits)
        self.metrics = Metrics(waiting=lambda: catalog.processes.queue().waiting)
        self.refusals = Refusals(audit)
        self.usage = UsageDesk(
            catalog=catalog, audit=audit, limiter=self.limiter, metrics=self.metrics
        )
