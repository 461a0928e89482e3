"""Ask a service from a program: an answer with its citations, and one as it comes into being.

With a service running (`make demo`), make a key and ask, in another terminal:

    .venv/bin/sovereign-rag keys create --user ana --data-dir .demo > ana.key
    .venv/bin/python examples/api_client.py --key-file ana.key

The key says who asks and so what may be read; no argument of a call does.
"""

import argparse
from pathlib import Path

from sovereign_rag.client import Client, Draft, Extract, Finished, Found

QUESTION = "Quelle est la température maximale de chauffage d'un logement ?"


def ask(rag: Client, question: str) -> None:
    """The whole answer; every citation was checked against the stored text of its page."""
    answer = rag.ask(question)
    print(answer.answer, f"[{answer.kind}]")
    for citation in answer.citations:
        where = f"page {citation.page}" if citation.page else "no pages"
        print(f"  “{citation.quote}”\n    {citation.title}, {where}")


def follow(rag: Client, question: str) -> None:
    """What was found, verified quotes, a draft, and the checked answer at the end."""
    for event in rag.stream(question):
        match event:
            case Found(passages):
                print(f"{len(passages)} passages")
            case Extract(statement):
                print(f"quote: {statement.text}")
            case Draft(text):
                print(text, end="", flush=True)
            case Finished(answer):
                print(f"checked: {answer.answer}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--question", default=QUESTION)
    options = parser.parse_args()
    with Client(options.url, options.key_file.read_text().strip(), timeout_s=600) as rag:
        ask(rag, options.question)
        print()
        follow(rag, options.question)


if __name__ == "__main__":
    main()
