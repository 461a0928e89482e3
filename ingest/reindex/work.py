"""What the console has done with indexes: built, switched to, gone back to, removed."""

from collections.abc import Callable, Mapping
from typing import Any

from ingest.reindex.build import BuildProgress, Built, Reindexing
from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.errors import EnvironmentFault, NotFound
from sovereign_rag.services.maintenance import Handler, Steps


def index_work(
    reindexing: Callable[[], Reindexing], catalog: Catalog, wanted: Callable[[], IndexSpec]
) -> dict[str, Handler]:
    """The kinds of work by name. `wanted` gives what the settings ask for."""

    def build(detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        work = reindexing()
        with work.lease() as lease:
            work.finish_interrupted()
            index = work.begin(wanted())
            built = work.build(index, lease, on_progress=_telling(steps), stop=steps.stop)
        return _whole(built, steps)

    def go_over(index: IndexRecord, steps: Steps) -> Mapping[str, Any]:
        work = reindexing()
        with work.lease() as lease:
            work.finish_interrupted()
            built = work.switch(
                index, local_owner(), lease, on_progress=_telling(steps), stop=steps.stop
            )
        return _whole(built, steps)

    def switch(detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        index = reindexing().unfinished()
        if index is None:
            raise NotFound("No index was built to switch to. Build one first.")
        return go_over(index, steps)

    def back(detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        return go_over(reindexing().previous(), steps)

    def drop(detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        work = reindexing()
        with work.lease():
            work.finish_interrupted()
            doomed = [r for r in catalog.indexes.all() if r.state is not IndexState.LIVE]
            for record in doomed:
                work.drop(record)
        return {"dropped": [record.id for record in doomed]}

    return {"reindex": build, "switch": switch, "back": back, "drop": drop}


def _telling(steps: Steps) -> Callable[[BuildProgress], None]:
    return lambda now: steps.note(now.done, now.total)


def _whole(built: Built, steps: Steps) -> Mapping[str, Any]:
    """What became of it, without a document's name: not every admin may read each.

    Raises:
        EnvironmentFault: Documents are lacking, and nothing was switched.
    """
    if built.stopped:
        steps.go_on()
    if built.lacking:
        raise EnvironmentFault(
            f"{len(built.lacking)} documents can't be written into index {built.index.id}, so "
            "nothing was switched. `sovereign-rag reindex` names them with the reasons."
        )
    told = {"documents": built.coverage.documents, "chunks": built.coverage.written}
    return {"index": built.index.id, **told, "seconds": built.seconds}
