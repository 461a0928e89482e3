"""A product whose documents have all sorts of readers; for tests that only read."""

from collections.abc import Callable, Iterator

import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.catalog.records import document_id
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.rights.oracle import LABELS, LEVELS, TENANTS, Paper
from tests.rights.site import RememberingEmbedder, Site

TEXT = "The common notice number {n} says that the gate opens at {n} o'clock."


@pytest.fixture(scope="package")
def product(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Application, list[Paper]]]:
    """The product, and the oracle's own list of its documents."""
    folder, papers = tmp_path_factory.mktemp("papers"), []
    with open_service(product_settings(), embedder=RememberingEmbedder(embedder)) as application:
        for n in range(14):
            tenant, level = TENANTS[n % 2], LEVELS[n % 3]
            labels = frozenset({LABELS[n // 2 % len(LABELS)]})
            path = folder / f"notice-{n}.txt"
            path.write_text(TEXT.format(n=n), encoding="utf-8")
            report = application.ingestion.ingest(
                [path], local_owner(tenant), readers=labels, level=level
            )
            id_ = document_id(tenant, report.tasks[0].uri)
            papers.append(Paper(id_, tenant, labels, level, "en", "text/plain"))
        yield application, papers


@pytest.fixture(scope="package")
def site(product: tuple[Application, list[Paper]]) -> Iterator[Site]:
    """The product behind a real socket."""
    application, papers = product
    with serving(create_app(application)) as url:
        site = Site(url, application, papers)
        yield site
        site.close()
