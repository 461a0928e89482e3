"""Settings that every process follows within seconds, as the console changed them."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, Final

from sovereign_rag.catalog.setting_values import SettingValues
from sovereign_rag.errors import CatalogError
from sovereign_rag.settings import Settings
from sovereign_rag.settings.running import changed

EVERY_S: Final = 2.0
"""How often the catalog is asked."""


class RunningSettings:
    """The settings of the start, with what was changed since."""

    def __init__(
        self,
        base: Settings,
        rows: SettingValues,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises CatalogError."""
        self.base, self._rows, self._clock = base, rows, clock
        self._guard = Lock()
        self._values: dict[str, Any] = {}
        self._settings = base
        self._looked = float("-inf")
        self.follow(at_once=True)

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def values(self) -> dict[str, Any]:
        """What the console says, by name."""
        return dict(self._values)

    def follow(self, *, at_once: bool = False) -> bool:
        """Look whether something was changed; gives whether it was.

        Raises:
            CatalogError: It can't be asked; what was known last holds.
        """
        if not at_once and self._clock() - self._looked < EVERY_S:
            return False
        with self._guard:
            if not at_once and self._clock() - self._looked < EVERY_S:
                return False
            self._looked = self._clock()
            said = {row.name: row.value["value"] for row in self._rows.all() if row.value}
            if said == self._values:
                return False
            self._settings, self._values = changed(self.base, said), said
            return True


class FollowsSettings(ABC):
    """A container whose settings may change while it runs."""

    running: RunningSettings

    @property
    def settings(self) -> Settings:
        """As they are now: some are changed on the console while the service runs."""
        return self.running.settings

    def follow_settings(self, *, at_once: bool = False) -> None:
        """Take up what was changed on the console, by whichever process; asked every few seconds.

        While the catalog does not answer, what was known last holds.
        """
        with suppress(CatalogError):
            if self.running.follow(at_once=at_once):
                self.take_up_settings()

    @abstractmethod
    def take_up_settings(self) -> None:
        """Have parts that were made by other settings made anew, when they are next asked for."""
