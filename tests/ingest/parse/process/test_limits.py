"""A document that takes too much fails, and the next one is read."""

import random
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from ingest.parse.process.pool import ParserPool
from sovereign_rag.errors import DocumentError
from sovereign_rag.settings import ParseSettings
from tests.ingest.parse.process.letters import SENTENCE


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A text of three million paragraphs: many seconds, more than a gigabyte."""
    path = tmp_path / "endless.txt"
    path.write_text("a word\n\n" * 3_000_000)
    return path


def test_a_document_that_takes_too_long_is_ended_and_the_next_one_is_read(
    endless: Path, letter: Path
) -> None:
    settings = ParseSettings(workers=1, timeout_s=6, memory_mib=16_000)
    with ParserPool(settings) as pool:
        with pytest.raises(DocumentError) as refusal:
            pool.parse(endless, name="endless.txt")
        found = pool.parse(letter, name="letter.txt")

    assert refusal.value.reason == "timeout"
    assert "SOVEREIGN_RAG_PARSE__TIMEOUT_S" in str(refusal.value)
    assert found.pages[0].text == SENTENCE


def test_a_document_that_takes_too_much_memory_is_ended_and_the_next_one_is_read(
    endless: Path, letter: Path
) -> None:
    with ParserPool(ParseSettings(workers=1, timeout_s=60, memory_mib=100)) as pool:
        with pytest.raises(DocumentError) as refusal:
            pool.parse(endless, name="endless.txt")
        found = pool.parse(letter, name="letter.txt")

    assert refusal.value.reason == "memory"
    assert "SOVEREIGN_RAG_PARSE__MEMORY_MIB" in str(refusal.value)
    assert found.pages[0].text == SENTENCE


def test_a_file_above_the_size_limit_is_refused_and_a_smaller_one_is_read(
    tmp_path: Path, letter: Path
) -> None:
    large = tmp_path / "large.txt"
    large.write_bytes(b"words and words\n" * 140_000)

    with ParserPool(ParseSettings(workers=1, max_file_mib=1)) as pool:
        with pytest.raises(DocumentError) as refusal:
            pool.parse(large, name="large.txt")
        found = pool.parse(letter, name="letter.txt")

    assert refusal.value.reason == "too_large"
    assert found.pages[0].text == SENTENCE


def test_a_container_that_unpacks_to_far_more_than_it_is_is_refused(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b" " * (60 << 20))

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="bomb.docx")

    assert path.stat().st_size < 1 << 20
    assert refusal.value.reason == "bomb"


def test_a_container_that_names_parts_outside_itself_is_refused(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("../../evil.xhtml", "<html/>")

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="book.epub")

    assert refusal.value.reason == "bomb"


def test_an_image_of_absurd_size_is_refused(pool: ParserPool, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (9_000, 9_000)).save(path)

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="huge.png")

    assert refusal.value.reason == "bomb"


def test_noise_behind_a_known_beginning_is_refused_or_read_but_never_takes_the_pool_down(
    pool: ParserPool, letter: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    beginnings = [b"%PDF-1.7\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf1 "]
    beginnings += [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"]
    reasons = []
    for beginning in beginnings:
        noise = tmp_path / "noise"
        noise.write_bytes(beginning + chance.randbytes(5_000))
        try:
            pool.parse(noise, name="noise")
        except DocumentError as error:
            reasons.append(error.reason)

    found = pool.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE
    assert len(reasons) >= 5  # RTF is so lenient that noise in it may pass for text
