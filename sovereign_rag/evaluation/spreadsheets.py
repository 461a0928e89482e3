"""A spreadsheet of questions -> labelled questions: XLSX, XLS, ODS or CSV, as people keep them.

The first row names the columns, in any order, in English, French, German, Spanish or Italian:

    question     what to ask
    answer       the right answer; several right ones on lines of their own, or between "|"
    answerable   optional, yes or no; unless given, a row with an answer is answerable
    language     optional, e.g. "fr"; unless given, detected from the question
    document     optional, what the answer stands in: file name, title or URI; several as above
    id           optional, what the question is called in the results

Other columns are passed over. Rows without a question and an answer are left out.
"""

import csv
import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.datasets import LabelledQuestion
from sovereign_rag.text import language as languages

SUFFIXES: Final = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".tsv"})

_DELIMITED: Final = frozenset({".csv", ".tsv"})
_DELIMITERS: Final = ",;\t"
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "question": frozenset({"question", "questions", "frage", "fragen", "pregunta", "domanda"}),
    "answer": frozenset(
        {"answer", "answers", "réponse", "réponses", "antwort", "antworten", "respuesta"}
        | {"respuestas", "risposta", "risposte"}
    ),
    "answerable": frozenset({"answerable", "beantwortbar", "répondable", "respondible"})
    | frozenset({"rispondibile"}),
    "language": frozenset({"language", "lang", "langue", "sprache", "idioma", "lingua"}),
    "document": frozenset(
        {"document", "documents", "dokument", "dokumente", "documento", "documentos", "documenti"}
    ),
    "id": frozenset({"id"}),
}
_REQUIRED: Final = ("question", "answer")
_YES: Final = frozenset({"yes", "y", "true", "1", "oui", "vrai", "ja", "wahr", "sí", "si", "sì"})
_YES_TOO: Final = frozenset({"verdadero", "vero", "x"})
_NO: Final = frozenset({"no", "n", "false", "0", "non", "faux", "nein", "falsch", "falso"})
_SEVERAL: Final = re.compile(r"[|\n]")

_Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def read_spreadsheet(path: Path) -> tuple[LabelledQuestion, ...]:
    """Read a question set from the first sheet of a workbook, or from a CSV file in UTF-8.

    Raises:
        BadInput: The file can't be read, lacks a column, or a row can't be understood; the
            message names the column or the row.
    """
    rows = _delimited(path) if path.suffix.lower() in _DELIMITED else _workbook(path)
    header = next(rows, [])
    columns = _columns(header, path)
    questions: list[LabelledQuestion] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        cells = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
        if not cells["question"] and not cells["answer"]:
            continue
        try:
            question = _question(cells)
        except ValueError as error:
            raise BadInput(f"{path}, row {number}: {error}") from error
        if question.id in seen:
            raise BadInput(
                f"{path}, row {number} repeats the question or the id of row {seen[question.id]}. "
                "Take one of them out."
            )
        seen[question.id] = number
        questions.append(question)
    if not questions:
        raise BadInput(f"{path} holds no questions below its first row.")
    return tuple(questions)


def _columns(header: Sequence[str], path: Path) -> dict[str, int]:
    columns: dict[str, int] = {}
    for at, title in enumerate(header):
        written = title.strip().casefold().removesuffix("(s)")
        for name, known in _NAMES.items():
            if written in known:
                if name in columns:
                    raise BadInput(f"{path} has two columns {name!r}. Rename one of them.")
                columns[name] = at
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        found = ", ".join(title.strip() for title in header if title.strip()) or "nothing"
        raise BadInput(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; its "
            f"first row has {found}. The columns are question and answer, and if wanted "
            "answerable, language, document, id."
        )
    return columns


def _question(cells: Mapping[str, str]) -> LabelledQuestion:
    text, answers = cells["question"], _several(cells["answer"])
    if not text:
        raise ValueError("there is an answer without a question.")
    answerable = _flag(cells.get("answerable", ""), unless=bool(answers))
    if answerable and not answers:
        raise ValueError("it is marked answerable and has no answer to compare with.")
    if answers and not answerable:
        raise ValueError("it is marked as not answerable and has an answer: which one is it?")
    return LabelledQuestion(
        # By its text, so that rows may be moved and added between two runs that are compared.
        id=cells.get("id") or hashlib.sha256(text.encode()).hexdigest()[:12],
        text=text,
        language=cells.get("language", "").lower() or languages.of_question(text),
        answers=answers,
        gold_documents=frozenset(_several(cells.get("document", ""))),
        answerable=answerable,
        mini=False,
        documents=(),
        exclude_documents=frozenset(),
        retrieval_set=None,
    )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _SEVERAL.split(cell) if part.strip())


def _flag(cell: str, *, unless: bool) -> bool:
    written = cell.casefold()
    if not written:
        return unless
    if written in _YES | _YES_TOO:
        return True
    if written in _NO:
        return False
    raise ValueError(f"answerable is {cell!r}; write yes or no.")


def _delimited(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            # A spreadsheet program writes the separator of its country.
            delimiter = max(_DELIMITERS, key=first.count)
            yield from csv.reader(file, delimiter=delimiter, strict=True)
    except OSError as error:
        raise BadInput(f"Could not read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8. Save it as CSV UTF-8, or as XLSX.") from error
    except csv.Error as error:
        raise BadInput(f"{path} is not a CSV file that can be read: {error}.") from error


def _workbook(path: Path) -> Iterator[list[str]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            rows: list[list[_Cell]] = workbook.get_sheet_by_index(0).to_python(
                skip_empty_area=False
            )
    except OSError as error:
        raise BadInput(f"Could not read {path}: {error.strerror or error}.") from error
    except CalamineError as error:  # also a password
        raise BadInput(
            f"{path} is not a workbook that can be read ({error}). Save it anew, as XLSX and "
            "without a password."
        ) from error
    for row in rows:
        yield [_written(cell) for cell in row]


def _written(cell: _Cell) -> str:
    """A cell as it was typed in: 1889, not 1889.0."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.15g}"
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)
