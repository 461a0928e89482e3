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


def convert(document: Path, converted: list[Path]) -> None:
    def keep(path: Path, job: Job) -> DocumentDraft:
        converted.append(path)
        return DocumentDraft((), paged=False)

    via_office("odt", keep)(document, Job(1, "parse", str(document.parent)))


def test_a_start_of_the_suite_that_failed_is_not_taken_for_a_broken_file(
    tmp_path: Path, converted: list[Path]
) -> None:
    (tmp_path / "profile").touch()  # where the first start wants a folder
    document = tmp_path / "fee.doc"
    document.write_bytes(RICH_TEXT)

    convert(document, converted)

    assert [path.suffix for path in converted] == [".odt"]


def test_a_file_that_can_not_be_opened_is_told_with_the_way_out(
    tmp_path: Path, converted: list[Path]
) -> None:
    with pytest.raises(DocumentError, match="save it as ODT or PDF"):
        convert(tmp_path / "gone.doc", converted)

    assert converted == []
