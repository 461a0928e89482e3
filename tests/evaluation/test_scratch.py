"""The index of an evaluation: built once, continued, and never on a server of somebody's."""

from pathlib import Path

from sovereign_rag.evaluation.datasets import (
    CorpusDocument,
)
from sovereign_rag.evaluation.scratch import as_parsed, fill, scratch_settings
from sovereign_rag.settings import ChunkSettings, Settings
from tests.evaluation.labelled import DOCUMENTS, WordIndex


def test_an_interrupted_build_goes_on_where_it_stopped() -> None:
    index = WordIndex()
    index.add(DOCUMENTS[:1])
    seen: list[int] = []
    empty = CorpusDocument("empty", "A title", "  ", "en")

    fill(index, [*DOCUMENTS, empty], total=4, on_progress=lambda done, total: seen.append(done))

    assert index.batches == [1, 2]  # what was there was not added again
    assert index.present() == {"leave", "notice", "budget"}
    assert seen == [1, 2, 3, 4]


def test_a_labelled_text_becomes_a_page_with_a_paragraph_a_line() -> None:
    parsed = as_parsed(CorpusDocument("a", "Title", "One line.\n\nAnother  line.\n", "en"))

    page = parsed.pages[0]
    assert [page.text[e.start : e.end] for e in parsed.elements] == ["One line.", "Another  line."]
    assert (parsed.title, parsed.language, parsed.paged) == ("Title", "en", False)


def test_another_corpus_or_another_chunk_size_has_another_scratch_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "mine")
    larger = settings.model_copy(update={"chunk": ChunkSettings(max_tokens=200)})

    same = scratch_settings(settings, tmp_path, "corpus")
    folders = {
        scratch_settings(settings, tmp_path, "corpus").data_dir,
        scratch_settings(settings, tmp_path, "another").data_dir,
        scratch_settings(larger, tmp_path, "corpus").data_dir,
    }

    assert same.data_dir in folders
    assert len(folders) == 3
    assert same.data_dir.parent == tmp_path
    assert same.data_dir != settings.data_dir


def test_an_evaluation_never_writes_into_a_server_of_the_users(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, store={"url": "http://qdrant:6333"})

    assert scratch_settings(settings, tmp_path, "corpus").store.url is None
