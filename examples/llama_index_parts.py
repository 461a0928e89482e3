"""Sovereign RAG's retriever, embedder and language model in LlamaIndex's hands.

After `make demo SERVE=0`:

    .venv/bin/python examples/llama_index_parts.py

The retriever finds what its principal may read and nothing else; each search is on the audit
record. Our own answers are checked against the documents, LlamaIndex's are not: for those use
`service.answers`, or the API (`api_client.py`).
"""

import argparse
from pathlib import Path

from sovereign_rag.access import Principal
from sovereign_rag.settings import load_settings
from sovereign_rag.wiring import Application, open_service

# LlamaIndex after ours, which switches telemetry off for everything that is imported later.
from llama_index.core.query_engine import RetrieverQueryEngine  # isort: skip

from sovereign_rag.integrations.llama_index import (
    SovereignEmbedding,
    SovereignLLM,
    SovereignRetriever,
)

ANA = Principal("ana", groups=frozenset({"finance"}))
QUESTION = "What quarterly dividend did the Amcor board declare?"


def retrieve(service: Application) -> None:
    """A `BaseRetriever`: nodes with their document, pages and spans."""
    retriever = SovereignRetriever(service.searching, ANA, limit=3)
    for node in retriever.retrieve(QUESTION):
        print(f"{node.score:.3f}  {node.metadata['title']}, pages {node.metadata['pages']}")


def embed(service: Application) -> None:
    """A `BaseEmbedding`: questions and passages have prefixes of their own."""
    embedding = SovereignEmbedding(service.embedder)
    question = embedding.get_query_embedding(QUESTION)
    passages = ("A cash dividend of 12.25 cents per share was declared.", "Open from nine to five.")
    for text, vector in zip(
        passages, embedding.get_text_embedding_batch(list(passages)), strict=True
    ):
        print(f"{embedding.similarity(question, vector):.3f}  {text}")


def write(service: Application) -> None:
    """A query engine over the retriever and the local `LLM`, streamed."""
    language_model = service.language_model()
    if language_model is None:
        print("There is no language model; set generation.model to a GGUF file.")
        return
    engine = RetrieverQueryEngine.from_args(
        SovereignRetriever(service.searching, ANA, limit=2),
        llm=SovereignLLM(language_model, tenant=ANA.tenant, max_tokens=60),
        streaming=True,
    )
    engine.query(QUESTION).print_response_stream()
    print(f"\n(written by {language_model.info.name}, not checked)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=Path(".demo"))
    folder = parser.parse_args().data_dir.absolute()
    settings = load_settings(overrides={"data_dir": folder, "models_dir": folder / "models"})
    with open_service(settings) as service:
        for part in (retrieve, embed, write):
            print(f"\n== {part.__name__} ==")
            part(service)


if __name__ == "__main__":
    main()
