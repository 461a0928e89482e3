"""Search a service from LangChain: `langchain_retriever.py URL KEY_FILE QUESTION`."""

import sys
from pathlib import Path

from sovereign_rag.client import Client
from sovereign_rag.client.langchain import SovereignRagRetriever

url, key_file, question = sys.argv[1:]
with Client(url, key=Path(key_file).read_text(encoding="utf-8").strip()) as client:
    for document in SovereignRagRetriever(client=client, limit=3).invoke(question):
        print(document.metadata["title"], document.metadata["page"], document.page_content)
