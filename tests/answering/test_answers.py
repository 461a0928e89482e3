"""Questions get answers that can be checked, from what the asker may read, or an honest no."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.answering.events import Done, DraftToken, Found, Quoted
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.domain import Answer, AnswerKind, Verdict
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import AuditError, BadInput, NotFound
from sovereign_rag.models import bundled
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.exam.scripted import examined, result_of

HR = Principal("ana", groups=frozenset({"hr"}))
FINANCE = Principal("bob", groups=frozenset({"finance"}))
STRANGER = Principal("eve", groups=frozenset({"hr"}), tenant="other")

FILES = {
    "everyone": {
        "conges.md": "# Congés\n\nChaque salarié a droit à 27 jours de congés payés par an. "
        "La demande est adressée au service du personnel deux mois à l'avance.\n",
        "reise.txt": "Reisekosten\n\nDie Kilometerpauschale für Dienstreisen mit dem eigenen "
        "Wagen beträgt 0,38 Euro. Belege sind binnen sechs Wochen einzureichen.\n",
        "visitors.html": "<html><body><h1>Visitors</h1><p>Visitors must wear a yellow badge at "
        "all times. The reception issues badges from 7 a.m.</p></body></html>",
    },
    "group:hr": {
        "salaries.txt": "Salary bands\n\nThe salary of the head of the Zanzibar office is "
        "91,350 euros a year. It is reviewed every March.\n",
    },
}


@pytest.fixture(scope="module")
def library(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    with open_service(product_settings(), embedder=embedder) as application:
        for readers, files in FILES.items():
            folder = tmp_path_factory.mktemp("documents")
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
            application.ingestion.ingest([folder], local_owner(), readers=frozenset({readers}))
        yield application


def stands_verbatim(application: Application, answer: Answer) -> bool:
    """Look each quote up in the stored text, by another way than the product does."""
    for citation in answer.citations:
        pages = application.documents.pages(citation.document_id, local_owner())
        text = pages[(citation.page or 1) - 1].text
        if text[citation.start : citation.end] != citation.quote:
            return False
    return True


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("À combien de jours de congés payés un salarié a-t-il droit ?", "fr", "27 jours"),
        ("Wie hoch ist die Kilometerpauschale für Dienstreisen?", "de", "0,38 Euro"),
        ("What must visitors wear?", "en", "yellow badge"),
        ("How many days of paid leave does an employee have?", "en", "27 jours"),  # across
    ],
)
def test_a_question_is_answered_by_a_verbatim_quote(
    library: Application, question: str, language: str, expected: str
) -> None:
    answer = library.answers.answer(AnswerRequest(question, FINANCE, kind="extracts"))

    assert answer.kind is AnswerKind.EXTRACTS
    assert answer.language == language
    assert expected in answer.statements[0].text
    assert answer.citations[0].verified
    assert stands_verbatim(library, answer)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("Wann wurde die Brücke über den Amazonas gebaut?", "nichts gefunden"),
        ("Quelle est la capitale de la Mongolie ?", "rien trouvé"),
        ("Who won the chess championship in 1972?", "found nothing"),
    ],
)
def test_without_evidence_the_answer_says_so_and_cites_nothing(
    library: Application, question: str, says: str
) -> None:
    answer = library.answers.answer(AnswerRequest(question, FINANCE))

    assert answer.abstained
    assert says in answer.text
    assert answer.citations == ()


def test_what_hr_alone_may_read_is_answered_to_hr_alone(library: Application) -> None:
    question = "What is the salary of the head of the Zanzibar office?"

    for_hr = library.answers.answer(AnswerRequest(question, HR))
    for_finance = library.answers.answer(AnswerRequest(question, FINANCE))
    for_stranger = library.answers.answer(AnswerRequest(question, STRANGER))

    assert "91,350" in for_hr.text
    for answer in (for_finance, for_stranger):
        assert "91,350" not in answer.text
        assert all("Zanzibar" not in passage.chunk.text for passage in answer.passages)
    assert for_stranger.passages == ()


def test_what_hr_alone_may_read_is_found_listed_counted_and_shown_to_hr_alone(
    library: Application,
) -> None:
    salaries = next(d for d in library.documents.list(HR) if "salaries" in d.name)

    assert any("Zanzibar" in p.chunk.text for p in library.searching.search("Zanzibar", HR))
    assert library.documents.page(salaries.id, 1, HR).text
    assert library.documents.count(HR) == library.documents.count(FINANCE) + 1
    for principal in (FINANCE, STRANGER):
        found = library.searching.search("Zanzibar salary", principal)
        assert all("Zanzibar" not in passage.chunk.text for passage in found)
        assert all("salaries" not in d.name for d in library.documents.list(principal))
        with pytest.raises(NotFound) as refused:
            library.documents.page(salaries.id, 1, principal)
        with pytest.raises(NotFound) as missing:
            library.documents.page("00000000-0000-0000-0000-000000000000", 1, principal)
        assert str(refused.value) == str(missing.value)
    assert library.documents.count(STRANGER) == 0


def test_the_search_is_told_first_then_the_quotes_then_the_answer(library: Application) -> None:
    events = list(
        library.answers.stream(AnswerRequest("What must visitors wear?", HR, kind="extracts"))
    )

    assert isinstance(events[0], Found)
    assert isinstance(events[1], Quoted)
    assert isinstance(events[-1], Done)
    assert all(statement.supported for statement in events[-1].answer.statements)


@pytest.mark.model
def test_a_written_answer_is_checked_statement_by_statement(library: Application) -> None:
    events = list(
        library.answers.stream(AnswerRequest("What must visitors wear?", FINANCE, kind="generated"))
    )

    answer = events[-1].answer if isinstance(events[-1], Done) else None
    assert answer is not None
    assert any(isinstance(event, DraftToken) for event in events)
    assert answer.model is not None
    assert answer.usage["completion_tokens"] > 0
    assert stands_verbatim(library, answer)
    assert all(
        bool(s.citations) is (s.verdict is not Verdict.UNSUPPORTED) for s in answer.statements
    )


def trusting(settings: Settings, models: Path, **answer: object) -> Settings:
    """The same product, as if the small model had passed its exam; it reads twice as fast by the
    copy of its weights that others made.
    """
    copies = settings.models_dir / "arranged"
    copies.mkdir(parents=True, exist_ok=True)
    (models / "arranged").symlink_to(copies)
    update = {"models_dir": models, "answer": settings.answer.model_copy(update=answer)}
    changed = settings.model_copy(update=update)
    return examined(changed, result_of(5, 3), sha256=bundled.SMOLLM2_SHA256)


QUESTIONS = (
    "What must visitors wear?",
    "Wie hoch ist die Kilometerpauschale?",
    "Who issues badges?",
)


@pytest.mark.model
def test_an_answer_by_a_trusted_model_holds_something_supported_or_gives_way_to_quotes(
    library: Application, embedder: DenseEmbedder, tmp_path: Path
) -> None:
    with open_service(trusting(library.settings, tmp_path), embedder=embedder) as application:
        answers = [
            application.answers.answer(AnswerRequest(question, HR)) for question in QUESTIONS
        ]

    assert any(answer.model is not None for answer in answers)
    for answer in answers:
        assert answer.abstained or any(s.supported for s in answer.statements)
        assert stands_verbatim(library, answer)


@pytest.mark.model
def test_where_unsupported_statements_are_withheld_nothing_unchecked_is_shown(
    library: Application, embedder: DenseEmbedder, tmp_path: Path
) -> None:
    settings = trusting(library.settings, tmp_path, unsupported="withheld", kind="generated")
    with open_service(settings, embedder=embedder) as application:
        events = [list(application.answers.stream(AnswerRequest(q, HR))) for q in QUESTIONS]

    assert not any(isinstance(event, DraftToken) for stream in events for event in stream)
    answers = [stream[-1].answer for stream in events if isinstance(stream[-1], Done)]
    assert any(answer.model is not None for answer in answers)
    assert all(s.supported for answer in answers for s in answer.statements)


@pytest.mark.model
def test_a_model_too_small_to_be_trusted_does_not_answer_by_itself(
    library: Application, embedder: DenseEmbedder, tmp_path: Path
) -> None:
    settings = library.settings.model_copy(update={"models_dir": tmp_path})  # it sat no exam
    with open_service(settings, embedder=embedder) as application:
        answer = application.answers.answer(AnswerRequest("What must visitors wear?", FINANCE))

    assert answer.kind is AnswerKind.EXTRACTS
    assert "too small" in answer.notice


def test_an_empty_question_is_refused_and_a_short_one_is_not(library: Application) -> None:
    with pytest.raises(BadInput):
        library.answers.answer(AnswerRequest("  ", HR))

    assert library.answers.answer(AnswerRequest("badge?", HR)).question == "badge?"


class FullDisk:
    """An audit log that can't write."""

    def append(self, entry: AuditEntry) -> None:
        raise AuditError("No space is left for the audit record.")


def test_what_cannot_be_audited_is_not_released(library: Application) -> None:
    from sovereign_rag.services.search import SearchService

    searching = SearchService(
        retriever=library.retriever,
        store=library.store,
        pending=lambda tenant: frozenset(),
        audit=FullDisk(),
        admission=library.admission,
    )

    with pytest.raises(AuditError):
        searching.search("visitors badge", HR)
    assert library.searching.search("visitors badge", HR) != []


def test_every_answer_is_on_the_audit_record(library: Application, tmp_path: Path) -> None:
    library.answers.answer(AnswerRequest("What must visitors wear?", HR, kind="extracts"))

    last = list(library.audit.read())[-1]

    assert last.entry.action == "answer"
    assert last.entry.principal == "user:ana"
    assert last.entry.detail["disclosed"]
