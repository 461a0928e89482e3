"""What is shown of a sentence that answers: so much that it says what was asked."""

from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.quotes import quotes
from tests.answering.test_verification import Pages, passage

BEFORE = "Suspicious mails are forwarded to the situation centre."
STEPS = ("Take the device off the network", "Call the situation centre", "Delete nothing")


def shown_of(text: str, sentence: str) -> str:
    start = text.index(sentence)
    extract = Extract(passage(text), start, start + len(sentence), 8.0, 0.9, 1.0)
    (statement,) = quotes([extract], Pages(text), most=1)
    return statement.text


def test_steps_behind_a_paragraph_are_quoted_whole() -> None:
    text = "\n\n".join((BEFORE, *STEPS))

    assert shown_of(text, STEPS[1]) == "\n\n".join(STEPS)
    assert shown_of(text, BEFORE) == BEFORE


def test_paragraphs_of_sentences_are_no_list() -> None:
    text = "\n\n".join(f"{step}." for step in (BEFORE[:-1], *STEPS))

    assert shown_of(text, STEPS[1] + ".") == f"{STEPS[1]}."
