"""The tool that breaks the deciding code finds what it breaks, and the planner's table is shown."""

import importlib.util
import sys
from pathlib import Path


def test_the_planning_table_is_what_the_tool_says(repository: Path) -> None:
    path = repository / "tools" / "plan_scale.py"
    spec = importlib.util.spec_from_file_location("plan_scale", path)
    assert spec is not None
    assert spec.loader is not None
    planner = importlib.util.module_from_spec(spec)
    sys.modules["plan_scale"] = planner  # dataclasses look their module up
    spec.loader.exec_module(planner)

    assert planner.table() in (repository / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_every_mutant_breaks_one_place(repository: Path) -> None:
    spec = importlib.util.spec_from_file_location("mutants", repository / "tools" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    mutants = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mutants)

    found = {
        mutant.what: (repository / mutant.file).read_text(encoding="utf-8").count(mutant.old)
        for mutant in mutants.MUTANTS
    }

    assert len(found) == len(mutants.MUTANTS) > 20
    assert set(found.values()) == {1}, found
