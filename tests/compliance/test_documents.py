"""The control map and the auditors' questions name commands and tests that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sovereign_rag.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "compliance"


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words, groups that do something by themselves among them."""
    if not hasattr(group, "commands"):
        yield before.strip(), group
        return
    if group.invoke_without_command:
        yield before.strip(), group
    for name, inner in group.commands.items():
        yield from commands(inner, f"{before} {name}")


COMMANDS = dict(commands(typer.main.get_command(app)))
QUESTIONS = re.findall(
    r"^\| \d+ \| (.+?) \| `sovereign-rag (.+?)` \|$",
    (DOCS / "questions.md").read_text("utf-8"),
    re.M,
)
ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|\n ").split(" | ")]
    for line in (DOCS / "control-map.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| article", "| control", "| recomm"))
]


def test_there_are_enough_questions_each_asked_once() -> None:
    assert len(QUESTIONS) >= 25
    assert len({question for question, _ in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize(("question", "line"), QUESTIONS)
def test_a_question_is_answered_by_a_command_with_options_that_it_has(
    question: str, line: str
) -> None:
    words = shlex.split(line)
    name = max((n for n in COMMANDS if words[: len(n.split())] == n.split()), key=len, default=None)
    assert name is not None, f"no command answers {question!r}"
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts}

    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_line_of_the_control_map_names_what_exists(row: list[str]) -> None:
    _, _, command, test, operator = row
    file, _, name = test.partition("::")

    assert command == "–" or command in COMMANDS
    assert operator
    assert (ROOT / file).is_file()
    assert not name or f"def {name}(" in (ROOT / file).read_text("utf-8")
