"""Sources kept equal all the time: by the file system's own events, and by their schedules.

Events only say when to look; what has changed, a sync finds out. So an event that is lost costs
minutes, until the next scheduled look, and nothing else.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ingest.sources.build import NamedSource, all_sources
from ingest.sync.sync import Sync, SyncReport, SyncRequest
from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.source_plans import SourcePlan
from sovereign_rag.errors import Busy, EnvironmentFault, SovereignError
from sovereign_rag.settings import FolderSource, Settings

log = logging.getLogger(__name__)

EVERY_S = 600.0
"""Between two looks through a source that is watched, whatever the events say."""

_DEBOUNCE_MS = 800  # a burst of events may last so long before it is looked into
_STEP_MS = 100
_LOOK_S = 1.0  # between looks at what is due
_RETRY_S = 30.0  # after a sync that failed


@dataclass
class _Watched:
    source: NamedSource
    every_s: float
    request: SyncRequest
    due: float = 0.0  # on the monotonic clock
    touched: threading.Event = field(default_factory=threading.Event)


class Watcher:
    """Runs syncs when they are due."""

    def __init__(self, *, sync: Sync, catalog: Catalog, settings: Settings) -> None:
        self._sync, self._catalog, self._settings = sync, catalog, settings

    def watch(
        self,
        sources: Sequence[NamedSource],
        stop: threading.Event,
        *,
        request: SyncRequest | None = None,
        every_s: float | None = None,
        on_report: Callable[[SyncReport], None] = lambda report: None,
        on_error: Callable[[str, SovereignError], None] = lambda name, error: None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep the index equal to `sources` until `stop` is set.

        Args:
            request: How each sync is made.
            every_s: Between two looks without an event. Unset: the source's schedule, else ten
                minutes.
            on_ready: Called once folders are watched and every source has been synced.
        """
        request = request or SyncRequest()
        watched = [_Watched(s, every_s or _interval_s(s) or EVERY_S, request) for s in sources]
        wake, ended = threading.Event(), threading.Event()
        folders = [w for w in watched if isinstance(w.source.section, FolderSource)]
        threads = [
            threading.Thread(target=self._events, args=(w, wake, ended), name="watch")
            for w in folders
        ]
        for thread in threads:
            thread.start()
        ready = False
        try:
            while not stop.is_set():
                wake.clear()
                now = time.monotonic()
                for each in watched:
                    if not stop.is_set() and (each.touched.is_set() or each.due <= now):
                        self._run(each, stop, on_report, on_error)
                if not ready:
                    ready = True
                    on_ready()
                _wait(stop, wake, _LOOK_S)
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def run_schedules(self, stop: threading.Event) -> None:
        """Sync each source when its schedule or somebody says so, until `stop`.

        Any number of processes may do so: which of them finds a source due first, syncs it. What
        is new is left to the workers. A paused source is synced when somebody asks alone.
        """
        not_before: dict[str, float] = {}
        while not stop.wait(_LOOK_S):
            try:
                self.sync_due(stop, not_before)
            except EnvironmentFault as error:
                log.warning("What is to be synced can't be looked up: %s", error)
                stop.wait(_RETRY_S)

    def sync_due(self, stop: threading.Event, not_before: dict[str, float]) -> None:
        """Sync what is due or wanted at this moment.

        Args:
            not_before: When sources that failed are tried again, on the monotonic clock, by name;
                kept from one call to the next.

        Raises:
            EnvironmentFault: The catalog does not answer.
        """
        plans = {plan.name: plan for plan in self._catalog.source_plans.all()}
        for source in all_sources(self._sync.named()).values():
            if stop.is_set():
                return
            try:
                if self._is_wanted(source, plans.get(source.name), not_before):
                    self._once(source, SyncRequest(work=False), stop)
            except Busy:
                continue
            except SovereignError as error:
                log.warning("The source %s was not synced: %s", source.name, error)
                not_before[source.name] = time.monotonic() + _RETRY_S

    def _is_wanted(
        self, source: NamedSource, plan: SourcePlan | None, not_before: Mapping[str, float]
    ) -> bool:
        """Whether to sync it now: what somebody asked for is taken upon oneself by that."""
        if plan is not None and plan.tenant == source.section.tenant:
            if plan.wanted is not None:
                return self._catalog.source_plans.take(plan)
            if plan.is_paused:
                return False
        return time.monotonic() >= not_before.get(source.name, 0.0) and self._is_due(source)

    def _is_due(self, source: NamedSource) -> bool:
        interval = source.section.interval
        if interval is None:
            return False
        record = self._catalog.sources.find(source.section.tenant, source.name)
        if record is None or record.started is None:
            return True
        return record.holder is None and datetime.now(UTC) - record.started >= interval

    def _once(self, source: NamedSource, request: SyncRequest, stop: threading.Event) -> SyncReport:
        owner = local_owner(source.section.tenant)
        return self._sync.sync(source, owner, request, stop=stop)

    def _run(
        self,
        each: _Watched,
        stop: threading.Event,
        on_report: Callable[[SyncReport], None],
        on_error: Callable[[str, SovereignError], None],
    ) -> None:
        each.touched.clear()  # before the look: what happens during it is looked at again
        each.due = time.monotonic() + each.every_s
        try:
            on_report(self._once(each.source, each.request, stop))
        except Busy:
            each.due = time.monotonic() + _LOOK_S
        except SovereignError as error:
            log.warning("The source %s was not synced: %s", each.source.name, error)
            each.due = time.monotonic() + min(_RETRY_S, each.every_s)
            on_error(each.source.name, error)

    def _events(self, each: _Watched, wake: threading.Event, ended: threading.Event) -> None:
        assert isinstance(each.source.section, FolderSource)
        folder = each.source.section.path.expanduser()
        while not ended.is_set():
            try:
                for _ in _changes(folder, ended):
                    each.touched.set()
                    wake.set()
            except OSError as error:  # unmounted, or no more watches to be had
                log.warning(
                    "%s can't be watched (%s); it is looked through every %.0f s. Perhaps "
                    "fs.inotify.max_user_watches is too low.",
                    folder,
                    error,
                    each.every_s,
                )
                ended.wait(_RETRY_S)


def _changes(folder: Path, ended: threading.Event) -> Iterator[object]:
    """One item for each burst of changes below `folder`; ends once `ended` is set."""
    from watchfiles import watch

    return iter(
        watch(
            folder,
            watch_filter=None,  # a sidecar is hidden, and counts
            stop_event=ended,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=500,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
    )


def _wait(stop: threading.Event, wake: threading.Event, seconds: float) -> None:
    """Until either event is set, or the time is over; `stop` is seen within a tenth of a second."""
    until = time.monotonic() + seconds
    while not stop.is_set() and time.monotonic() < until:
        if wake.wait(0.1):
            return


def _interval_s(source: NamedSource) -> float | None:
    interval = source.section.interval
    return None if interval is None else interval.total_seconds()
