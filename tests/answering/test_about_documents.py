"""Questions about the documents themselves are answered from what the asker may read."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.answering.corpus_question import corpus_question
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.domain import Answer, AnswerKind, section_name
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import Busy
from sovereign_rag.http.cited_text import cited_text
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.settings import ServerSettings, Settings
from sovereign_rag.text import language as languages
from sovereign_rag.web.views import answer_view
from sovereign_rag.wiring import Application, open_service

HR = Principal("ana", groups=frozenset({"hr"}))
FINANCE = Principal("bob", groups=frozenset({"finance"}))
FILES = {
    "everyone": {
        "password_policy.md": "# Password policy\n\nEmma Watson administers the password safe. "
        "Everybody has a master password of twelve characters.\n\n## Sharing\n\nPasswords are "
        "shared within the safe and never by mail.\n\n## Lost\n\nA lost password is reset by "
        "the help desk within a day.\n",
        "licences.md": "# Licences\n\nWe use software under these permissive licences:\n\n- MIT\n"
        "- BSD\n- Apache 2.0\n\nWe avoid software under a strong copyleft.\n",
        "hospitality.md": "# Hospitality\n\n| Value | Authorisation |\n| --- | --- |\n"
        "| up to 100 euros | nobody |\n| 100 to 500 euros | the board director |\n",
    },
    "group:finance": {"expenses-2021.md": "# Expenses\n\nTrains were dear in that year.\n"},
    "group:hr": {
        "grievances.md": "# Grievances\n\nEmma Watson hears grievances in the first week.\n"
    },
}


@pytest.fixture(scope="module")
def library(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    alone = ServerSettings(concurrent=1, queue=0)
    with open_service(product_settings(server=alone), embedder=embedder) as application:
        for readers, files in FILES.items():
            folder: Path = tmp_path_factory.mktemp("documents")
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
            application.ingestion.ingest([folder], local_owner(), readers=frozenset({readers}))
        yield application


def ask(library: Application, question: str, who: Principal = FINANCE) -> Answer:
    return library.answers.answer(AnswerRequest(question, who, kind="extracts"))


def test_the_documents_that_mention_something_are_those_that_the_asker_may_read(
    library: Application,
) -> None:
    for_hr = ask(library, "Which documents mention Emma Watson?", HR)
    for_finance = ask(library, "Which documents mention Emma Watson?", FINANCE)

    assert for_hr.kind is for_finance.kind is AnswerKind.CATALOG
    assert "grievances.md" in for_hr.text
    assert "password_policy.md" in for_finance.text
    assert "grievances" not in for_finance.text.casefold()
    assert all(citation.verified for citation in for_hr.citations)


@pytest.mark.parametrize(
    "question", ["Which documents mention Emma Watson?", "How many documents do you have?"]
)
def test_questions_about_documents_wait_for_their_turn_as_all_others_do(
    library: Application, question: str
) -> None:
    with library.admission.turn("default", "somebody else"), pytest.raises(Busy):
        ask(library, question)

    assert ask(library, question).kind is AnswerKind.CATALOG


def test_counts_of_what_may_be_read_wait_for_their_turn_too(library: Application) -> None:
    with library.admission.turn("default", "somebody else"), pytest.raises(Busy):
        library.searching.facets(FINANCE)

    assert library.searching.facets(FINANCE)["language"]


def test_documents_are_counted_for_each_asker(library: Application) -> None:
    assert ": 4;" in ask(library, "How many documents do you have?", HR).notice
    assert ": 3;" in ask(library, "How many documents do you have?", Principal("eve")).notice


@pytest.mark.parametrize(
    ("question", "of", "since"),
    [
        ("List all documents from 2021", 2021, None),
        ("Welche Dokumente gibt es aus dem Jahr 2021?", 2021, None),
        ("Liste tous les documents de 2021", 2021, None),
        ("Muestra todos los documentos de 2021", 2021, None),
        ("Elenca tutti i documenti del 2021", 2021, None),
        ("How many documents are there since 2021?", None, 2021),
        ("List all documents from 2021 onwards", None, 2021),
        ("Which documents talk about the strike in 2021?", None, None),
        ("Summarise the report of 2021", None, None),
    ],
)
def test_a_year_of_documents_is_told_from_a_year_in_what_they_are_about(
    question: str, of: int | None, since: int | None
) -> None:
    asked = corpus_question(question, languages.of_question(question))

    assert asked is not None
    assert (asked.year, asked.since) == (of, since)
    assert ("2021" in asked.topic) is (of is since)


def test_documents_of_a_year_are_those_that_name_it(library: Application) -> None:
    listed = ask(library, "List all documents from 2021")
    none = ask(library, "List all documents from 1987")

    assert "expenses-2021.md" in listed.text
    assert "licences.md" not in listed.text
    assert "2021" in listed.notice
    assert ": 1;" in listed.notice
    assert none.kind is not AnswerKind.CATALOG


def test_a_question_about_documents_is_not_mixed_with_what_was_asked_before(
    library: Application,
) -> None:
    before = (Turn("Who won the chess title in 1972?"),)
    alone = AnswerRequest(
        "How many documents are there about zeppelins?", FINANCE, kind="extracts", history=before
    )
    leaning = AnswerRequest("And in 1973?", FINANCE, kind="extracts", history=before)

    assert library.answers.answer(alone).follow_up is None
    assert library.answers.answer(leaning).follow_up is not None


def test_a_summary_quotes_how_the_sections_begin(library: Application) -> None:
    answer = ask(library, "Summarise the password policy")

    assert "Emma Watson administers" in answer.text
    assert "shared within the safe" in answer.text
    assert "reset by the help desk" in answer.text


def test_a_file_is_found_by_its_name_unless_it_is_not_the_askers_to_read(
    library: Application,
) -> None:
    assert "permissive" in ask(library, "What is in licences.md?").text
    assert "Emma" in ask(library, "What is in grievances.md?", HR).text
    refused = ask(library, "What is in grievances.md?", FINANCE)
    missing = ask(library, "What is in nowhere.md?", FINANCE)
    assert "hears grievances" not in refused.text
    assert refused.kind is missing.kind


def test_small_talk_is_answered_without_a_search(library: Application) -> None:
    answer = ask(library, "Who are you?")

    assert answer.kind is AnswerKind.TALK
    assert not answer.abstained
    assert answer.passages == ()
    assert answer.citations == ()


def test_a_list_is_quoted_whole(library: Application) -> None:
    answer = ask(library, "Which permissive licences do we use for software?")

    assert all(name in answer.statements[0].text for name in ("MIT", "BSD", "Apache 2.0"))
    assert answer.citations[0].verified


def test_a_row_is_quoted_with_its_header(library: Application) -> None:
    answer = ask(
        library, "Which authorisation is needed for hospitality with a value of 100 to 500 euros?"
    )

    said = answer.statements[0]
    assert "Value | Authorisation" in said.text
    assert "the board director" in said.text
    assert all(citation.verified for citation in said.citations)


def test_two_questions_are_answered_and_what_is_not_found_is_named(library: Application) -> None:
    both = ask(
        library, "Who administers the password safe and which permissive licences do we use?"
    )
    one = ask(library, "Who administers the password safe? Who won the chess title in 1972?")

    assert "Emma Watson" in both.text
    assert "MIT" in both.text
    assert "Emma Watson" in one.text
    assert "chess title" in one.notice


def test_a_quote_is_shown_with_the_heading_that_it_stands_under(library: Application) -> None:
    answer = ask(library, "How are passwords shared?")

    view = answer_view(answer)
    shared = next(c for c in answer.citations if "never by mail" in c.quote)
    assert view.section_of(shared) == "Sharing"
    assert "Password policy › Sharing" in cited_text(answer, "").text


def test_of_nested_headings_the_nearest_two_are_shown() -> None:
    assert section_name(["Passports", "Children", "Abroad", "Photo"], "Passports") == (
        "Abroad › Photo"
    )
    assert section_name(["Passports"], "Passports") == ""
