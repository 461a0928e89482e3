"""What stands below each auditors' question is what its command prints."""

from typing import Any

import pytest

from tests.compliance.page import SHOWN, TOOL

pytestmark = [pytest.mark.model, pytest.mark.namespace]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Every question answered once, over one installation, but those of other tests."""
    folder = tmp_path_factory.mktemp("installation")
    found: list[Any] = TOOL["answered"](folder, but=TOOL["OF_TESTS"])
    return found


def lines(text: str) -> list[str]:
    """In no order: the ids that some commands sort by differ from one installation to the next."""
    return sorted(text.splitlines())


def test_each_question_is_answered_by_its_command_as_the_page_shows(answers: list[Any]) -> None:
    section = TOOL["section"]
    stale = [
        answer.number
        for answer in answers
        if not answer.is_of_the_machine
        and lines(SHOWN.get(str(answer.number), "")) != lines(section(answer).partition("\n\n")[2])
    ]

    assert len(answers) + len(TOOL["OF_TESTS"]) == len(SHOWN) >= 25
    assert stale == [], "run `.venv/bin/python tools/auditors_answers.py`, and look at the change"


def test_what_tells_of_the_machine_is_answered_and_shown(answers: list[Any]) -> None:
    of_the_machine = [answer for answer in answers if answer.is_of_the_machine]

    assert of_the_machine
    for answer in of_the_machine:
        assert answer.text
        assert SHOWN[str(answer.number)].startswith(f"```\n$ {answer.command}\n")
