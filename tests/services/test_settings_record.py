"""Settings that are others than at the last start are on the record, their secrets are not."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.services.settings_record import FILE_NAME, record_changes
from sovereign_rag.settings import CatalogSettings, RetrievalSettings, Settings, StoreSettings
from sovereign_rag.storage.audit import AuditLog


def settings(folder: Path, **sections: object) -> Settings:
    return Settings.model_validate({"data_dir": folder, "models_dir": folder, **sections})


def changes(folder: Path) -> list[dict[str, object]]:
    return [dict(r.entry.detail["settings"]) for r in AuditLog(folder).read()]


def test_what_changed_between_two_starts_is_told_with_both_values(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    record_changes(settings(tmp_path), log)

    record_changes(settings(tmp_path), log)
    record_changes(settings(tmp_path, retrieval=RetrievalSettings(passages=3)), log)
    record_changes(settings(tmp_path), log)

    first, changed, back = changes(tmp_path)
    default = RetrievalSettings().passages
    assert set(first) == {"data_dir", "models_dir"}  # the rest is as the defaults are
    assert changed == {"retrieval.passages": {"old": default, "new": 3}}
    assert back == {"retrieval.passages": {"old": 3, "new": default}}


def test_a_source_that_is_added_to_the_settings_is_told(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    record_changes(settings(tmp_path), log)
    section = {"kind": "folder", "path": "/srv/shared", "readers": "everyone"}

    record_changes(settings(tmp_path, sources={"shared": section}), log)

    told = changes(tmp_path)[-1]
    assert told["sources.shared.path"] == {"old": None, "new": "/srv/shared"}
    assert told["sources.shared.readers"] == {"old": None, "new": "everyone"}


@pytest.mark.parametrize(
    ("name", "first", "second", "shown"),
    [
        (
            "store.api_key",
            {"store": StoreSettings(api_key=SecretStr("open sesame"))},
            {"store": StoreSettings(api_key=SecretStr("open barley"))},
            "**********",
        ),
        (
            "catalog.url",
            {"catalog": CatalogSettings(url=SecretStr("postgresql://u:sesame@h/d"))},
            {"catalog": CatalogSettings(url=SecretStr("postgresql://u:barley@h/d"))},
            "**********",
        ),
        (
            "store.url",
            {"store": StoreSettings(url="https://u:sesame@qdrant:6333")},
            {"store": StoreSettings(url="https://u:barley@qdrant:6333")},
            "https://**********@qdrant:6333",
        ),
    ],
)
def test_that_a_secret_changed_is_told_and_neither_value_is(
    tmp_path: Path, name: str, first: dict[str, object], second: dict[str, object], shown: str
) -> None:
    log = AuditLog(tmp_path)
    record_changes(settings(tmp_path, **first), log)
    record_changes(settings(tmp_path, **first), log)

    record_changes(settings(tmp_path, **second), log)

    once, again = changes(tmp_path)
    kept = (tmp_path / FILE_NAME).read_text(encoding="utf-8")
    assert once[name] == {"old": None, "new": shown}
    assert again == {name: {"old": shown, "new": shown}}
    for text in (kept, str(once), str(again)):
        assert "sesame" not in text
        assert "barley" not in text


class FullDisk:
    """An audit record that takes nothing more."""

    def append(self, entry: AuditEntry) -> None:
        raise AuditError("The disk is full.")


def test_nothing_starts_under_settings_that_are_on_no_record(tmp_path: Path) -> None:
    with pytest.raises(AuditError):
        record_changes(settings(tmp_path), FullDisk())

    assert not (tmp_path / FILE_NAME).exists()
