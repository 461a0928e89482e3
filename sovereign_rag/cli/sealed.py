"""`python -m sovereign_rag.cli.sealed DATA_DIR`: a document in, a question, the document out.

What `egress report --self-test` runs where there is no network: the whole path, with the settings
of this installation but for its data folder, and nothing of another machine.
"""

import json
import sys
from pathlib import Path
from typing import Final

NOTE: Final = "The keeper of the lighthouse keeps a spare key under the third stone of the wall."
QUESTION: Final = "Where does the keeper keep the spare key?"


def main(arguments: list[str]) -> int:
    from sovereign_rag.access import local_owner
    from sovereign_rag.answering.request import AnswerRequest
    from sovereign_rag.settings import load_settings
    from sovereign_rag.wiring import open_service

    folder, owner = Path(arguments[0]), local_owner()
    settings = load_settings(overrides={"data_dir": folder / "data"})
    if settings.store.url is not None or settings.catalog.url is not None:
        print("The store or the database is on another machine.", file=sys.stderr)
        return 2
    note = folder / "note.txt"
    note.write_text(NOTE, encoding="utf-8")
    with open_service(settings) as service:
        service.ingestion.ingest([note], owner)
        (document,) = service.documents.list(owner)
        answer = service.answers.answer(AnswerRequest(QUESTION, owner))
        quotes = [citation.quote for citation in answer.citations]
        service.documents.delete(document.id, owner)
        left = len(service.documents.list(owner))
    print(json.dumps({"quotes": quotes, "left": left}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
