"""The admin's own questions, asked of one index: a run that can be compared with another index's.

Questions are a spreadsheet or JSON lines, asked as people ask and judged by their answers, or a
folder of queries and labels that name documents by URI, judged by what is found.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sovereign_rag.domain import RequestedKind, SearchMode
from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.evaluation.answers import AnswerReport, evaluate_answers
from sovereign_rag.evaluation.datasets import read_questions, read_retrieval_set
from sovereign_rag.evaluation.retrieval import RetrievalReport, evaluate_retrieval, spread
from sovereign_rag.evaluation.runs import EvaluationRun, read_run
from sovereign_rag.evaluation.scratch import Index, Progress
from sovereign_rag.evaluation.spreadsheets import SUFFIXES, read_spreadsheet
from sovereign_rag.version import VERSION


def run_over(
    index: Index,
    questions: Path,
    out: Path,
    *,
    spec: Mapping[str, object],
    kind: RequestedKind = "extracts",
    mode: SearchMode = "hybrid",
    limit: int | None = None,
    on_progress: Progress,
) -> EvaluationRun:
    """Ask every question of `index` (or `limit` of them, evenly spread) and judge what comes back.

    Args:
        index: Whose documents are asked.
        questions: The file, or the folder.
        out: Where every single result is kept, as `eval --out` keeps it.
        spec: What the index was made with, kept beside the results.
        kind: How answers are made; extracts depend on the search alone.
        mode: Which legs search.
        limit: Most questions to ask.
        on_progress: Called after each question.

    Raises:
        BadInput: The questions can't be read, or are about other texts than the index's.
    """
    report: AnswerReport | RetrievalReport
    if questions.is_dir():
        report = evaluate_retrieval(
            read_retrieval_set(questions),
            index,
            mode=mode,
            limit_queries=limit,
            on_progress=on_progress,
        )
    else:
        is_sheet = questions.suffix.lower() in SUFFIXES
        asked = read_spreadsheet(questions) if is_sheet else read_questions(questions)
        if foreign := next((q for q in asked if q.documents or q.retrieval_set), None):
            raise BadInput(
                f"Question {foreign.id} of {questions} is about texts of its own. Two indexes are "
                "compared on questions about the documents that are in them."
            )
        some = spread(asked, limit)
        report = evaluate_answers(
            questions.stem, some, index, kind=kind, mode=mode, on_progress=on_progress
        )
    content = {
        **asdict(report),
        "table": report.table(),
        "version": VERSION,
        "settings": {"index": dict(spec)},
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        out.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"Could not write {out}: {error.strerror or error}.") from error
    return read_run(out)
