"""What changed in the catalog, told by PostgreSQL as it is committed: nobody has to look for it.

Triggers on the tables send a word (`NOTIFY`) with each change, whoever makes it; one connection of
each process listens. On SQLite, and where a pooler stands between that passes no such words on,
nobody tells, and everybody looks now and then, as they do rarely in any case.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sovereign_rag.catalog.database import Database
from sovereign_rag.errors import EnvironmentFault

log = logging.getLogger(__name__)

CHANNEL: Final = "sovereign_rag"
CALLERS: Final = "callers"  # keys and sessions


def of_job(job_id: str) -> str:
    """The job itself, or one of its tasks."""
    return f"job:{job_id}"


_RETRY_S: Final = 5.0
_SILENT_S: Final = 30.0  # then the connection is tried: it may be dead without a word
_ANSWER_S: Final = 5.0  # how soon a word of our own has to come back
_MOST: Final = 10_000  # things of which the last change is remembered


class Signals:
    """For any number of threads. The connection is made when somebody first asks."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._changing = threading.Lock()
        self._number = 0  # of the last word
        self._last: dict[str, int] = {}  # the last word on a thing
        self._all_since = 0  # words up to this one may have been missed
        self._is_told = False
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_told(self) -> bool:
        """Whether changes are told at this moment; else one has to look."""
        self._start()
        with self._changing:
            return self._is_told

    def mark(self) -> int:
        """This moment, for `changed`."""
        self._start()
        with self._changing:
            return self._number

    def changed(self, since: int, *things: str) -> bool:
        """Whether one of the things may have changed since a mark; where nobody tells: yes."""
        with self._changing:
            if not self._is_told or since < self._all_since:
                return True
            return any(self._last.get(thing, 0) > since for thing in things)

    def close(self) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._database.is_sqlite or self._thread is not None:
            return
        with self._changing:
            if self._thread is None and not self._leaving.is_set():
                self._thread = threading.Thread(target=self._run, name="signals", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                self._listen()
            except EnvironmentFault as fault:
                log.info("The catalog tells no changes for now, and is looked at: %s", fault)
            except Exception:  # a defect of ours costs the words, not who waits for them
                log.exception("The catalog's words are not heard; it is looked at")
            self._set_told(False)
            self._leaving.wait(_RETRY_S)

    def _listen(self) -> None:
        """Until the connection is lost, or passes no words on."""
        with self._database.listening(CHANNEL) as line:
            self._database.say(CHANNEL, "hello")
            heard = self._clock()
            asked: float | None = heard
            while not self._leaving.is_set():
                for word in line.words(timeout_s=1.0):
                    heard, asked = self._clock(), None
                    self._set_told(True)
                    self._note(word)
                now = self._clock()
                if asked is None and now - heard > _SILENT_S:
                    self._database.say(CHANNEL, "hello")
                    asked = now
                elif asked is not None and now - asked > _ANSWER_S:
                    if not self._is_told:
                        log.info("A pooler before the catalog passes no words on: it is looked at")
                        self._leaving.wait(_SILENT_S * 10)
                    return

    def _note(self, word: str) -> None:
        with self._changing:
            self._number += 1
            self._last.pop(word, None)
            self._last[word] = self._number
            while len(self._last) > _MOST:
                del self._last[next(iter(self._last))]

    def _set_told(self, is_told: bool) -> None:
        with self._changing:
            if is_told == self._is_told:
                return
            self._number += 1
            self._is_told, self._all_since = is_told, self._number
