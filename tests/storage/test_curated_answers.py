"""What an answer of the house says, sealed: for whom it opens, and by which key."""

from datetime import UTC, date, datetime
from pathlib import Path

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.settings import EncryptionSettings, Settings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.curated_answers import CuratedAnswer, CuratedAnswers, CuratedSource
from sovereign_rag.storage.encryption.master_key import write_new
from sovereign_rag.storage.sealing import Sealer

SAID = "Thirty days a year."


def answer() -> CuratedAnswer:
    return CuratedAnswer(
        id="11111111-1111-4111-8111-111111111111",
        tenant="acme",
        wordings=("How much leave?",),
        texts={"en": SAID},
        sources=(CuratedSource("doc", "0" * 64, "thirty working days"),),
        checked=datetime.now(UTC),
        checked_by="user:adam",
        due=date(2030, 1, 1),
        revision=1,
    )


def test_it_goes_over_to_the_master_key_and_goes_with_the_tenants(tmp_path: Path) -> None:
    catalog = Catalog.open(Settings(data_dir=tmp_path / "catalog"))
    write_new(tmp_path / "key")
    folder = tmp_path / "content"
    folder.mkdir()
    encryption = EncryptionSettings(key_file=tmp_path / "key")
    vault = ContentStore(folder, encryption=encryption).vault
    CuratedAnswers(catalog.curated_answers, Sealer(folder)).put(answer())
    answers = CuratedAnswers(catalog.curated_answers, Sealer(folder, vault))

    old, count = answers.of_data_folder(), answers.reseal()
    (kept,) = answers.of_tenant("acme")
    again, left = answers.reseal(), answers.of_data_folder()
    vault.tenant_keys.destroy("acme")
    gone = CuratedAnswers(catalog.curated_answers, Sealer(folder, vault)).of_tenant("acme")

    assert (old, count, again, left) == (2, 2, 0, 0)
    assert (kept.texts, kept.sources) == ({"en": SAID}, answer().sources)
    assert gone == []
