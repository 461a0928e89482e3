"""Who may open which part of the console, asked by every page and by the navigation."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from sovereign_rag.access import Principal
from sovereign_rag.errors import Forbidden
from sovereign_rag.http.identity import CurrentPrincipal
from sovereign_rag.http.permissions import looks_after_the_machine, need_of_page


class Part(StrEnum):
    """A part of the console, in the order of its navigation; the value is its address."""

    OVERVIEW = ""
    DOCUMENTS = "documents"
    UPLOAD = "upload"
    JOBS = "jobs"
    SOURCES = "sources"
    WEBHOOKS = "webhooks"
    PEOPLE = "people"
    KEYS = "keys"
    QUALITY = "quality"
    USAGE = "usage"
    WORDS = "words"
    AUDIT = "audit"
    MODELS = "models"
    INDEX = "index"
    SETTINGS = "settings"

    @property
    def url(self) -> str:
        return f"/admin/{self.value}".rstrip("/")

    @property
    def key(self) -> str:
        """Its name among the words for people."""
        return self.value or "overview"


_OF_THE_MACHINE: Final = frozenset({Part.MODELS, Part.INDEX, Part.SETTINGS})
"""What concerns all tenants is shown to the admins of the house's own."""


def parts_of(principal: Principal) -> tuple[Part, ...]:
    """The parts that somebody may open; none: the console is not for them."""
    return tuple(
        part
        for part in Part
        if principal.may(*need_of_page(part.url))
        and (part not in _OF_THE_MACHINE or looks_after_the_machine(principal))
    )


def entering(part: Part) -> Callable[[Principal], Principal]:
    """A dependency: whoever calls, where they may open the part.

    Raises:
        Forbidden: They may not; also where they may open others.
    """

    def enter(principal: CurrentPrincipal) -> Principal:
        if part not in parts_of(principal):
            raise Forbidden("This part of the console is not open to you. Ask an admin.")
        return principal

    return enter
