"""Question sets kept in spreadsheets are read, in five languages, or refused clearly."""

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from sovereign_rag.cli import run_arguments
from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.spreadsheets import read_spreadsheet

HEADER = ("question", "answer", "language", "answerable", "document")


def _workbook(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    book.save(path)
    return path


def _csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_a_workbook_s_rows_become_questions(tmp_path: Path) -> None:
    rows = [
        HEADER,
        ("When was the tower finished?", 1889, "en", "yes", "tower.pdf"),
        ("Wie lang ist die Frist?", "drei Monate | 3 Monate", "de", True, "a.pdf\nb.pdf"),
        ("Quel est le mot de passe ?", None, "fr", "non", None),
        (None, None, None, None, None),
    ]

    first, second, third = read_spreadsheet(_workbook(tmp_path / "set.xlsx", rows))

    assert first.answers == ("1889",)
    assert first.gold_documents == {"tower.pdf"}
    assert second.answers == ("drei Monate", "3 Monate")
    assert second.gold_documents == {"a.pdf", "b.pdf"}
    assert [q.language for q in (first, second, third)] == ["en", "de", "fr"]
    assert [q.answerable for q in (first, second, third)] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('question,answer\n"What, then?",this\n', "utf-8"),
        ('\ufeffFrage;Antwort\n"What, then?";this\n', "utf-8"),
        ("Réponses\tQuestion\nthis\tWhat, then?\n", "utf-8"),
        ("Domanda;Note;Risposta(s)\nWhat, then?;x;this\n", "utf-8"),
    ],
)
def test_csv_is_read_with_any_country_s_separator_and_headings(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (question,) = read_spreadsheet(_csv(tmp_path / "set.csv", text, encoding))

    assert (question.text, question.answers) == ("What, then?", ("this",))


def test_language_and_answerable_are_filled_in_where_their_columns_are_missing(
    tmp_path: Path,
) -> None:
    text = "question,answer\nWie viele Tage Urlaub stehen mir zu?,dreißig\nWer ist der König?,\n"

    asked, unanswerable = read_spreadsheet(_csv(tmp_path / "set.csv", text))

    assert (asked.language, asked.answerable) == ("de", True)
    assert not unanswerable.answerable


def test_a_question_keeps_its_id_when_rows_are_moved(tmp_path: Path) -> None:
    first = read_spreadsheet(_csv(tmp_path / "a.csv", "question,answer\nOne?,1\nTwo?,2\n"))
    second = read_spreadsheet(_csv(tmp_path / "b.csv", "question,answer\nTwo?,2\nOne?,1\n"))
    named = read_spreadsheet(_csv(tmp_path / "c.csv", "id,question,answer\nmine,One?,1\n"))

    assert [q.id for q in first] == [q.id for q in reversed(second)]
    assert named[0].id == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("question,language\nOne?,en\n", "lacks the column answer; its first row has question, "),
        ("a,b\n1,2\n", "lacks the columns question, answer"),
        ("", "lacks the columns question, answer; its first row has nothing"),
        ("question,answer\n", "no questions below its first row"),
        ("question,answer,Frage\nOne?,1,Zwei?\n", "two columns 'question'"),
        ("question,answer,answerable\nOne?,1,maybe\n", "row 2: answerable is 'maybe'"),
        ("question,answer,answerable\nOne?,,yes\n", "row 2: it is marked answerable and has no"),
        ("question,answer,answerable\nOne?,1,no\n", "row 2: it is marked as not answerable"),
        ("question,answer\n,1\n", "row 2: there is an answer without a question"),
        ("question,answer\nOne?,1\nOne?,2\n", "row 3 repeats .* row 2"),
    ],
)
def test_what_can_t_be_understood_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = _csv(tmp_path / "set.csv", text)

    with pytest.raises(BadInput, match=said):
        read_spreadsheet(file)


def test_files_that_can_t_be_read_say_how_to_save_them(tmp_path: Path) -> None:
    latin = _csv(tmp_path / "latin.csv", "question,answer\nOù ?,là\n", "latin-1")
    broken = _csv(tmp_path / "broken.xlsx", "no workbook")

    with pytest.raises(BadInput, match="Save it as CSV UTF-8"):
        read_spreadsheet(latin)
    with pytest.raises(BadInput, match="Save it anew, as XLSX"):
        read_spreadsheet(broken)
    with pytest.raises(BadInput, match="Could not read"):
        read_spreadsheet(tmp_path / "missing.csv")
    with pytest.raises(BadInput, match="Could not read"):
        read_spreadsheet(tmp_path / "missing.xlsx")


@pytest.mark.model
def test_a_spreadsheet_s_questions_are_asked_over_the_documents_of_the_data_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents, data = tmp_path / "documents", str(tmp_path / "data")
    documents.mkdir()
    (documents / "tower house.txt").write_text(
        "The tower in the harbour was finished in 1889 by two brothers.\n", encoding="utf-8"
    )
    file = _workbook(
        tmp_path / "ours.xlsx",
        [HEADER, ("When was the tower finished?", 1889, "en", "yes", "tower house.txt")],
    )
    out = tmp_path / "result.json"

    ingested = run_arguments(["ingest", str(documents), "--data-dir", data])
    asked = run_arguments(["eval", "answers", str(file), "--out", str(out), "--data-dir", data])
    compared = run_arguments(["eval", "compare", str(out), str(out), "--fail-below", "0"])
    mini = run_arguments(["eval", "answers", str(file), "--mini", "--data-dir", data])

    printed = capsys.readouterr()
    assert (ingested, asked, compared, mini) == (0, 0, 0, 2)
    assert '"found": true' in out.read_text(encoding="utf-8")
    assert '"contains": true' in out.read_text(encoding="utf-8")
    assert "right" in printed.out
    assert "--limit-queries" in printed.err
