"""Labelled sets on disk -> frozen nouns.

A retrieval set is a folder, a question set a file:

    SET/corpus*.jsonl[.gz]   id, title, text, lang; any number of parts
    SET/queries.jsonl        id, text, lang, and history where a query follows on others: a list of
                             role (user, assistant) and text, oldest first
    SET/qrels.tsv            a header, then query-id, corpus-id, score (0: judged irrelevant)
    QUESTIONS.jsonl          id, question, lang, answers, gold_doc_ids, answerable, and if they
                             apply: mini, docs, exclude_doc_ids, retrieval_set, history

The queries of a retrieval set serve as questions too: which documents answer them is known, what
an answer says is not.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sovereign_rag.errors import BadInput
from sovereign_rag.retrieval.conversation import Turn

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A document to search in; `id` is what the labels call it."""

    id: str
    title: str
    text: str
    language: str | None


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    id: str
    text: str
    language: str
    history: tuple[Turn, ...] = ()  # what was asked before, oldest first


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A corpus with queries and what is relevant to each."""

    name: str
    folder: Path
    queries: tuple[LabelledQuery, ...]  # those with at least one relevant document
    relevant: Mapping[str, Mapping[str, int]]  # query id -> document id -> grade, 1 or more


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question with its right answers; `answers` is empty where none is labelled."""

    id: str
    text: str
    language: str
    answers: tuple[str, ...]
    gold_documents: frozenset[str]
    answerable: bool
    mini: bool
    documents: tuple[str, ...]  # texts to answer from, instead of a corpus
    exclude_documents: frozenset[str]  # of the corpus, to be left out
    retrieval_set: str | None  # which corpus, where the questions of a file need several
    history: tuple[Turn, ...] = ()  # what was asked before, oldest first


def read_retrieval_set(folder: Path) -> RetrievalSet:
    """Read queries and labels of a retrieval set; the corpus is read by `read_corpus`.

    Raises:
        BadInput: A file is missing or a line isn't what the layout says.
    """
    relevant: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(folder / "qrels.tsv"), start=1):
        if number == 1 or not line.strip():
            continue
        try:
            query, document, grade = line.split("\t")
            if int(grade) > 0:
                relevant.setdefault(query, {})[document] = int(grade)
        except ValueError as error:
            raise BadInput(
                f"{folder / 'qrels.tsv'}, line {number}: expected query-id, corpus-id and a "
                "whole number, separated by tabs."
            ) from error
    queries_file = folder / "queries.jsonl"
    queries = tuple(
        LabelledQuery(
            str(row["id"]), str(row["text"]), str(row["lang"]), _history(row, queries_file)
        )
        for row in _rows(queries_file, required=("id", "text", "lang"))
        if str(row["id"]) in relevant
    )
    if not queries:
        raise BadInput(f"No query of {folder} has a relevant document in its qrels.tsv.")
    return RetrievalSet(folder.resolve().name, folder, queries, relevant)


def read_corpus(folder: Path) -> Iterator[CorpusDocument]:
    """The documents of a retrieval set, part by part, never all in memory. Raises BadInput."""
    for path in corpus_files(folder):
        for row in _rows(path, required=("id", "text")):
            yield CorpusDocument(
                id=str(row["id"]),
                title=str(row.get("title") or ""),
                text=str(row["text"]),
                language=row.get("lang"),
            )


def corpus_files(folder: Path) -> list[Path]:
    """The parts of a corpus, in order. Raises BadInput where there are none."""
    files = sorted(folder.glob("corpus*.jsonl*"))
    if not files:
        raise BadInput(
            f"{folder} holds no corpus*.jsonl. Give the folder of a retrieval set: corpus.jsonl, "
            "queries.jsonl and qrels.tsv."
        )
    return files


def corpus_hash(folder: Path) -> str:
    """sha256 over the corpus files, which tells whether an index of it is still the right one."""
    digest = hashlib.sha256()
    for path in corpus_files(folder):
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def read_questions(path: Path, *, mini: bool = False) -> tuple[LabelledQuestion, ...]:
    """Read a question set; `mini` keeps the fixed small subset for slow machines.

    Raises:
        BadInput: The file is missing, a line isn't what the layout says, or nothing is left.
    """
    questions = tuple(
        _question(row, path)
        for row in _rows(path, required=("id", "question", "lang", "answerable"))
        if not mini or row.get("mini")
    )
    if not questions:
        raise BadInput(f"{path} holds no questions{' marked mini' if mini else ''}.")
    return questions


def as_questions(labelled: RetrievalSet) -> tuple[LabelledQuestion, ...]:
    """The queries of a retrieval set as questions without labelled answers."""
    return tuple(
        LabelledQuestion(
            id=query.id,
            text=query.text,
            language=query.language,
            answers=(),
            gold_documents=frozenset(labelled.relevant[query.id]),
            answerable=True,
            mini=False,
            documents=(),
            exclude_documents=frozenset(),
            retrieval_set=labelled.name,
            history=query.history,
        )
        for query in labelled.queries
    )


def with_gold_left_out(questions: Sequence[LabelledQuestion]) -> tuple[LabelledQuestion, ...]:
    """The answerable questions, to be asked as if the documents that answer them were not there.

    They keep their answers, so that another document that gives one can be told. Questions that
    name no document are passed over.

    Raises:
        BadInput: None names one.
    """
    left_out = tuple(
        replace(
            question,
            answerable=False,
            exclude_documents=question.exclude_documents | question.gold_documents,
        )
        for question in questions
        if question.answerable and question.gold_documents
    )
    if not left_out:
        raise BadInput("No question names a document that answers it: there is none to leave out.")
    return left_out


def _question(row: Mapping[str, Any], path: Path) -> LabelledQuestion:
    return LabelledQuestion(
        id=str(row["id"]),
        text=str(row["question"]),
        language=str(row["lang"]),
        answers=tuple(str(answer) for answer in row.get("answers", ())),
        gold_documents=frozenset(str(id_) for id_ in row.get("gold_doc_ids", ())),
        answerable=bool(row["answerable"]),
        mini=bool(row.get("mini", False)),
        documents=tuple(str(text) for text in row.get("docs", ())),
        exclude_documents=frozenset(str(id_) for id_ in row.get("exclude_doc_ids", ())),
        retrieval_set=row.get("retrieval_set"),
        history=_history(row, path),
    )


def _history(row: Mapping[str, Any], path: Path) -> tuple[Turn, ...]:
    """The conversation before a question: each thing said by a user, and what was answered."""
    turns: list[Turn] = []
    try:
        for said in row.get("history") or ():
            if said["role"] == "user":
                turns.append(Turn(str(said["text"])))
            elif turns:
                turns[-1] = Turn(turns[-1].question, str(said["text"]))
    except (KeyError, TypeError) as error:
        raise BadInput(
            f"{path}, {row['id']}: `history` must be a list of objects with role and text."
        ) from error
    return tuple(turns)


def _rows(path: Path, *, required: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadInput(f"{path}, line {number} is not JSON: {error.msg}.") from error
        missing = [name for name in required if not isinstance(row, dict) or name not in row]
        if missing:
            raise BadInput(f"{path}, line {number} lacks {', '.join(missing)}.")
        yield row


def _lines(path: Path) -> Iterator[str]:
    # Split at "\n" alone: str.splitlines would also cut at U+2028 and the like, inside a string.
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="\n")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="\n")
        ) as file:
            for line in file:
                yield line.rstrip("\r\n")
    except OSError as error:
        raise BadInput(f"Could not read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8.") from error
