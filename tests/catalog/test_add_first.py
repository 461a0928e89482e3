"""Each step of the schema adds first: what the version before reads and writes goes on working.

Two versions stand side by side for one upgrade, over one catalog that the newer has brought up to
date. So a step leaves every table and column, and what it adds to one may be left out by a writer
who does not know of it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn

from sovereign_rag.catalog import migrate
from sovereign_rag.catalog.migrate import upgrade_to

Schema = dict[str, dict[str, ReflectedColumn]]
KEPT_SINCE = "0012"  # the steps before it are of the first version


def revisions() -> list[str]:
    """Oldest first."""
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'catalog.sqlite3'}")
    yield engine
    engine.dispose()


def at(engine: Engine, revision: str) -> Schema:
    with engine.begin() as connection:
        upgrade_to(connection, revision)
        found = inspect(connection)
        return {
            table: {column["name"]: column for column in found.get_columns(table)}
            for table in found.get_table_names()
        }


def uniques(engine: Engine, table: str) -> set[tuple[str, ...]]:
    with engine.connect() as connection:
        found = inspect(connection)
        indexes = {tuple(i["column_names"]) for i in found.get_indexes(table) if i["unique"]}
        named = {tuple(u["column_names"]) for u in found.get_unique_constraints(table)}
        return {tuple(map(str, names)) for names in indexes | named}


def may_be_left_out(column: ReflectedColumn) -> bool:
    return bool(column["nullable"]) or column["default"] is not None


def test_a_step_takes_nothing_away_and_asks_nothing_of_who_does_not_know_it(
    engine: Engine,
) -> None:
    steps = revisions()
    before = at(engine, KEPT_SINCE)
    unique = {table: uniques(engine, table) for table in before}

    for step in steps[steps.index(KEPT_SINCE) + 1 :]:
        after = at(engine, step)
        for table, columns in before.items():
            assert columns.keys() <= after[table].keys(), f"{step} takes from {table}"
            for name, column in after[table].items():
                known = columns.get(name)
                if known is None:
                    assert may_be_left_out(column), f"{step} asks for {table}.{name}"
                else:
                    assert str(known["type"]) == str(column["type"]), f"{step}: {table}.{name}"
                    assert may_be_left_out(column) >= may_be_left_out(known), f"{table}.{name}"
            assert uniques(engine, table) <= unique[table], f"{step} forbids in {table}"
        before = after
        unique = {table: uniques(engine, table) for table in before}
