"""Labelled sets are read, rankings and answers judged, and every quote is looked up again."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.domain import (
    Answer,
    AnswerKind,
    Chunk,
    Citation,
    PageSpan,
    Passage,
    Statement,
    Verdict,
)
from sovereign_rag.drafting import Kind
from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.answers import evaluate_answers, stands_verbatim
from sovereign_rag.evaluation.datasets import (
    CorpusDocument,
    LabelledQuestion,
    corpus_hash,
    read_corpus,
    read_questions,
    read_retrieval_set,
)
from sovereign_rag.evaluation.retrieval import evaluate_retrieval, spread
from sovereign_rag.evaluation.scratch import as_parsed, fill, scratch_settings
from sovereign_rag.followup import Turn
from sovereign_rag.retrieval import Mode
from sovereign_rag.settings import ChunkSettings, Settings

DOCUMENTS = (
    CorpusDocument("leave", "Urlaub", "Der Urlaub beträgt dreißig Tage im Jahr.", "de"),
    CorpusDocument("notice", "", "La durée du préavis est de trois mois.", "fr"),
    CorpusDocument("budget", "Budget", "The budget of 2024 was 118 million euros.", "en"),
)


class WordIndex:
    """An index that finds documents by the words they share with a question."""

    model_id = "words"

    def __init__(self) -> None:
        self.tenants: dict[str, dict[str, CorpusDocument]] = {}
        self.batches: list[int] = []
        self.asked: list[int] = []
        self.histories: list[tuple[Turn, ...]] = []

    def present(self, tenant: str = DEFAULT_TENANT) -> frozenset[str]:
        return frozenset(self.tenants.get(tenant, {}))

    def add(self, documents: Sequence[CorpusDocument], tenant: str = DEFAULT_TENANT) -> None:
        self.batches.append(len(documents))
        self.tenants.setdefault(tenant, {}).update({d.id: d for d in documents})

    def search(
        self,
        query: str,
        *,
        mode: Mode | None,
        limit: int,
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> list[Passage]:
        self.histories.append(tuple(history))
        self.asked.append(limit)
        wanted = set(query.lower().rstrip("?").split())
        scored = [
            (len(wanted & set(document.text.lower().rstrip(".").split())), document)
            for document in self.tenants.get(tenant, {}).values()
        ]
        best = sorted((s for s in scored if s[0]), key=lambda pair: -pair[0])
        return [_passage(document, float(score)) for score, document in best][:limit]

    def answer(
        self,
        question: str,
        *,
        kind: Kind | None,
        mode: Mode | None,
        exclude: frozenset[str] = frozenset(),
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> Answer:
        found = self.search(question, mode=mode, limit=5, tenant=tenant, history=history)
        best = [p for p in found if p.chunk.document_id not in exclude][:1]
        statements = tuple(
            Statement(p.chunk.text, Verdict.QUOTED, (_citation(p.chunk.document_id, p.chunk.text),))
            for p in best
        )
        return Answer(
            question=question,
            text=best[0].chunk.text if best else "Nothing was found.",
            kind=AnswerKind.EXTRACTS if best else AnswerKind.NONE,
            notice="",
            statements=statements,
            passages=tuple(best),
            language="en",
            model=None,
            prompt_version=None,
            index_version="words",
            timings_ms={"total": 1.0},
            usage={},
        )

    def page_text(self, document_id: str, page: int, tenant: str = DEFAULT_TENANT) -> str | None:
        document = self.tenants.get(tenant, {}).get(document_id)
        return document.text if document and page == 1 else None


def _passage(document: CorpusDocument, score: float) -> Passage:
    chunk = Chunk(document.id, "v", 0, document.text, (PageSpan(1, 0, len(document.text)),))
    return Passage(chunk, document.title, f"labelled:{document.id}", False, score, {})


def _citation(document: str, quote: str, start: int = 0) -> Citation:
    end = start + len(quote)
    return Citation(quote, document, "", "", None, start, end, (), verified=True)


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


def _write_set(folder: Path, qrels: str) -> Path:
    folder.mkdir()
    first, second = ({"id": d.id, "title": d.title, "text": d.text} for d in DOCUMENTS[:2])
    (folder / "corpus.part-00.jsonl").write_text(json.dumps(first) + "\n", encoding="utf-8")
    with gzip.open(folder / "corpus.part-01.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({**second, "lang": "fr"}) + "\n")
    queries = [
        {"id": "q1", "text": "wie viele tage urlaub", "lang": "de"},
        {"id": "q2", "text": "durée du préavis", "lang": "fr"},
        {"id": "q3", "text": "nobody judged this", "lang": "en"},
    ]
    lines = "\n".join(json.dumps(query) for query in queries)
    (folder / "queries.jsonl").write_text(lines, encoding="utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels, encoding="utf-8")
    return folder


# Reading


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


def test_a_history_of_another_shape_is_refused_with_the_query_s_id(tmp_path: Path) -> None:
    folder = _write_set(tmp_path / "set", "q1\tleave\t1\n")
    query = {"id": "q1", "text": "urlaub", "lang": "de", "history": ["Gibt es Urlaub?"]}
    (folder / "queries.jsonl").write_text(json.dumps(query), encoding="utf-8")

    with pytest.raises(BadInput, match="q1: `history` must be"):
        read_retrieval_set(folder)


def test_more_chunks_are_asked_for_when_they_come_from_too_few_documents(tmp_path: Path) -> None:
    class Repeating(WordIndex):
        def search(
            self,
            query: str,
            *,
            mode: Mode | None,
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


# The scratch index


def test_an_interrupted_build_goes_on_where_it_stopped() -> None:
    index = WordIndex()
    index.add(DOCUMENTS[:1])
    seen: list[int] = []
    empty = CorpusDocument("empty", "A title", "  ", "en")

    fill(index, [*DOCUMENTS, empty], total=4, on_progress=lambda done, total: seen.append(done))

    assert index.batches == [1, 2]  # what was there was not added again
    assert index.present() == {"leave", "notice", "budget"}
    assert seen == [1, 2, 3, 4]


def test_a_labelled_text_becomes_a_page_with_a_paragraph_a_line() -> None:
    parsed = as_parsed(CorpusDocument("a", "Title", "One line.\n\nAnother  line.\n", "en"))

    page = parsed.pages[0]
    assert [page.text[e.start : e.end] for e in parsed.elements] == ["One line.", "Another  line."]
    assert (parsed.title, parsed.language, parsed.paged) == ("Title", "en", False)


def test_another_corpus_or_another_chunk_size_has_another_scratch_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "mine")
    larger = settings.model_copy(update={"chunk": ChunkSettings(max_tokens=200)})

    same = scratch_settings(settings, tmp_path, "corpus")
    folders = {
        scratch_settings(settings, tmp_path, "corpus").data_dir,
        scratch_settings(settings, tmp_path, "another").data_dir,
        scratch_settings(larger, tmp_path, "corpus").data_dir,
    }

    assert same.data_dir in folders
    assert len(folders) == 3
    assert same.data_dir.parent == tmp_path
    assert same.data_dir != settings.data_dir


def test_an_evaluation_never_writes_into_a_server_of_the_users(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, store={"url": "http://qdrant:6333"})

    assert scratch_settings(settings, tmp_path, "corpus").store.url is None
