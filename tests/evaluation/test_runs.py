"""Rankings and answers are judged, and every quote is looked up again."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.domain import (
    Passage,
    SearchMode,
)
from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.answers import evaluate_answers, stands_verbatim
from sovereign_rag.evaluation.datasets import (
    CorpusDocument,
    LabelledQuestion,
    as_questions,
    read_retrieval_set,
    with_gold_left_out,
)
from sovereign_rag.evaluation.retrieval import evaluate_retrieval, spread
from sovereign_rag.retrieval.conversation import Turn
from tests.evaluation.labelled import DOCUMENTS, WordIndex, _citation, _write_set


def _question(id_: str, text: str, **rest: object) -> LabelledQuestion:
    known: dict[str, object] = {
        "language": "en",
        "answers": ("118 million",),
        "gold_documents": frozenset({"budget"}),
        "answerable": True,
        "mini": False,
        "documents": (),
        "exclude_documents": frozenset(),
        "retrieval_set": None,
    }
    return LabelledQuestion(id=id_, text=text, **(known | rest))  # type: ignore[arg-type]  # a table of defaults


def _nothing(done: int, total: int) -> None:
    return


def test_retrieval_is_reported_by_language_and_over_all(tmp_path: Path) -> None:
    index = WordIndex()
    index.add(DOCUMENTS)
    labelled = read_retrieval_set(_write_set(tmp_path / "set", "q1\tleave\t1\nq2\tbudget\t1\n"))

    report = evaluate_retrieval(labelled, index, mode="hybrid", on_progress=_nothing)

    table = report.table()
    assert list(table) == ["de", "fr", "all"]
    assert [table[row]["R@1"] for row in table] == [1.0, 0.0, 0.5]
    assert [result.ranking for result in report.results] == [("leave",), ("notice",)]
    assert (report.set_name, report.documents, report.model) == ("set", 3, "words")


def test_a_query_that_follows_on_others_is_searched_with_them(tmp_path: Path) -> None:
    index = WordIndex()
    index.add(DOCUMENTS)
    folder = _write_set(tmp_path / "set", "q1\tleave\t1\nq2\tnotice\t1\n")
    said = [
        {"role": "user", "text": "Gibt es Urlaub?"},
        {"role": "assistant", "text": "Ja."},
        {"role": "user", "text": "Für alle?"},
    ]
    queries = [
        {"id": "q1", "text": "wie viele tage urlaub", "lang": "de", "history": said},
        {"id": "q2", "text": "durée du préavis", "lang": "fr", "history": []},
    ]
    lines = "\n".join(json.dumps(query) for query in queries)
    (folder / "queries.jsonl").write_text(lines, encoding="utf-8")

    report = evaluate_retrieval(
        read_retrieval_set(folder), index, mode="hybrid", on_progress=_nothing
    )

    assert index.histories == [(Turn("Gibt es Urlaub?", "Ja."), Turn("Für alle?")), ()]
    assert [result.text for result in report.results] == [
        "wie viele tage urlaub",
        "durée du préavis",
    ]


def test_more_chunks_are_asked_for_when_they_come_from_too_few_documents(tmp_path: Path) -> None:
    class Repeating(WordIndex):
        def search(
            self,
            query: str,
            *,
            mode: SearchMode | None,
            limit: int,
            tenant: str = DEFAULT_TENANT,
            history: Sequence[Turn] = (),
        ) -> list[Passage]:
            return super().search(query, mode=mode, limit=1, tenant=tenant) * limit

    scarce, plenty = Repeating(), WordIndex()
    for index in (scarce, plenty):
        index.add(DOCUMENTS)
    labelled = read_retrieval_set(_write_set(tmp_path / "set", "q1\tleave\t1\n"))

    report = evaluate_retrieval(labelled, scarce, mode="dense", on_progress=_nothing)
    evaluate_retrieval(labelled, plenty, mode="dense", on_progress=_nothing)

    assert report.results[0].ranking == ("leave",)  # each document once
    assert (len(scarce.asked), len(plenty.asked)) == (2, 1)


def test_a_few_queries_are_taken_from_all_over_the_file_and_always_the_same() -> None:
    assert list(spread(range(10), 3)) == [0, 3, 6]
    assert list(spread(range(3), 10)) == [0, 1, 2]
    assert list(spread(range(3), None)) == [0, 1, 2]


def test_answers_are_counted_apart_for_answerable_and_unanswerable_questions() -> None:
    index = WordIndex()
    index.add(DOCUMENTS)
    questions = [
        _question("right", "what was the budget of 2024"),
        _question("lost", "zzz"),
        _question(
            "refused",
            "budget",
            answerable=False,
            answers=(),
            exclude_documents=frozenset({"budget"}),
        ),
        _question("invented", "budget", answerable=False, answers=(), language="fr"),
    ]

    report = evaluate_answers("set", questions, index, on_progress=_nothing)

    row = report.table()["all"]
    assert (row["questions"], row["answerable"]) == (4, 2)
    assert (row["answered"], row["containment"], row["refused"]) == (0.5, 0.5, 0.5)
    assert row["verified"] == 1.0
    assert report.table()["fr"]["answered"] is None
    assert row["found"] == 0.5  # of the answerable ones
    f1 = {result.id: result.f1 for result in report.results}
    assert f1["right"] == pytest.approx(2 * 2 / (7 + 2))
    assert f1["lost"] == 0.0


def test_a_question_can_be_asked_as_if_what_answers_it_were_not_there() -> None:
    index = WordIndex()
    index.add([*DOCUMENTS, CorpusDocument("plan", "", "The budget of 2025 is open.", "en")])
    questions = [_question("a", "the budget"), _question("b", "zzz", gold_documents=frozenset())]

    there = evaluate_answers("set", questions, index, on_progress=_nothing)
    gone = evaluate_answers("set", with_gold_left_out(questions), index, on_progress=_nothing)

    assert there.table()["all"]["containment"] == 0.5
    assert [(result.id, result.answerable) for result in gone.results] == [("a", False)]
    assert gone.results[0].answer == "The budget of 2025 is open."
    assert gone.table()["all"]["refused"] == 0.0
    with pytest.raises(BadInput):
        with_gold_left_out(questions[1:])


def test_it_is_left_aside_where_another_document_gives_the_answer() -> None:
    index = WordIndex()
    index.add([*DOCUMENTS, CorpusDocument("copy", "", "A budget of 118 million.", "en")])

    report = evaluate_answers(
        "set", with_gold_left_out([_question("a", "the budget")]), index, on_progress=_nothing
    )

    assert (report.results, report.left_aside) == ((), 1)


def test_the_queries_of_a_retrieval_set_are_asked_too_without_words_to_compare(
    tmp_path: Path,
) -> None:
    index = WordIndex()
    index.add(DOCUMENTS)
    labelled = read_retrieval_set(_write_set(tmp_path / "set", "q1\tleave\t1\nq2\tbudget\t1\n"))

    report = evaluate_answers("set", as_questions(labelled), index, on_progress=_nothing)

    row = report.table()["all"]
    assert (row["answerable"], row["answered"], row["found"]) == (2, 1.0, 0.5)
    assert (row["containment"], row["f1"]) == (None, None)


def test_a_question_with_its_own_texts_is_answered_from_those_alone() -> None:
    index = WordIndex()
    index.add(DOCUMENTS)
    own = _question("own", "what was the budget", documents=("The budget was 5 euros.",))
    other = _question("other", "zebra", documents=("A zebra has stripes.",), answers=("stripes",))

    report = evaluate_answers("set", [own, other], index, on_progress=_nothing)

    assert [result.answer for result in report.results] == [
        "The budget was 5 euros.",
        "A zebra has stripes.",
    ]
    assert [result.quotes_true for result in report.results] == [1, 1]
    assert len(index.present()) == 3  # nothing of them got into the corpus


@pytest.mark.parametrize(
    ("document", "quote", "start", "stands"),
    [
        ("budget", "The budget", 0, True),
        ("budget", "budget", 4, True),
        ("budget", "budget", 5, False),
        ("budget", "Budget", 4, False),
        ("budget", "", 0, False),
        ("missing", "The budget", 0, False),
    ],
)
def test_a_quote_is_true_only_where_it_stands_to_the_letter(
    document: str, quote: str, start: int, stands: bool
) -> None:
    index = WordIndex()
    index.add(DOCUMENTS)

    assert stands_verbatim(_citation(document, quote, start), index) is stands
