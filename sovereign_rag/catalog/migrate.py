"""The schema brought to this version of the code, once, however many processes start."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from sovereign_rag.catalog.database import Database
from sovereign_rag.errors import CatalogError

HEAD: Final = "0034"
"""The newest revision in `migrations/versions`; said here so that an ordinary start, which finds
it in the database, need not import Alembic."""

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Bring the database to `HEAD`; nothing is done if it is there.

    Raises:
        CatalogError: A newer version of the product made it.
    """
    with database.reading() as connection:
        current = revision_of(connection)
    if current == HEAD:
        return
    # Processes that start together wait for each other here: a writing transaction is alone.
    with database.writing(patient=True) as connection:
        upgrade_to(connection, "head")


def upgrade_to(connection: Connection, revision: str) -> None:
    """Bring the database to `revision`, in the transaction that is under way.

    Raises:
        CatalogError: A newer version of the product made it, or that revision.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    for named in (revision_of(connection), revision):
        if named is not None and named not in {*known, "head"}:
            raise CatalogError(
                f"The catalog was made by a newer version of Sovereign RAG (schema {named}; "
                f"this version knows up to {HEAD}). Install that version, or restore the backup "
                "from before the upgrade."
            )
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def revision_of(connection: Connection) -> str | None:
    """The revision that a database has; None: it holds no catalog."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
