"""`ask --chat`: one question after the other, each heard together with those before it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from sovereign_rag.cli.app import CommandRun, print_error
from sovereign_rag.errors import BadInput, Busy, GenerationError

if TYPE_CHECKING:
    from sovereign_rag.services.serialization.answers import AnswerOut

_QUIT: Final = frozenset({"/quit", "/exit", "/q"})
_NEW: Final = "/new"
_HELP: Final = "/new begins a new conversation, /quit or Ctrl-D ends, /help shows this."


def hold(
    run: CommandRun, first: str | None, answered: "Callable[[str, Sequence[AnswerOut]], AnswerOut]"
) -> None:
    """Ask for questions until there are no more; `first` is the first one, where there is one.

    A question that can't be answered now is told and the conversation goes on. Nothing of it is
    kept when it ends.

    Args:
        answered: Answers a question after the answers before it, oldest first, and shows it.
    """
    run.note(_HELP, style="dim")
    turns: list[AnswerOut] = []
    for asked in _questions(run, first):
        if asked == _NEW:
            turns = []
            run.note("A new conversation.", style="dim")
        elif asked.startswith("/"):
            run.note(_HELP, style="dim")
        else:
            try:
                turns.append(answered(asked, turns))
            except (BadInput, Busy, GenerationError) as error:
                print_error(error.code, str(error), as_json=run.json)


def _questions(run: CommandRun, first: str | None) -> Iterator[str]:
    if first is not None:
        yield first
    while True:
        if sys.stdin.isatty() and not run.json:
            run.err.print(Text("\n? ", "bold cyan"), end="")
        line = sys.stdin.readline()
        if not line or line.strip() in _QUIT:
            return
        if line.strip():
            yield line.strip()
