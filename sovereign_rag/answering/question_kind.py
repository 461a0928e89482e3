"""What form an answer takes: a yes or no, a list, a value, what a question takes for granted.

A model is told how to word each, and what it wrote is looked at accordingly. By words of the
lexicons; a question that shows none of them is an open one.
"""

from typing import Final, Literal

from sovereign_rag.answering.expected_answer import expected_answer_type
from sovereign_rag.text.lexicon import pattern, whole_words

QuestionKind = Literal["open", "yes_no", "list", "premise", "value"]

KINDS: Final[tuple[QuestionKind, ...]] = ("yes_no", "list", "premise", "value")
"""Those that have wording of their own."""


def question_kind(question: str, language: str) -> QuestionKind:
    """The kind of a question, ISO 639-1 `language`.

    - premise: asks why, and so takes for granted that it is so;
    - list: asks for all of something;
    - value: asks for a time or an amount;
    - yes_no: asks, and no word of it asks for something.
    """
    if pattern(language, "questions", "premises").search(question):
        return "premise"
    if pattern(language, "questions", "lists").search(question):
        return "list"
    if expected_answer_type(question, language):
        return "value"
    words = whole_words(language, "asked", "asks_for_something")
    asks = question.rstrip().endswith("?")
    return "yes_no" if asks and words and not words.search(question) else "open"
