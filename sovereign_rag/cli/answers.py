"""Answers and passages as a person reads them in a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from sovereign_rag.cli.app import CommandRun
from sovereign_rag.cli.output import print_json, safe
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.text.readable import readable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sovereign_rag.client.events import AnswerEvent
    from sovereign_rag.services.serialization.answers import (
        AnswerOut,
        CitationOut,
        OtherVersionOut,
        PassageOut,
    )
    from sovereign_rag.text.locale import Locale

_DRAFT_LINES: Final = 8  # of an answer in the making; a longer one would not fit everywhere


def follow(run: CommandRun, events: "Iterator[AnswerEvent]") -> "AnswerOut":
    """Show an answer as it comes into being, and take the view away when it is done.

    What is on its way is not checked yet, so it is shown on stderr and on a terminal alone.
    """
    from sovereign_rag.client.events import Draft, Extract, Finished, Found

    status, quotes, draft = "Searching …", list[str](), ""
    with _view(run, _in_the_making(status, quotes, draft)) as view:
        for event in events:  # the first of which may load models
            match event:
                case Found(passages):
                    status = f"{len(passages)} passages found; reading …"
                case Extract(statement):
                    quotes.append(statement.text)
                case Draft(text):
                    status, draft = "Writing; not checked yet …", draft + text
                case Finished(answer):
                    return answer
            view.update(_in_the_making(status, quotes, draft))
    raise EnvironmentFault("The service ended its answer in the middle. Ask again.")


def _view(run: CommandRun, first: "RenderableType") -> "Live | _Unseen":
    if run.json or not run.err.is_terminal:
        return _Unseen()
    return Live(first, console=run.err, transient=True, refresh_per_second=8)


class _Unseen:
    """Stands in for the live view where nobody looks."""

    def __enter__(self) -> "_Unseen":
        return self

    def __exit__(self, *exception: object) -> None:
        return

    def update(self, renderable: "RenderableType") -> None:
        return


def _in_the_making(status: str, quotes: Sequence[str], draft: str) -> "RenderableType":
    if draft:
        lines = safe(draft).splitlines()[-_DRAFT_LINES:]
    else:
        lines = [f"“{safe(readable(quote), one_line=True)}”" for quote in quotes]
    return Group(Text(status, style="dim"), *(Text(line, style="italic") for line in lines))


def print_answer(run: CommandRun, answer: "AnswerOut", *, one_line: bool = False) -> None:
    """The answer, where it comes from, and which kind of answer it is; or its JSON.

    `one_line` puts the JSON on a single line, for a program that reads one answer after another.
    """
    if run.json:
        print_json(answer.plain(), indent=None if one_line else 2)
    else:
        _print_answer(run, answer)


def _print_answer(run: CommandRun, answer: "AnswerOut") -> None:
    from sovereign_rag.domain import AnswerKind, Verdict, section_name
    from sovereign_rag.text.locale import nearest_locale

    words = nearest_locale(answer.language)
    if answer.follow_up is not None:
        _print(run, Text(f"Understood as: {safe(answer.follow_up.question, one_line=True)}", "dim"))
    numbers = {citation: n for n, citation in enumerate(dict.fromkeys(answer.citations), start=1)}
    if answer.kind.is_prose:
        for statement in answer.statements:
            line = Text(safe(statement.text, one_line=True))
            if marks := "".join(f"[{numbers[citation]}]" for citation in statement.citations):
                line.append(f" {marks}", "cyan")
            if statement.verdict is Verdict.PARTLY:
                line.append(" (supported in part)", "yellow")
            elif not statement.supported:
                line.append(" (no support)", "yellow")
            elif not all(citation.verified for citation in statement.citations):
                line.append(f" ({words('answer.scan')})", "yellow")
            _print(run, line)
        _print(run, Text())
    elif answer.abstained or answer.kind is AnswerKind.TALK:
        _print(run, Text(safe(answer.answer)))
    elif answer.kind is AnswerKind.CATALOG:
        for statement in answer.statements:
            _print(run, Text(safe(statement.text, one_line=True), "bold"))
        _print(run, Text())
    if answer.certainty == "near":
        _print(run, Text("The nearest passages; not sure that they answer:", "yellow"))
    sections = {p.id: section_name(p.heading_path, p.title) for p in answer.passages}
    for citation, number in numbers.items():
        section = sections.get(citation.passage_id, "")
        _print(run, _citation(number, citation, section, words))
    if answer.other_versions:
        _print(run, _versions(answer.other_versions))
    if answer.notice:
        _print(run, Text(safe(answer.notice), style="dim"))
    verified = sum(citation.verified for citation in numbers)
    seconds = answer.timings_ms.get("total", 0.0) / 1000
    checked = f"{verified} of {len(numbers)} quotes verified, " if numbers else ""
    run.note(f"{checked}{seconds:.1f} s", style="dim")


def _citation(
    number: int, citation: "CitationOut", section: str, words: "Locale"
) -> "RenderableType":
    sure = citation.ocr_confidence or 0.0
    shown = safe(readable(citation.quote), one_line=True)
    quote = Text(f"[{number}] ", "cyan") + Text(f"“{shown}”", "")
    if citation.verdict == "unverified":
        quote.append(" (not verified: the document does not show it there)", "red")
    elif not citation.verified:
        quote.append(f" ({words('source.scan', percent=words.percent(sure))})", "yellow")
    elif citation.ocr_confidence is not None:
        quote.append(f" ({words('source.ocr', percent=words.percent(sure))})", "dim")
    return Group(quote, _source(citation.title, citation.page, citation.uri, section), Text())


def _versions(versions: "Sequence[OtherVersionOut]") -> "RenderableType":
    lines: list[RenderableType] = [Text("Other versions say:", "yellow")]
    for version in versions:
        lines += [
            _indented(Text(f"“{safe(version.quote, one_line=True)}”")),
            _indented(Text(safe(version.place, one_line=True), "dim")),
        ]
    return Group(*lines, Text())


def passage_view(number: int, passage: "PassageOut") -> "RenderableType":
    parts = ", ".join(f"{name} {value:.4g}" for name, value in passage.score_parts.items())
    head = Text(f"{number}. ", "cyan") + Text(f"score {passage.score:.4f}", "bold")
    head.append(f"  ({parts})", "dim")
    path = " > ".join(safe(heading, one_line=True) for heading in passage.heading_path)
    return Group(
        head,
        _source(passage.title, passage.page, passage.uri),
        *([_indented(Text(path, "bold"))] if path else []),
        _indented(Text(safe(passage.text))),
        Text(),
    )


def _source(title: str, page: int | None, uri: str, section: str = "") -> "RenderableType":
    where = safe(f"{title} › {section}" if section else title, one_line=True)
    where += f", page {page}" if page else ""
    return Group(_indented(Text(where, "green")), _indented(Text(safe(uri, one_line=True), "dim")))


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 4), expand=False)


def _print(run: CommandRun, renderable: "RenderableType") -> None:
    run.out.print(renderable)
