"""The live index and another one, asked the same questions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.errors import NotFound
from sovereign_rag.evaluation.compare import Comparison, compare
from sovereign_rag.evaluation.indexes import run_over
from sovereign_rag.evaluation.scratch import ScratchIndex
from sovereign_rag.services.maintenance import Handler, Steps
from sovereign_rag.wiring import Application, open_service


def compare_indexes(
    service: Application,
    index: IndexRecord,
    questions: Path,
    *,
    limit: int | None,
    on_progress: Callable[[int, int], None],
) -> Comparison:
    """Ask both; `on_progress` is called after each question of each.

    Raises:
        BadInput: The questions can't be read, or are about other texts.
    """
    folder, runs = service.settings.data_dir / "reindex", []
    for record in (service.catalog.indexes.live(), index):
        opened = service.indexes.open(record)
        with open_service(service.settings, embedder=opened.embedder, index=record.id) as asked:
            runs.append(
                run_over(
                    ScratchIndex(asked),
                    questions,
                    folder / f"index-{record.id}.json",
                    spec=opened.spec.plain,
                    limit=limit,
                    on_progress=on_progress,
                )
            )
    return compare(*runs)


def comparing(service: Application) -> Handler:
    """The console's comparison: of an index that is built with the live one."""

    def work(detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        index = service.reindexing.unfinished()
        if index is None:
            raise NotFound("No index was built to compare with. Build one first.")
        compared = compare_indexes(
            service, index, Path(detail["questions"]), limit=None, on_progress=steps
        )
        found = compared.deciding
        return {
            "index": index.id,
            "measure": found.measure,
            "questions": found.questions,
            "before": round(found.before, 4),
            "after": round(found.after, 4),
            "p": round(found.p, 4),
        }

    return work
