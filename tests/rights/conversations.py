"""What somebody who reads much was answered, and what a page or a file tells of it."""

import re
from dataclasses import dataclass
from io import BytesIO
from zipfile import ZipFile

import httpx
from pypdf import PdfReader

from sovereign_rag.access import Principal
from sovereign_rag.roles import Role
from tests.rights.oracle import GROUPS, TENANTS, Paper
from tests.rights.site import Site

WORDS = "common notice gate"
AUTHORS = {
    tenant: Principal("ana", frozenset(GROUPS), tenant, 3, roles=frozenset({Role.ADMIN}))
    for tenant in TENANTS
}


@dataclass(frozen=True)
class Told:
    """What somebody who reads much was answered: one turn of all, and one of each document."""

    conversation: str  # addresses
    turns: tuple[str, ...]
    shares: tuple[str, ...]


def converse(site: Site, author: Principal) -> Told:
    browser = site.browser(author)
    shown, _ = site.seen_by(author)
    address = ""
    for documents in ([], *([paper.id] for paper in shown)):
        form = {"question": WORDS, "doc": documents, "conversation": address.removeprefix("/c/")}
        address = browser.post("/c", data=form).headers["Location"]
        address = re.split(r"[?#]", address)[0]
    turns = re.findall(r'action="(/c/[^"]+/turns/\d+)/vote"', browser.get(address).text)
    for turn in turns:
        browser.post(f"{turn}/share")
    shares = re.findall(r'value="[^"]*(/c/shared/[^"]+)"', browser.get(address).text)
    assert len(turns) == len(shares) == len(shown) + 1
    return Told(address, tuple(turns), tuple(shares))


def named(papers: list[Paper], text: str) -> set[str]:
    """The ids of the papers whose word stands in a text."""
    return {paper.id for paper in papers if paper.word in text.lower()}


def text_of(response: httpx.Response) -> str:
    """All that a page or a file tells, also what only machines read of it."""
    content = response.raise_for_status().content
    if content.startswith(b"%PDF"):
        pdf = PdfReader(BytesIO(content))
        return "\n".join([str(pdf.metadata), *(page.extract_text() for page in pdf.pages)])
    if content.startswith(b"PK"):
        with ZipFile(BytesIO(content)) as file:
            return "\n".join(file.read(name).decode("utf-8", "ignore") for name in file.namelist())
    return response.text
