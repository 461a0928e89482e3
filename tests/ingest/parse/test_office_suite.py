"""LibreOffice, called by the parser: what is the file's fault, and what is not."""

from pathlib import Path

import pytest

from ingest.parse.document.blocks import DocumentDraft
from ingest.parse.document.job import Job
from ingest.parse.office.convert import via_office
from sovereign_rag.errors import DocumentError

RICH_TEXT = rb"{\rtf1\ansi The fee is 12.50 euros.\par}"


@pytest.fixture
def converted() -> list[Path]:
    return []


def convert(document: Path, converted: list[Path]) -> tuple[str, ...]:
    """Returns the warnings."""

    def keep(path: Path, job: Job) -> DocumentDraft:
        converted.append(path)
        return DocumentDraft((), paged=False)

    return via_office("odt", keep)(document, Job(1, "parse", str(document.parent))).warnings


@pytest.mark.parametrize(
    ("embedded", "warned"), [(b"", []), ("ObjectPool".encode("utf-16-le"), ["embedded"])]
)
def test_a_file_whose_window_failed_is_opened_without_one_and_what_it_lacks_is_told(
    tmp_path: Path, converted: list[Path], embedded: bytes, warned: list[str]
) -> None:
    (tmp_path / "profile-shown").touch()  # where the first start wants a folder
    document = tmp_path / "fee.doc"
    document.write_bytes(RICH_TEXT + embedded)

    warnings = convert(document, converted)

    assert [path.suffix for path in converted] == [".odt"]
    assert [word for text in warnings for word in text.split() if word == "embedded"] == warned


def test_a_file_that_can_not_be_opened_is_told_with_the_way_out(
    tmp_path: Path, converted: list[Path]
) -> None:
    with pytest.raises(DocumentError, match="save it as ODT or PDF"):
        convert(tmp_path / "gone.doc", converted)

    assert converted == []
