"""With other data than the recorded one no page is recognised, and what needs that fails."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from sovereign_rag.errors import DocumentError
from sovereign_rag.models.recognition import recognition_entries
from sovereign_rag.models.recognition_record import RecognitionRecord
from sovereign_rag.settings import ParseSettings, load_settings
from sovereign_rag.wiring import open_service
from tests.ingest.parse.pages import picture, shown, write_pdf

LINE = "Repairs up to 150 euros are borne by the tenant."


def test_a_scan_fails_with_the_way_out_and_is_read_once_the_data_is_accepted(
    tmp_path: Path,
) -> None:
    scan, typed, mail = tmp_path / "scan.png", tmp_path / "typed.pdf", tmp_path / "mail.eml"
    picture("\n".join([LINE] * 4)).save(scan, dpi=(200, 200))
    write_pdf(typed, [shown(LINE)])
    message = EmailMessage()
    message["Subject"] = "The contract"
    message.set_content("The contract is attached, as it was signed.")
    message.add_attachment(scan.read_bytes(), "image", "png", filename="scan.png")
    mail.write_bytes(message.as_bytes())
    own = {"data_dir": tmp_path / "data", "models_dir": tmp_path / "models"}
    settings = load_settings(overrides={**own, "parse": ParseSettings(workers=1)})
    record = RecognitionRecord(settings.models_dir)
    record.accept({"eng": "0" * 64})  # as if the file had changed since

    with open_service(settings) as service:
        pool = service.parser
        for file in (scan, mail):  # nor is a mail kept without what is attached
            with pytest.raises(DocumentError, match="accept-recogniser") as refused:
                pool.parse(file, name=file.name)
            assert refused.value.reason == "recognition"
        without_scans = pool.parse(typed, name="typed.pdf").pages[0].text
        record.accept({entry.path.stem: entry.sha256 for entry in recognition_entries(settings)})
        accepted = [pool.parse(file, name=file.name) for file in (scan, mail)]

    assert without_scans == LINE
    assert all(LINE in "\n".join(page.text for page in one.pages) for one in accepted)
