"""Ask over the API: an answer with its citations at once, and one as it comes into being.

With a service running (`make demo`), make a key and ask, in another terminal:

    .venv/bin/sovereign-rag keys create --user ana --data-dir .demo > ana.key
    .venv/bin/python examples/api_client.py --key-file ana.key

The key says who asks and so what may be read; no field of a request does.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

QUESTION = "Quelle est la température maximale de chauffage d'un logement ?"


def ask(client: httpx.Client, question: str) -> None:
    """The whole answer; every citation was checked against the stored text of its page."""
    answer = client.post("/v1/answers", json={"question": question}).raise_for_status().json()
    print(answer["answer"], f"[{answer['kind']}]")
    for citation in answer["citations"]:
        where = f"page {citation['page']}" if citation["page"] else "no pages"
        print(f"  “{citation['quote']}”\n    {citation['title']}, {where}")


def follow(client: httpx.Client, question: str) -> None:
    """Server-sent events: passages, verified quotes, a draft, and the checked answer at the end."""
    body = {"question": question, "stream": True}
    with client.stream("POST", "/v1/answers", json=body) as response:
        if response.is_error:
            response.read()
        response.raise_for_status()
        for name, data in events(response):
            match name:
                case "found":
                    print(f"{len(data['passages'])} passages")
                case "extract":
                    print(f"quote: {data['text']}")
                case "token":
                    print(data["text"], end="", flush=True)
                case "answer":
                    print(f"checked: {data['answer']}")
                case "error":
                    raise SystemExit(f"{data['error']}: {data['detail']}")


def events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Each event's name and data; lines that begin with a colon say that the service lives."""
    name = ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--question", default=QUESTION)
    options = parser.parse_args()
    key = options.key_file.read_text().strip()
    with httpx.Client(
        base_url=options.url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=600,
        trust_env=False,  # no proxy between us and this machine
    ) as client:
        ask(client, options.question)
        print()
        follow(client, options.question)


if __name__ == "__main__":
    main()
