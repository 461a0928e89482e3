"""Parts of the service are made when they are first needed, and once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sovereign_rag.domain import PageCharacter
from sovereign_rag.errors import ModelMissing
from sovereign_rag.services.container import Service
from sovereign_rag.services.parts import part
from sovereign_rag.settings import Settings


class Kitchen(Service):
    """A service with a part that takes a while, and one that fails the first time."""

    made = 0

    @part
    def slow(self) -> object:
        time.sleep(0.05)
        self.made += 1
        return object()

    @part
    def moody(self) -> object:
        self.made += 1
        if self.made == 1:
            raise ModelMissing("Not yet.")
        return object()


class NoRenderer:
    key = "p0-none"

    def render_page(self, path: object, page: int, *, dpi: int, media_type: str) -> bytes:
        raise AssertionError("nothing is drawn here")

    def page_characters(self, path: object, page: int) -> tuple[PageCharacter, ...]:
        raise AssertionError("nothing is read here")


@pytest.fixture
def kitchen(product_settings: Callable[..., Settings]) -> Kitchen:
    return Kitchen(product_settings(), renderer=NoRenderer())


def test_a_part_that_many_ask_for_at_once_is_made_once(kitchen: Kitchen) -> None:
    start = threading.Barrier(8)

    def ask(_: int) -> object:
        start.wait()
        return kitchen.slow

    with ThreadPoolExecutor(8) as pool:
        given = set(pool.map(ask, range(8)))

    assert len(given) == 1
    assert kitchen.made == 1
    kitchen.close()


def test_a_part_that_could_not_be_made_is_made_by_the_next_who_asks(kitchen: Kitchen) -> None:
    with pytest.raises(ModelMissing):
        _ = kitchen.moody

    assert kitchen.moody is kitchen.moody
    kitchen.close()
