"""The tool that breaks the deciding code finds what it breaks."""

import importlib.util
from pathlib import Path


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
