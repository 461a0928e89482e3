"""Nothing is parsed or embedded twice, and nobody learns from it what others have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.jobs.ingestion import IngestReport
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.embedding.vector_cache import KeptVectors, VectorCache
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service

pytestmark = pytest.mark.model

OWNER = local_owner()
NEIGHBOUR = local_owner("neighbour")
TITLED = "# Rules of the house\n\nThe door is closed at nine in the evening, on Sundays at eight.\n"
UNTITLED = "On Mondays there is lentil soup for everybody, and on Fridays there is fish."


class RecordingEmbedder(DenseEmbedder):
    """Remembers which passages it was asked for."""

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        self.asked = [*getattr(self, "asked", []), *texts]
        return super().embed_passages(texts)


@pytest.fixture(scope="module")
def recording(product_settings: Callable[..., Settings]) -> Iterator[RecordingEmbedder]:
    embedder = RecordingEmbedder.open(product_settings())
    embedder.embed_passages(["loaded"])
    yield embedder
    embedder.close()


@pytest.fixture
def application(
    product_settings: Callable[..., Settings], recording: RecordingEmbedder
) -> Iterator[Application]:
    recording.asked = []
    with open_service(product_settings(), embedder=recording) as application:
        yield application


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def ingest(application: Application, path: Path, principal: Principal = OWNER) -> IngestReport:
    report = application.ingestion.ingest([path], principal)
    assert {task.state for task in report.tasks} == {TaskState.INDEXED}
    return report


def texts_read(application: Application) -> dict[Path, int]:
    """When each stored text was written."""
    stored = application.content.root.rglob("*.json.zst")
    return {path: path.stat().st_mtime_ns for path in stored}


def sections(changed: str) -> str:
    return "".join(
        f"# Section {n}\n\n{(changed if n == 3 else f'Clause {n} stands as it was. ') * 20}\n\n"
        for n in range(1, 6)
    )


def test_a_file_that_was_moved_or_copied_is_neither_parsed_nor_embedded_again(
    application: Application, recording: RecordingEmbedder, tmp_path: Path
) -> None:
    ingest(application, write(tmp_path / "rules.md", TITLED))
    asked, read = list(recording.asked), texts_read(application)

    ingest(application, write(tmp_path / "moved.md", TITLED))

    assert asked
    assert recording.asked == asked
    assert texts_read(application) == read


def test_of_an_edited_document_only_what_changed_is_embedded(
    application: Application, recording: RecordingEmbedder, tmp_path: Path
) -> None:
    ingest(application, write(tmp_path / "contract.md", sections("The old rent is due monthly. ")))
    recording.asked = []

    ingest(application, write(tmp_path / "contract.md", sections("The new rent is due weekly. ")))

    assert recording.asked
    assert all("new rent" in text for text in recording.asked)
    assert application.searching.search("new rent weekly", OWNER)


def test_a_document_of_the_same_bytes_is_called_by_its_own_name(
    application: Application, tmp_path: Path
) -> None:
    ingest(application, write(tmp_path / "secret-menu-of-the-board.txt", UNTITLED))

    ingest(application, write(tmp_path / "canteen.txt", UNTITLED), NEIGHBOUR)

    (document,) = application.documents.list(NEIGHBOUR)
    assert document.title == "canteen"
    (passage,) = application.searching.search("lentil soup", NEIGHBOUR)
    assert passage.chunk.heading_path == ("canteen",)


def test_the_same_bytes_under_another_suffix_are_read_as_what_they_are(
    application: Application, tmp_path: Path
) -> None:
    ingest(application, write(tmp_path / "rules.md", TITLED))

    ingest(application, write(tmp_path / "rules.txt", TITLED), NEIGHBOUR)

    (document,) = application.documents.list(NEIGHBOUR)
    assert document.media_type == "text/plain"


def test_what_another_tenant_has_is_not_embedded_again_and_takes_as_long_as_if_it_were(
    application: Application, recording: RecordingEmbedder, tmp_path: Path
) -> None:
    path = write(tmp_path / "contract.md", sections("The rent is due monthly. "))
    ingest(application, write(tmp_path / "before.md", "What is opened once is open now."))
    first = ingest(application, path)
    recording.asked = []

    second = ingest(application, path, NEIGHBOUR)

    assert recording.asked == []
    assert seconds(second) > 0.8 * seconds(first)
    assert [seen(task) for task in second.tasks] == [seen(task) for task in first.tasks]


def test_a_tenant_does_not_wait_for_what_it_has_itself(
    application: Application, tmp_path: Path
) -> None:
    first = ingest(application, write(tmp_path / "contract.md", sections("The rent is due. ")))
    second = ingest(application, write(tmp_path / "copy.md", sections("The rent is due. ")))

    assert seconds(second) < seconds(first)


def test_where_tenants_share_nothing_a_file_is_embedded_for_each(
    product_settings: Callable[..., Settings], recording: RecordingEmbedder, tmp_path: Path
) -> None:
    settings = product_settings(ingest={"reuse_across_tenants": False})
    path = write(tmp_path / "rules.md", TITLED)
    recording.asked = []

    with open_service(settings, embedder=recording) as application:
        ingest(application, path)
        once = list(recording.asked)
        ingest(application, path, NEIGHBOUR)

    assert recording.asked == once * 2


def test_with_the_last_document_of_a_content_its_vectors_are_gone(
    application: Application, tmp_path: Path
) -> None:
    path = write(tmp_path / "rules.md", TITLED)
    own, other = ingest(application, path), ingest(application, path, NEIGHBOUR)

    application.documents.delete(own.tasks[0].document_id or "", OWNER)
    assert list(application.content.root.rglob("*.vectors"))
    application.documents.delete(other.tasks[0].document_id or "", NEIGHBOUR)

    assert list(application.content.root.rglob("*.vectors")) == []
    assert list(application.content.root.rglob("*.effort")) == []


def seconds(report: IngestReport) -> float:
    (task,) = report.tasks
    assert task.started is not None
    assert task.finished is not None
    return (task.finished - task.started).total_seconds()


def seen(task: object) -> tuple[object, ...]:
    """What a job tells of a document."""
    return tuple(getattr(task, name) for name in ("state", "reason", "pages", "chunks", "attempts"))


VECTORS = np.eye(3, dtype=np.float32)


def test_kept_vectors_come_back_exactly_and_unknown_texts_do_not(tmp_path: Path) -> None:
    vectors = VECTORS * np.float32(1 / 3)

    VectorCache(KeptVectors(tmp_path / "v"), 3).add(["a", "b", "c"], vectors)

    kept = VectorCache(KeptVectors(tmp_path / "v"), 3)
    assert [v.tobytes() for t in "abc" if (v := kept.get(t)) is not None] == [
        v.tobytes() for v in vectors
    ]
    assert kept.get("d") is None


def test_a_record_that_a_crash_cut_off_is_as_if_it_had_not_been_written(tmp_path: Path) -> None:
    path = tmp_path / "v"
    VectorCache(KeptVectors(path), 3).add(["a", "b"], VECTORS[:2])
    path.write_bytes(path.read_bytes()[:-5])

    VectorCache(KeptVectors(path), 3).add(["c"], VECTORS[2:])

    kept = VectorCache(KeptVectors(path), 3)
    assert kept.get("a") is not None
    assert kept.get("c") is not None
    assert kept.get("b") is None


def test_a_vector_that_the_disk_changed_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "v"
    VectorCache(KeptVectors(path), 3).add(["a"], VECTORS[:1])
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")

    assert VectorCache(KeptVectors(path), 3).get("a") is None


def test_vectors_of_a_document_that_was_deleted_meanwhile_are_not_kept(tmp_path: Path) -> None:
    VectorCache(KeptVectors(tmp_path / "gone" / "v"), 3).add(["a"], VECTORS[:1])

    assert not (tmp_path / "gone").exists()
