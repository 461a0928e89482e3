"""What answers took: counted as they are given, read by auditors and admins."""

import logging
from collections.abc import Collection, Sequence
from datetime import date

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.usage import Dimension, Spent, UsageRow
from sovereign_rag.domain import Answer
from sovereign_rag.errors import BadInput, EnvironmentFault, Forbidden
from sovereign_rag.roles import Scope
from sovereign_rag.services.limits import Limiter
from sovereign_rag.services.metrics import Metrics
from sovereign_rag.storage.audit import AuditTrail, entry

log = logging.getLogger(__name__)


class UsageDesk:
    """The numbers of who asked how much; questions and answers are not among them."""

    def __init__(
        self, *, catalog: Catalog, audit: AuditTrail, limiter: Limiter, metrics: Metrics
    ) -> None:
        self._catalog, self._audit = catalog, audit
        self._limiter, self._metrics = limiter, metrics

    def note(self, answer: Answer, principal: Principal) -> None:
        """Count an answer. That it can't be is logged, and withholds no answer."""
        spent = Spent(
            refusals=int(answer.abstained),
            tokens=answer.usage.get("completion_tokens", 0),
            joules=answer.energy.joules if answer.energy else 0.0,
        )
        self._metrics.answered(answer.kind, spent)
        try:
            self._limiter.spend(principal, spent.tokens)
            self._catalog.usage.add(
                tenant=principal.tenant,
                person=principal.label,
                key=principal.caller.key,
                spent=spent,
            )
        except EnvironmentFault as problem:
            log.warning("An answer is not counted in the usage: %s", problem)

    def read(
        self, principal: Principal, *, since: date, until: date, by: Collection[Dimension]
    ) -> Sequence[UsageRow]:
        """Sums of the principal's tenant, from `since` to `until`; on the record.

        Raises:
            Forbidden: The principal neither audits nor administers.
            BadInput: The days are the wrong way round.
        """
        if not principal.may(Scope.AUDIT, Scope.ADMIN):
            raise Forbidden("Only an auditor or an admin may see the usage; ask for such a key.")
        if since > until:
            raise BadInput(f"The usage from {since} to {until} is none: turn the days round.")
        asked = {"since": since.isoformat(), "until": until.isoformat(), "by": sorted(by)}
        self._audit.append(entry("usage", principal, asked))
        return self._catalog.usage.sums(principal.tenant, since=since, until=until, by=by)
