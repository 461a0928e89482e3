"""`eval` on the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.running import CommandLine


@pytest.mark.model
def test_an_evaluation_indexes_once_and_writes_every_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, questions = _labelled_set(tmp_path)
    cli, out = CommandLine(tmp_path / "data", capsys), tmp_path / "report.json"

    first = cli("eval", "retrieval", str(folder), "--json", "--out", str(out))
    indexes = list((tmp_path / "cache" / "sovereign-rag" / "eval").glob("*/catalog*"))
    again = cli("eval", "retrieval", str(folder), "--mode", "lexical")
    answers = cli("eval", "answers", str(questions), "--index", str(folder), "--json")

    assert first.json["table"]["all"]["R@1"] == 1.0
    assert len(json.loads(out.read_text("utf-8"))["results"]) == 2
    assert len(indexes) == 1
    assert again.code == 0
    assert "nDCG@10" in again.out
    row = answers.json["table"]["all"]
    assert (row["questions"], row["containment"], row["verified"]) == (3, 1.0, 1.0)
    assert list((tmp_path / "cache" / "sovereign-rag" / "eval").glob("*/catalog*")) != []
    assert not (tmp_path / "data").exists()  # the user's own folder is none of its business


@pytest.mark.model
def test_questions_are_asked_without_the_documents_that_answer_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SOVEREIGN_RAG_ANSWER__MIN_CONFIDENCE", "0")
    folder, questions = _labelled_set(tmp_path)
    sheet, out = tmp_path / "own.csv", tmp_path / "run.json"
    sheet.write_text("question,answer\nHow long?,3 months\n", encoding="utf-8")
    cli = CommandLine(tmp_path / "data", capsys)

    there = cli("eval", "answers", str(folder), "--json")
    gone = cli("eval", "answers", str(folder), "--leave-out-gold", "--json", "--out", str(out))
    german = cli("eval", "answers", str(folder), "--language", "de", "--json")
    nameless = cli("eval", "answers", str(questions), "--index", str(folder), "--leave-out-gold")
    own = cli("eval", "answers", str(sheet), "--leave-out-gold")
    foreign = cli("eval", "answers", str(folder), "--language", "it")

    assert (there.json["table"]["all"]["found"], there.json["table"]["all"]["answerable"]) == (1, 2)
    assert (gone.json["table"]["all"]["questions"], gone.json["table"]["all"]["answerable"]) == (
        2,
        0,
    )
    assert german.json["table"]["all"]["questions"] == 1
    results = json.loads(out.read_text("utf-8"))["results"]
    cited = {r["id"]: {quote["document"] for quote in r["citations"]} for r in results}
    for query, document in (("q1", "leave"), ("q2", "notice")):
        assert cited[query]
        assert document not in cited[query]
    assert (nameless.code, own.code, foreign.code) == (2, 2, 2)


def _labelled_set(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "set"
    folder.mkdir()
    texts = {
        "leave": ("de", "Jeder Angestellte hat dreißig Tage Urlaub im Jahr."),
        "notice": ("fr", "La durée du préavis est de trois mois pour les cadres."),
        "tower": ("en", "The tower in the harbour was finished in 1889."),
    }
    corpus = [{"id": i, "title": "", "text": t, "lang": code} for i, (code, t) in texts.items()]
    queries = [
        {"id": "q1", "text": "Wie viele Tage Urlaub gibt es?", "lang": "de"},
        {"id": "q2", "text": "Quelle est la durée du préavis ?", "lang": "fr"},
    ]
    questions = [
        {"id": "a1", "question": "Wie viele Tage Urlaub hat ein Angestellter?", "lang": "de"}
        | {"answers": ["dreißig"], "answerable": True},
        {"id": "a2", "question": "Quelle est la durée du préavis des cadres ?", "lang": "fr"}
        | {"answers": ["trois mois"], "answerable": True},
        {"id": "a3", "question": "Quelle est la durée du préavis ?", "lang": "fr"}
        | {"answers": [], "answerable": False, "exclude_doc_ids": ["notice"]},
    ]
    for name, rows in (("corpus", corpus), ("queries", queries), ("questions", questions)):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    qrels = "query-id\tcorpus-id\tscore\nq1\tleave\t1\nq2\tnotice\t1\n"
    (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return folder, folder / "questions.jsonl"
