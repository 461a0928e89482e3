"""A product whose documents have all sorts of readers; for tests that only read."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.catalog.records import document_id
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.rights.conversations import AUTHORS, Told, converse
from tests.rights.oracle import LABELS, LEVELS, STACKED, TENANTS, Paper
from tests.rights.site import RememberingEmbedder, Site

WITH_PICTURES = (0, 3, 10)
WORDS = (
    *("abelmosk", "bezoar", "cassowary", "dugong", "echidna", "fossa", "galago"),
    *("hoatzin", "indri", "jerboa", "kakapo", "lungfish", "markhor", "numbat"),
)
TEXT = "The common notice number {n}, of the {word}, says that the gate opens at {n} o'clock."


@pytest.fixture(scope="package")
def product(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Application, list[Paper]]]:
    """The product, and the oracle's own list of its documents."""
    folder, papers = tmp_path_factory.mktemp("papers"), []
    settings = product_settings(sources={tenant: stack(folder, tenant) for tenant in TENANTS})
    with open_service(settings, embedder=RememberingEmbedder(embedder)) as application:
        for n, word in enumerate(WORDS):
            tenant, level = TENANTS[n % 2], LEVELS[n % 3]
            labels = frozenset({LABELS[n // 2 % len(LABELS)]})
            path = written(folder / f"{word}-shelf", n, word)
            report = application.ingestion.ingest(
                [path], local_owner(tenant), readers=labels, level=level
            )
            uri = report.tasks[0].uri
            id_ = document_id(tenant, uri)
            media_type = "application/pdf" if path.suffix == ".pdf" else "text/markdown"
            papers.append(Paper(id_, tenant, labels, level, "en", media_type, word, uri))
        yield application, papers


def stack(folder: Path, tenant: str) -> dict[str, object]:
    """A source that nobody syncs: what is to come of it is for a group, and of level 1."""
    path = folder / f"stack-of-{tenant}"
    path.mkdir()
    (path / f"{STACKED}.md").write_text(f"# The {STACKED}\n\nIt is to come.\n", encoding="utf-8")
    said = {"kind": "folder", "path": path, "tenant": tenant}
    return {**said, "readers": "group:hr", "level": 1}


def written(folder: Path, n: int, word: str) -> Path:
    """A notice whose own word stands wherever a document can tell of itself; some have pictures."""
    folder.mkdir()
    text, title = TEXT.format(n=n, word=word), f"Notice of the {word}"
    if n not in WITH_PICTURES:
        path = folder / f"notice-{n}-{word}.md"
        path.write_text(f"# {title}\n\n{text}\n", encoding="utf-8")
        return path
    path = folder / f"notice-{n}-{word}.pdf"
    canvas = Canvas(str(path))
    canvas.setTitle(title)
    canvas.drawString(72, 720, text)
    canvas.save()
    return path


@pytest.fixture(scope="package")
def site(product: tuple[Application, list[Paper]]) -> Iterator[Site]:
    """The product behind a real socket."""
    application, papers = product
    with serving(create_app(application)) as url:
        site = Site(url, application, papers)
        yield site
        site.close()


@pytest.fixture(scope="package")
def told_to_ana(site: Site) -> Iterator[dict[str, Told]]:
    """By tenant, a conversation of somebody in all groups, each answer shared."""
    yield {tenant: converse(site, author) for tenant, author in AUTHORS.items()}
    for author in AUTHORS.values():
        site.browser(author).post("/c/delete")
