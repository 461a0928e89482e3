"""What a sync would do, as the console is told of it."""

from typing import Final

from ingest.sync.plan import Step
from ingest.sync.sync import Sync, SyncRequest
from sovereign_rag.access import Principal
from sovereign_rag.services.source_desk import PlannedChange, SourcePreview

_TOLD: Final = frozenset({"new", "changed", "moved", "rights", "metadata", "deleted"})


class SyncPreviewer:
    """Dry runs; whom their changes may be shown to, who asks for them judges."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync

    def preview(self, name: str, asker: Principal) -> SourcePreview:
        """See `SourcePreviewer`."""
        source = self._sync.find(name, asker.tenant)
        report = self._sync.sync(source, asker, SyncRequest(dry_run=True))
        told = (step for step in report.plan.steps if step.change.value in _TOLD)
        return SourcePreview(
            counts=report.counts,
            changes=tuple(map(_change, told)),
            problems=(
                *(f"{one.key}: {one.problem}" for one in report.plan.invalid),
                *(f"{one.key}: {one.problem}" for one in report.plan.wrong),
            ),
        )


def _change(step: Step) -> PlannedChange:
    after = [] if step.access is None else [(step.access.readers, step.access.level)]
    before = [(document.readers, document.level) for document in step.documents]
    return PlannedChange(
        change=step.change.value,
        uri=step.uri,
        readers=frozenset() if step.access is None else step.access.readers,
        rights=tuple((frozenset(readers), level) for readers, level in (*after, *before)),
    )
