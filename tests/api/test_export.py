"""An answer as a file: with its date, asker, model and marks, and nothing in it that acts."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO

import pytest
from docx import Document
from pypdf import PdfReader

from sovereign_rag.compliance.ai_marks import problems
from sovereign_rag.compliance.file_marks import found_in
from sovereign_rag.domain import Answer, AnswerKind, Statement, Verdict
from sovereign_rag.services.conversations import KeptTurn
from sovereign_rag.services.kept_answers import Shown
from sovereign_rag.services.serialization.ai_mark import AiMarkOut
from sovereign_rag.text.locale import locale
from sovereign_rag.web.export.markdown import markdown
from sovereign_rag.web.export.paper import Paper, paper_of
from sovereign_rag.web.export.pdf import pdf
from sovereign_rag.web.export.word import word
from tests.api.test_rendering import answer, citation

ASKED = datetime(2026, 11, 29, 14, 5, tzinfo=UTC)
HOSTILE = '![x](http://evil.example/x.png) <b>"&\x02</b> [link](javascript:alert(1)) \n1. # one'


def paper(shown: Answer, question: str = "How wide is the gate?", withheld: int = 0) -> Paper:
    turn = KeptTurn(1, 1, ASKED, question, Shown(shown, withheld), False, None, None, "")
    return paper_of(turn, asker="ana", base="https://rag", made=ASKED, t=locale("en"))


def in_markdown(paper: Paper) -> str:
    return markdown(paper).decode()


def in_word(paper: Paper) -> str:
    return "\n".join(paragraph.text for paragraph in Document(BytesIO(word(paper))).paragraphs)


def in_pdf(paper: Paper) -> str:
    pages = PdfReader(BytesIO(pdf(paper, lacking="LACKING"))).pages
    return "\n".join(page.extract_text() for page in pages)


WRITTEN = answer(
    Statement("It is four metres wide.", Verdict.SUPPORTED, (citation(0),)),
    Statement("It is blue.", Verdict.UNSUPPORTED, ()),
)


@pytest.mark.parametrize("form", [in_markdown, in_word, in_pdf])
def test_a_file_has_its_question_asker_model_and_marks(form: Callable[[Paper], str]) -> None:
    text = form(paper(WRITTEN, withheld=1))

    for said in (
        "How wide is the gate?",
        "ana",
        "29 Nov 2026, 14:05 UTC",
        "model@1234",
        "artificial intelligence",
        "four metres wide. ",
        "[1]" if form is not in_markdown else "\\[1\\]",
        "not supported by the documents",
        "a quote",
        "A title, page 3",
        "https://rag/documents/",
        "1 item is not shown",
    ):
        assert said in text, said


@pytest.mark.parametrize("form", [markdown, word, partial(pdf, lacking="-")])
def test_a_file_tells_machines_who_wrote_it_and_a_changed_mark_is_refused(
    form: Callable[[Paper], bytes],
) -> None:
    quotes = replace(WRITTEN, kind=AnswerKind.EXTRACTS, model=None)
    hostile = replace(WRITTEN, model='m --> <b> </x:xmpmeta> & "q"')

    for shown in (WRITTEN, quotes, hostile):
        assert problems(form(paper(shown))) == []
    told = found_in(form(paper(hostile)))
    assert told is not None
    assert told["AISystemUsed"] == f"Sovereign RAG, {hostile.model}"
    assert found_in(form(paper(quotes))) == {
        "DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/"
        "algorithmicallyEnhanced",
        "AISystemUsed": "Sovereign RAG",
        "WrittenByModel": "false",
    }
    unmarked = replace(paper(WRITTEN), mark=None)
    assert problems(form(unmarked)) == ["the file has no machine-readable mark"]
    lying = AiMarkOut.of(WRITTEN).model_copy(update={"written_by_model": False})
    assert problems(form(replace(paper(WRITTEN), mark=lying))) != []


def test_quotes_are_not_said_to_be_written_by_a_machine() -> None:
    quotes = replace(WRITTEN, kind=AnswerKind.EXTRACTS, model=None)

    text = in_word(paper(quotes))

    assert "Verbatim extracts" in text
    assert "artificial intelligence" not in text
    assert "Model: none" in text


def test_nothing_of_a_document_acts_in_a_file() -> None:
    hostile = replace(
        WRITTEN, kind=AnswerKind.TALK, statements=(), text=HOSTILE, notice=HOSTILE, model=HOSTILE
    )
    made = paper(hostile, question=HOSTILE)

    text = in_markdown(made)
    links = [page.get("/Annots") for page in PdfReader(BytesIO(pdf(made, lacking="-"))).pages]

    assert "![" not in text
    assert "<b>" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "evil.example" in in_word(made)
    assert links == [None]


def test_a_pdf_says_so_where_its_font_lacks_a_letter() -> None:
    plain, rare = (replace(WRITTEN, notice=text) for text in ("Καλημέρα é ß", "漢"))

    assert "LACKING" not in in_pdf(paper(plain))
    assert "LACKING" in in_pdf(paper(rare))
