"""Answer docs/compliance/questions.md over a small installation, and write the page anew.

    .venv/bin/python tools/auditors_answers.py

Each question of the page's table is answered by its own command, run in this process over a data
folder that is made for it; what it printed stands below. Times, ids, hashes, sizes and versions
are made the same, so that a test can hold the page to what the commands print today. A few answers
tell of the machine: of those the test compares that they are given.
"""

import io
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sovereign_rag.cli import run_arguments

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "compliance" / "questions.md"
ROW: Final = re.compile(r"^\| (\d+) \| (.+?) \| `(sovereign-rag .+?)` \|$", re.MULTILINE)
HEADING: Final = "## What they print"
LAST: Final = ("erase --person", "certificate ")
"""What the other answers tell of is gone afterwards."""

OF_THE_MACHINE: Final = ("doctor", "config", "sbom", "models")
OF_TESTS: Final = ("egress report --self-test", "models exam")
"""They take minutes: the tests that run them anyway hold what they print to the page."""

LONGEST: Final = 12  # lines of an answer that are shown
WIDEST: Final = 132  # characters of a line
FINE: Final = 0
SOME_FAILED: Final = 6  # exit codes, as `--help` has them
MISSING: Final = 3

DOCUMENTS: Final = {
    "taxi-rules.txt": "The department pays for the taxi after ten in the evening.",
    "night-shift.txt": "Jean Dupont of the night shift was moved to the yard in March.",
    "broken.pdf": "%PDF-1.7\nnothing that could be read",
}
FILES: Final = (
    *("auditor.pub", "backup.pub", "dpo.pub", "dpo.pem", "notes.txt", "ana.zip", "ana.json"),
    *("dossier.json", "answer.json"),
)
QUESTION: Final = "Who pays for the taxi?"


@dataclass(frozen=True)
class Answer:
    """A question with what its command printed."""

    number: int
    question: str
    command: str
    code: int
    text: str

    @property
    def is_of_the_machine(self) -> bool:
        return self.command.removeprefix("sovereign-rag ").startswith(OF_THE_MACHINE)


class Installation:
    """A data folder with documents, people, rights, a backup and a dossier, made by commands."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        documents = folder / "documents"
        documents.mkdir()
        for name, text in DOCUMENTS.items():
            (documents / name).write_text(text, "utf-8")
        (folder / "dpo.pub").write_text(self._made("audit", "key", self._file("dpo.pem")), "utf-8")
        for name in ("auditor", "backup"):
            (folder / f"{name}.pub").write_text((folder / "dpo.pub").read_text("utf-8"), "utf-8")
        sync = ("sync", str(documents), "--readers", "group:finance", "--json")
        self._made(*sync, expect=SOME_FAILED)
        self._made("keys", "create", "--user", "ana", "--groups", "finance", "--name", "desk")
        self.job = next(str(job["job_id"]) for job in self._told("jobs", "list"))
        self.documents = {
            str(told["uri"]).rpartition("/")[2]: str(told["document_id"])
            for told in self._told("documents", "list")
        }
        shift = str(documents / "night-shift.txt")
        self._made("ingest", shift, "--readers", "group:hr")
        asker = ("--as", "user:ana", "--groups", "finance")
        answer = self._made("ask", QUESTION, "--kind", "extracts", *asker, "--json")
        (folder / "answer.json").write_text(answer, "utf-8")
        key = ("--key", self._file("dpo.pem"))
        self._made("audit", "checkpoint", *key)
        head = self._made("audit", "verify")
        (folder / "notes.txt").write_text(head, "utf-8")
        files = (self._file("answer.json"), *key, "--to", self._file("dossier.json"))
        self._made("answers", "export", *files)
        self._made("backup", "create", self._file("backup"), *key)

    def answers(self, *, but: Sequence[str] = ()) -> Iterator[Answer]:
        """Every question of the page, answered, but those; what erases comes last."""
        rows = ROW.findall(PAGE.read_text("utf-8"))
        for number, question, command in sorted(rows, key=lambda row: _is_last(row[2])):
            words = shlex.split(self._meant(command))[1:]
            if command.removeprefix("sovereign-rag ") in but:
                continue
            code, text = self._run(*words)
            yield Answer(int(number), question, command, code, self._same(text))

    def _meant(self, command: str) -> str:
        """The command with the ids, files and days of this installation."""
        now = datetime.now(UTC)
        instead = {
            "6f1c…": self.documents["taxi-rules.txt"],
            "41d0…": self.job,
            "/mnt/backup/rag": self._file("backup"),
            "2026-03-01": f"{now - timedelta(days=1):%Y-%m-%d}",
            "2026-04-01": f"{now + timedelta(days=1):%Y-%m-%d}",
        }
        instead |= {f" {name}": f" {self._file(name)}" for name in FILES}
        for word, meant in instead.items():
            command = command.replace(word, meant)
        return f"{command} --yes" if command.startswith("sovereign-rag erase --person") else command

    def _same(self, text: str) -> str:
        """What differs from one installation to the next, made the same."""
        known: Mapping[str, str] = {
            **{
                id_: f"{'6f1c' if 'taxi' in name else name[:4]}…"
                for name, id_ in self.documents.items()
            },
            self.job: "41d0…",
            str(self._folder): "/srv",
            str(Path.home()): "/home/rag",
        }
        for word, shown in known.items():
            text = text.replace(word, shown)
        return same(text)

    def _file(self, name: str) -> str:
        return str(self._folder / name)

    def _told(self, *words: str) -> list[dict[str, object]]:
        made = json.loads(self._made(*words, "--json"))
        found = made if isinstance(made, list) else next(iter(made.values()))
        return list(found)

    def _made(self, *words: str, expect: int = FINE) -> str:
        code, text = self._run(*words)
        if code != expect:
            sys.exit(f"sovereign-rag {shlex.join(words)} ended with code {code}: {text}")
        return text

    def _run(self, *words: str) -> tuple[int, str]:
        """Exit code, and stdout; stderr where nothing stands there."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run_arguments([*words, "--data-dir", str(self._data)])
        return code, out.getvalue() or err.getvalue()


