"""What the console has done with models: an exam, an import."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sovereign_rag.exam.result import ExamResult
from sovereign_rag.exam.run import examine, with_model
from sovereign_rag.generation.smoke_test import try_model
from sovereign_rag.models.importing import TryOut, import_model
from sovereign_rag.models.registry import Registry
from sovereign_rag.services.maintenance import Handler, Steps
from sovereign_rag.settings import Settings


def model_work(
    settings: Callable[[], Settings], *, try_out: TryOut = try_model
) -> dict[str, Handler]:
    """The kinds of work by name. `settings` gives those of the moment."""

    def sit(detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        named = detail["model"]
        its = with_model(settings(), named) if named else settings()
        return told(examine(its, again=True, on_wait=steps.go_on, on_progress=steps))

    def bring(detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        registry = Registry(settings().models_dir)
        file, name = Path(detail["file"]), detail["name"]
        model = import_model(file, registry, try_out=try_out, name=name, progress=steps)
        return {"name": model.name, "sha256": model.sha256, "hash_from": model.hash_from}

    return {"exam": sit, "import": bring}


def told(result: ExamResult) -> dict[str, Any]:
    """What an exam gave, for a list and the record."""
    score = result.score()
    return {
        "model": result.model,
        "questions": score.questions,
        "right": score.right,
        "extracts_right": score.extracts_right,
        "trusted": result.trust().trusted,
    }
