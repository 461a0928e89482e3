"""What servers of the own network compute, held against a model here, before it is used."""

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from sovereign_rag.errors import EnvironmentFault, ModelError

log = logging.getLogger(__name__)

_NOT_YET: Final = "limited: its servers are not used before they were compared with the model here"
_OTHERWISE: Final = "its servers compute otherwise than the model here; see `sovereign-rag doctor`"


@runtime_checkable
class Compared(Protocol):
    """A part of the product that is computed elsewhere."""

    def trouble(self) -> str | None:
        """Why its servers are not used; None: they are, or nobody has asked for it yet.

        Names no address: it is shown to whoever asks whether the service is up.
        """
        ...


class Comparison:
    """Passed once in a process; for any threads.

    A process that answers people begins it when it starts, and a thread of its own tries until it
    passes: nobody waits for the model here to be loaded. In others the first to ask makes it.
    """

    def __init__(self, compare: Callable[[], None], *, section: str, again_s: float) -> None:
        """
        Args:
            compare: Raises ModelError where they differ, EnvironmentFault where no server answers.
            section: Of the settings, for the log.
            again_s: Between two tries of the thread.
        """
        self._compare, self._section, self._again_s = compare, section, again_s
        self._one_at_a_time = threading.Lock()
        self._is_passed = False
        self._refusal: str | None = None
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Have a thread make it. Once begun, further calls do nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._try, name=self._section, daemon=True)
            self._thread.start()

    def has_passed(self, *, may_wait: bool) -> bool:
        """Whether the servers may be used; False: a thread is at it, and who asks isn't to wait.

        Raises:
            ModelError: They compute otherwise.
            EnvironmentFault: No server answers who may wait.
        """
        if self._is_passed:
            return True
        if self._thread is None or may_wait:
            self._make()
        elif self._refusal is not None:
            raise ModelError(self._refusal)
        return self._is_passed

    def trouble(self) -> str | None:
        """As `Compared` has it."""
        if self._is_passed or self._thread is None:
            return None
        return _NOT_YET if self._refusal is None else _OTHERWISE

    def close(self) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()

    def _make(self) -> None:
        with self._one_at_a_time:
            if not self._is_passed:  # else somebody else has compared meanwhile
                self._compare()
                self._is_passed = True

    def _try(self) -> None:
        said = ""
        while not self._is_passed:
            try:
                self._make()
            except (ModelError, EnvironmentFault) as error:
                self._refusal = str(error) if isinstance(error, ModelError) else None
                if str(error) != said:
                    said = str(error)
                    log.warning("The servers of %s are not used yet: %s", self._section, said)
            except Exception:  # a defect of ours: a thread that ended would tell nobody
                log.exception("The servers of %s could not be compared", self._section)
            if not self._is_passed and self._leaving.wait(self._again_s):
                return
        log.info("The servers of %s compute as the model here; they are used", self._section)
