"""A settings file is read as it is written; what is no setting is refused by name."""

from pathlib import Path

import pytest

from sovereign_rag.errors import SettingsError
from sovereign_rag.settings import load_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "sovereign-rag.toml"
    path.write_text(f'data_dir = "{folder}"\n{text}', encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        'metadata.fields = {department = "keyword", reviewed = "boolean"}',
        '[metadata]\nfields = {department = "keyword", reviewed = "boolean"}',
        '[metadata.fields]\ndepartment = "keyword"\nreviewed = "boolean"',
    ],
)
def test_custom_fields_are_named_in_the_settings_file(tmp_path: Path, text: str) -> None:
    settings = load_settings(config=written(tmp_path, text))

    assert settings.metadata.fields == {"department": "keyword", "reviewed": "boolean"}
    assert settings.origin("metadata.fields") == "file"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('metadata.field = {department = "keyword"}', "'metadata.field.department'"),
        ('metadata.fields = {department = "colour"}', "metadata.fields.department"),
        ("[server.port]\nnumber = 8080", "server.port"),
        ("[serve]\nport = 8080", "'serve.port'"),
    ],
)
def test_what_is_no_setting_or_no_value_of_it_is_refused(
    tmp_path: Path, text: str, names: str
) -> None:
    with pytest.raises(SettingsError, match=names):
        load_settings(config=written(tmp_path, text))
