"""A service or a worker tells the catalog that it lives, and is refused where it must be alone."""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.processes import TELL_EVERY_S, ProcessRecord
from sovereign_rag.errors import EnvironmentFault, SettingsError
from sovereign_rag.settings import Settings
from sovereign_rag.system.holder import holder_name
from sovereign_rag.version import VERSION

log = logging.getLogger(__name__)

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def present(
    settings: Settings, catalog: Catalog, kind: Literal["serve", "worker"]
) -> Iterator[None]:
    """Tell of this process for as long as it is in here.

    Raises:
        SettingsError: Another machine uses the same catalog, and what one of them stores the
            other would not find.
    """
    process = this_process(settings, kind)
    refuse_second_machine(settings, process.host, catalog.processes.alive())
    catalog.processes.tell(process)
    leaving = threading.Event()
    teller = threading.Thread(target=_tell, args=(catalog, process, leaving), name="presence")
    teller.start()
    try:
        yield
    finally:
        leaving.set()
        teller.join()
        try:
            catalog.processes.leave(process.name)
        except EnvironmentFault as fault:
            log.warning("Others take this process for one that lives, for a minute: %s", fault)


def this_process(settings: Settings, kind: str) -> ProcessRecord:
    """As it tells of itself."""
    now = datetime.now(UTC)
    return ProcessRecord(
        name=holder_name(),
        kind=kind,
        host=this_host(),
        hostname=socket.gethostname(),
        version=VERSION,
        data_dir=str(settings.data_dir),
        started=now,
        seen=now,
    )


def this_host() -> str:
    """The machine: the same in every container on it, another after it was started anew."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:  # no Linux
        return f"{socket.gethostname()}-{os.getuid()}"


def refuse_second_machine(settings: Settings, host: str, others: Sequence[ProcessRecord]) -> None:
    """See that nothing is used from two machines that only one can have.

    Raises:
        SettingsError: SQLite or the embedded engine, and processes of another machine over the
            same catalog.
    """
    elsewhere = sorted({other.hostname for other in others if other.host != host})
    alone = only_for_one(settings)
    if elsewhere and alone:
        raise SettingsError(
            f"{', '.join(elsewhere)} uses this catalog too, and {alone[0]} is for one machine. "
            f"For several, set {alone[1]}; else stop the processes there (`sovereign-rag workers` "
            "shows them)."
        )


def only_for_one(settings: Settings) -> tuple[str, str] | None:
    """What of the settings one machine alone can have, and the setting that cures it."""
    url = settings.catalog.url
    if url is None or url.get_secret_value().startswith("sqlite"):
        return "the catalog in SQLite", "catalog.url to a PostgreSQL database"
    if not settings.store.addresses:
        return "the embedded engine", "store.url to a Qdrant server"
    return None


def _tell(catalog: Catalog, process: ProcessRecord, leaving: threading.Event) -> None:
    while not leaving.wait(TELL_EVERY_S):
        try:
            catalog.processes.tell(process)
        except EnvironmentFault as fault:
            log.warning("This process could not tell that it lives: %s", fault)
