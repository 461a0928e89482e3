"""Labelled sets are read, and what breaks their layout is named."""

import json
from pathlib import Path

import pytest

from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.datasets import (
    corpus_hash,
    read_corpus,
    read_questions,
    read_retrieval_set,
)
from tests.evaluation.labelled import _write_set


def test_a_corpus_in_parts_is_read_in_order_whether_compressed_or_not(tmp_path: Path) -> None:
    folder = _write_set(tmp_path / "set", "q1\tleave\t1\n")

    documents = list(read_corpus(folder))

    assert [(d.id, d.title, d.language) for d in documents] == [
        ("leave", "Urlaub", None),
        ("notice", "", "fr"),
    ]


def test_only_queries_with_something_relevant_are_asked(tmp_path: Path) -> None:
    folder = _write_set(tmp_path / "set", "q1\tleave\t1\nq1\tnotice\t0\nq2\tnotice\t2\n")

    labelled = read_retrieval_set(folder)

    assert [query.id for query in labelled.queries] == ["q1", "q2"]
    assert labelled.relevant == {"q1": {"leave": 1}, "q2": {"notice": 2}}
    assert labelled.name == "set"


def test_a_line_separator_inside_a_text_does_not_end_its_line(tmp_path: Path) -> None:
    row = json.dumps({"id": "a", "text": "one\u2028two"}, ensure_ascii=False)
    (tmp_path / "corpus.jsonl").write_text(row + "\n", encoding="utf-8")

    assert [document.text for document in read_corpus(tmp_path)] == ["one\u2028two"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("qrels.tsv", "header\nq1 leave 1\n", "line 2"),
        ("queries.jsonl", '{"id": "q1", "lang": "de"}\n', "lacks text"),
        ("queries.jsonl", "no json\n", "line 1 is not JSON"),
    ],
)
def test_a_line_that_breaks_the_layout_is_named(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    folder = _write_set(tmp_path / "set", "q1\tleave\t1\n")
    (folder / name).write_text(content, encoding="utf-8")

    with pytest.raises(BadInput, match=said):
        read_retrieval_set(folder)


def test_a_folder_without_a_corpus_is_refused_with_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no corpus\*\.jsonl"):
        corpus_hash(tmp_path)


def test_another_corpus_has_another_hash(tmp_path: Path) -> None:
    folder = _write_set(tmp_path / "set", "q1\tleave\t1\n")
    before = corpus_hash(folder)

    (folder / "corpus.part-00.jsonl").write_text('{"id": "x", "text": "y"}', encoding="utf-8")

    assert corpus_hash(folder) != before


def test_questions_are_read_with_what_they_leave_out_and_what_they_bring(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "?", "lang": "fr", "answerable": False, "exclude_doc_ids": ["x"]},
        {"id": "b", "question": "!", "lang": "en", "answerable": True, "answers": ["yes"]}
        | {"docs": ["yes"], "mini": True, "gold_doc_ids": ["d"], "retrieval_set": "s"},
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")

    first, second = read_questions(file)
    only = read_questions(file, mini=True)

    assert first.exclude_documents == {"x"}
    assert not first.answers
    assert not first.answerable
    assert second.documents == ("yes",)
    assert second.gold_documents == {"d"}
    assert second.retrieval_set == "s"
    assert only == (second,)


def test_a_file_without_a_mini_subset_says_so(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"id": "a", "question": "?", "lang": "fr", "answerable": false}')

    assert len(read_questions(file)) == 1
    with pytest.raises(BadInput, match="no questions marked mini"):
        read_questions(file, mini=True)


def test_a_history_of_another_shape_is_refused_with_the_query_s_id(tmp_path: Path) -> None:
    folder = _write_set(tmp_path / "set", "q1\tleave\t1\n")
    query = {"id": "q1", "text": "urlaub", "lang": "de", "history": ["Gibt es Urlaub?"]}
    (folder / "queries.jsonl").write_text(json.dumps(query), encoding="utf-8")

    with pytest.raises(BadInput, match="q1: `history` must be"):
        read_retrieval_set(folder)