_SAME: Final = tuple(
    (re.compile(pattern), shown)
    for pattern, shown in (
        (r"\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}:\d{2}(?:\.\d+)?", r"2026-03-02\g<1>12:00:00"),
        (r"\d{8}T\d{6}Z", "20260302T120000Z"),
        (r"\d{4}-\d{2}-\d{2}(?![T \d]12)", "2026-03-02"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "0b5e…"),
        (r"\b[0-9a-f]{32,128}\b", "c0de…"),
        (r"\b(?=\d*[a-f])[0-9a-f]{12}\b", "c0de…"),
        (r"2026-03-02 \d{2}:\d{2}(?!:)", "2026-03-02 12:00"),
        (r"\b[\d,]+ (files|pieces|for \d+ traces)", r"N \1"),
        (r"\b[\d,]+(?:,N)? bytes", "N bytes"),
        (r"(calls seen +)\d+", r"\g<1>N"),
        (r'"account": "[^"]+"', '"account": "rag"'),
        (r"\b(?:erased:)[0-9a-f]{16}\b", "erased:c0de…"),
        (r"\b\d+(?:\.\d+)? (ms|s|MiB|KiB|kB|GB|bytes)\b", r"N \1"),
        (r"\b\d+(?:\.\d+){2,}\S*", "N.N.N"),
    )
)


def same(text: str) -> str:
    """What a command printed as the page shows it: the beginning, and no time, hash or size."""
    for pattern, shown in _SAME:
        text = pattern.sub(shown, text)
    lines = [re.sub(r" {3,}", "   ", line).rstrip()[:WIDEST] for line in text.splitlines()]
    lines = [line for line in lines if line and not set(line) <= set("─━ ")]
    more = len(lines) - LONGEST
    return "\n".join([*lines[:LONGEST], *(["…"] if more > 0 else [])])


def _is_last(command: str) -> int:
    at = [n for n, word in enumerate(LAST, 1) if f"sovereign-rag {word}" in command]
    return at[0] if at else 0


def answered(folder: Path, *, but: Sequence[str] = ()) -> list[Answer]:
    """The answers in the order of the page, over an installation made in an empty folder."""
    return sorted(Installation(folder).answers(but=but), key=lambda answer: answer.number)


def page(answers: list[Answer]) -> str:
    """The page anew: its table as it is, and below what each command printed."""
    before = PAGE.read_text("utf-8").partition(f"\n{HEADING}\n")[0].rstrip()
    parts = [before, HEADING, _ABOUT]
    parts += [section(answer) for answer in answers]
    return "\n\n".join(parts) + "\n"


def section(answer: Answer) -> str:
    """One answer as it stands on the page."""
    code = f"\nexit code {answer.code}" if answer.code else ""
    block = f"```\n$ {answer.command}\n{answer.text}{code}\n```"
    return f"### {answer.number}. {answer.question}\n\n{block}"


_ABOUT: Final = """\
Over an installation with three files, made by `tools/auditors_answers.py`, which also writes what
follows; the suite holds it to what the commands print. Times, ids, hashes, sizes and versions are
made the same; of long answers the beginning stands here."""


def main(write: Callable[[str], object] = lambda text: PAGE.write_text(text, "utf-8")) -> None:
    with TemporaryDirectory() as folder:
        write(page(answered(Path(folder))))
    print(PAGE)


if __name__ == "__main__":
    main()
