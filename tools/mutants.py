"""Break the code that decides who reads what, one place at a time, and see that the tests notice.

Each mutant is a copy of the product with one condition dropped, turned or widened; the tests of
tests/rights are run against it and have to fail. Prints one line a mutant; exits with 1 if one
survives. With words, only the mutants are tried whose description holds one of them.

    .venv/bin/python tools/mutants.py [WORD ...]
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("sovereign_rag", "ingest", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """One way to break it."""

    what: str
    file: str
    old: str
    new: str


ACCESS, FILTERS = "sovereign_rag/access.py", "sovereign_rag/store/filters.py"
QDRANT, MEMORY = "sovereign_rag/store/qdrant.py", "sovereign_rag/store/memory.py"
CATALOG, JOBS = "sovereign_rag/catalog/documents.py", "sovereign_rag/services/jobs.py"
KEYS = "sovereign_rag/store/embedded/access_keys.py"
SEARCHING, DOCUMENTS = "sovereign_rag/services/search.py", "sovereign_rag/services/documents.py"

_ACCESS = '__import__("sovereign_rag.access").access'
AS_OWNER = f"{_ACCESS}.read_scope({_ACCESS}.local_owner(principal.tenant))"

MUTANTS = (
    Mutant("the rule forgets the tenant", ACCESS, "tenant=tenant == self.tenant", "tenant=True"),
    Mutant("the rule forgets the level", ACCESS, "cleared=level <= self.clearance", "cleared=True"),
    Mutant("the rule takes a level too high", ACCESS, "level <= self", "level <= 1 + self"),
    Mutant("the rule takes a level too low", ACCESS, "level <= self", "level < self"),
    Mutant(
        "the rule forgets the readers",
        ACCESS,
        "self.labels.intersection(readers)",
        "self.labels.union(readers)",
    ),
    Mutant(
        "all labels instead of any",
        ACCESS,
        "self.labels.intersection(readers)",
        "self.labels if self.labels >= set(readers) else frozenset()",
    ),
    Mutant(
        "a group counts as a user",
        ACCESS,
        'f"group:{group}" for group',
        'f"user:{group}" for group',
    ),
    Mutant(
        "everybody is the owner", ACCESS, "if self.is_owner else frozenset(own)", "if True else 0"
    ),
    Mutant("nobody is everyone", ACCESS, "own = {EVERYONE, ", "own = {"),
    Mutant("the search forgets the tenant", FILTERS, 'equals("tenant", scope.tenant),', ""),
    Mutant("the search forgets the readers", FILTERS, 'any_of("readers", scope.labels),', ""),
    Mutant(
        "the search forgets the level",
        FILTERS,
        "range=models.Range(lte=scope.clearance)",
        "range=models.Range(gte=0)",
    ),
    Mutant("any condition will do", FILTERS, "must=must, must_not", "should=must, must_not"),
    Mutant("a filter's labels open more", FILTERS, "labels & scope.labels", "labels"),
    Mutant(
        "chunks that are named are all chunks",
        FILTERS,
        "must.append(models.HasIdCondition(has_id=sorted(search_filter.chunks)))",
        "pass",
    ),
    Mutant("what is excluded is kept", FILTERS, "if excluded else None", "if False else None"),
    Mutant(
        "who may read most of a tenant reads all of it",
        KEYS,
        "must_not=[*_listed(given.must_not), unreadable]",
        "must_not=[*_listed(given.must_not)]",
    ),
    Mutant(
        "the readable number by number are all of a tenant",
        KEYS,
        '{"must": [readable, *others]}',
        '{"must": [whole, *others]}',
    ),
    Mutant(
        "the reference forgets the rule",
        MEMORY,
        "if scope.allows(tenant=c.tenant, readers=c.readers, level=c.level)",
        "if True",
    ),
    Mutant(
        "the catalog forgets the tenant",
        CATALOG,
        "documents.c.tenant == tenant,\n        documents.c.level",
        "documents.c.level",
    ),
    Mutant("the catalog forgets the level", CATALOG, "documents.c.level <= clearance,", ""),
    Mutant(
        "the catalog forgets the readers",
        CATALOG,
        "exists().where(document_readers.c.document_id == documents.c.id, label.in_(labels)),",
        "",
    ),
    Mutant(
        "jobs are everybody's",
        JOBS,
        "None if principal.is_admin else principal.label",
        "None",
    ),
    Mutant(
        "a job is whoever's that knows its id",
        JOBS,
        "if not principal.is_admin and job.submitted_by != principal.label:",
        "if False:",
    ),
    Mutant(
        "a job names all its documents",
        JOBS,
        "    if job.submitted_by == principal.label:",
        "    if True:",
    ),
    Mutant(
        "counts are those of the owner",
        SEARCHING,
        "self._store.facet(field, scope, counted_in)",
        f"self._store.facet(field, {AS_OWNER}, counted_in)",
    ),
    Mutant(
        "counts are not on the record",
        SEARCHING,
        'self._audit.append(entry("search.facets", principal, detail))',
        "pass",
    ),
    Mutant(
        "a document is whoever's that knows its id",
        DOCUMENTS,
        "self._catalog.documents.get(document_id, read_scope(principal))",
        f"self._catalog.documents.get(document_id, {AS_OWNER})",
    ),
    Mutant(
        "the listing is the owner's",
        DOCUMENTS,
        "self._catalog.lists.page(query, read_scope(principal),",
        f"self._catalog.lists.page(query, {AS_OWNER},",
    ),
)


def main() -> int:
    words = sys.argv[1:]
    tried = [m for m in MUTANTS if not words or any(word in m.what for word in words)]
    survivors = [mutant.what for mutant in tried if not _is_noticed(mutant)]
    print(f"{len(tried) - len(survivors)} of {len(tried)} were noticed")
    return 1 if survivors else 0


def _is_noticed(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, copy / name)
        file = copy / mutant.file
        text = file.read_text(encoding="utf-8")
        if text.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.file} has not exactly one {mutant.old!r}")
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        result = subprocess.run(
            [*command, "tests/rights"],
            cwd=copy,
            env={"PATH": os.defpath, "HOME": str(Path.home()), "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    noticed = result.returncode == 1  # 1: tests failed; anything else is no verdict
    if result.returncode not in (0, 1):
        raise SystemExit(result.stdout[-2_000:] + result.stderr[-2_000:])
    last = next((line for line in result.stdout.splitlines() if line.startswith("FAILED")), "")
    print(f"{'noticed ' if noticed else 'SURVIVED'}  {mutant.what}  {last[7:120]}", flush=True)
    return noticed


if __name__ == "__main__":
    sys.exit(main())
