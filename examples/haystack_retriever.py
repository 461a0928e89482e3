"""Search a service from Haystack: `haystack_retriever.py URL KEY_FILE QUESTION`."""

import sys
from pathlib import Path

from haystack import Pipeline

from sovereign_rag.client import Client
from sovereign_rag.client.haystack import SovereignRagRetriever

url, key_file, question = sys.argv[1:]
pipeline = Pipeline()
with Client(url, key=Path(key_file).read_text(encoding="utf-8").strip()) as client:
    pipeline.add_component("search", SovereignRagRetriever(client, limit=3))
    for document in pipeline.run({"search": {"query": question}})["search"]["documents"]:
        print(document.meta["title"], document.meta["page"], document.content)
