"""How much a model may read follows how fast it was."""

from dataclasses import replace

import pytest

from sovereign_rag.answering.pace import Pace, Speed, Timed
from sovereign_rag.generation.protocol import Delta
from tests.exam.scripted import INFO

SMALL = replace(INFO, parameters=1_500_000_000)
LARGE = replace(INFO, name="large", parameters=7_200_000_000)
SERVER = replace(INFO, name="server", sha256="", parameters=0)


def test_until_it_answered_its_size_tells_and_a_server_is_held_for_fast() -> None:
    pace = Pace()

    small, large, server = (pace.of(model).reads for model in (SMALL, LARGE, SERVER))

    assert large == pytest.approx(19.4, abs=0.1)
    assert large < small < server


def test_writing_takes_its_part_of_the_time_and_none_may_be_left_for_reading() -> None:
    speed = Speed(reads=100, writes=10)

    assert speed.tokens_within(20) == 1_400
    assert speed.tokens_within(5) == 0


def test_an_answer_that_took_long_makes_the_next_one_read_less() -> None:
    pace = Pace()
    before = pace.of(SMALL)

    pace.note(SMALL, _timed(read=1_000, cached=0, read_s=100.0, written=11, write_s=10.0))

    after = pace.of(SMALL)
    assert after.reads == pytest.approx((before.reads + 10) / 2)
    assert after.writes == pytest.approx((before.writes + 1) / 2)


def test_what_was_kept_of_an_earlier_prompt_tells_nothing_about_speed() -> None:
    pace = Pace()
    before = pace.of(SMALL)

    pace.note(SMALL, _timed(read=1_000, cached=990, read_s=0.1, written=1, write_s=0.0))

    assert pace.of(SMALL) == before


def _timed(*, read: int, cached: int, read_s: float, written: int, write_s: float) -> Timed:
    last = Delta("", "stop", prompt_tokens=read, cached_tokens=cached, completion_tokens=written)
    return Timed(begun=0.0, first=read_s, ended=read_s + write_s, last=last)
