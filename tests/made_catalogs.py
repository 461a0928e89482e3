"""Catalogs on SQLite begin as a copy of one that the product has made: thirty revisions cost more
than most tests.

`tests/catalog/test_database.py` and each program that tests start go the product's own way.
"""

import tempfile
import threading
from functools import cache
from pathlib import Path

from sovereign_rag.catalog import migrate
from sovereign_rag.catalog.database import FILE_NAME, Database
from sovereign_rag.settings import Settings

_lock = threading.Lock()


def upgrade(database: Database) -> None:
    """In the place of the product's; see there."""
    if database.is_sqlite and database.url.database:
        file = Path(database.url.database)
        with _lock:
            if file.exists() and file.stat().st_size == 0:
                file.write_bytes(_made())
    migrate.upgrade(database)


@cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        database = Database.of(Settings(data_dir=Path(folder)))
        migrate.upgrade(database)
        database.close()
        return (Path(folder) / FILE_NAME).read_bytes()
