"""Any LlamaIndex reader as a source of documents; run it twice to see that nothing is done twice.

After `make demo SERVE=0`:

    .venv/bin/python examples/llama_index_reader.py

Readers of remote systems do connect, to where you point them: that is theirs and your choice, and
the only thing here that could. This example reads a folder and a list of notes.
"""

import argparse
from pathlib import Path

from sovereign_rag.access import local_owner
from sovereign_rag.settings import load_settings
from sovereign_rag.wiring import Application, open_service

# LlamaIndex after ours, which switches telemetry off for everything that is imported later.
from llama_index.core import SimpleDirectoryReader  # isort: skip
from llama_index.core.readers.base import BaseReader  # isort: skip
from llama_index.core.schema import Document  # isort: skip

from ingest.sources.llama_index import read

EVERYONE = frozenset({"everyone"})
FINANCE = frozenset({"group:finance"})
FOLDER = Path(__file__).parent / "documents" / "demarches"


class Notes(BaseReader):
    """A reader of your own: `load_data`, and metadata that name each document."""

    def load_data(self) -> list[Document]:
        text = "The travel budget for the coming year is 40,000 euros, to be spent by November."
        return [Document(text=text, metadata={"source": "note-12", "title": "Travel budget"})]


def ingest_from(
    service: Application, reader: BaseReader, source: str, readers: frozenset[str]
) -> None:
    """Read, and work until everything is searchable."""
    tasks = read(reader, service.content, source=source, readers=readers)
    report = service.ingestion.take_in(tasks, local_owner(), origin=[source])
    for task in report.tasks:
        print(f"{task.state.value:<10} {task.uri}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=Path(".demo"))
    folder = parser.parse_args().data_dir.absolute()
    settings = load_settings(overrides={"data_dir": folder, "models_dir": folder / "models"})
    with open_service(settings) as service:
        ingest_from(
            service, SimpleDirectoryReader(str(FOLDER), required_exts=[".md"]), "docs", EVERYONE
        )
        ingest_from(service, Notes(), "notes", FINANCE)
        best, *_ = service.searching.search("How large is the travel budget?", local_owner())
        print(f"\nfound: {best.title}: {best.chunk.text}")


if __name__ == "__main__":
    main()
