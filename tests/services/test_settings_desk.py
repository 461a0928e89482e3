"""Settings as the console shows and changes them: where each was said, and nothing secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import NotFound, SettingsError
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.running_settings import EVERY_S, RunningSettings
from sovereign_rag.services.settings_desk import SettingsDesk, SettingView
from sovereign_rag.settings import CatalogSettings, Settings, load_settings
from sovereign_rag.storage.audit import AuditLog


def settings_of(folder: Path, **overrides: object) -> Settings:
    file = folder / "some.toml"
    file.write_text(
        '[server]\nport = 9000\nsession_hours = 2\ncontact = "Ines"\n', encoding="utf-8"
    )
    return load_settings(config=file, overrides={"data_dir": folder, **overrides})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(Settings(data_dir=tmp_path / "catalog"))


def desk_over(settings: Settings, catalog: Catalog) -> SettingsDesk:
    running, audit = RunningSettings(settings, catalog.setting_values), AuditLog(settings.data_dir)
    return SettingsDesk(
        running=running,
        values=catalog.setting_values,
        audit=audit,
        operations=OperationRecorder(catalog=catalog, audit=audit, resume={}),
        follow=lambda: running.follow(at_once=True),
    )


def views(desk: SettingsDesk) -> dict[str, SettingView]:
    return {view.name: view for view in desk.all(local_owner())}


def test_each_says_where_it_comes_from_the_strongest_place(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVEREIGN_RAG_SERVER__PORT", "9001")

    shown = views(desk_over(settings_of(tmp_path), catalog))

    said = {name: (shown[name].value, shown[name].origin) for name in shown}
    assert said["data_dir"] == (str(tmp_path), "command")
    assert said["server.port"] == ("9001", "environment")
    assert said["server.session_hours"] == ("2.0", "file")
    assert said["server.queue"] == ("64", "default")
    assert [r.entry.action for r in AuditLog(tmp_path).read()] == ["settings.show"]


def test_no_secret_and_no_password_in_an_address_is_shown(tmp_path: Path, catalog: Catalog) -> None:
    secret = CatalogSettings(url=SecretStr("postgresql://rag:hunter2@db/rag"))

    shown = views(desk_over(settings_of(tmp_path, catalog=secret), catalog))

    assert "hunter2" not in str(shown)
    assert (shown["catalog.url"].is_secret, shown["catalog.url"].value) == (True, "")


def test_a_setting_is_changed_recorded_and_undone_by_one_step_back(
    tmp_path: Path, catalog: Catalog
) -> None:
    desk = desk_over(settings_of(tmp_path), catalog)

    desk.change("server.contact", "Lea, 2nd floor", local_owner())
    changed = views(desk)["server.contact"]
    desk.undo("server.contact", local_owner())
    undone = views(desk)["server.contact"]
    desk.undo("server.contact", local_owner())
    again = views(desk)["server.contact"]

    assert (changed.value, changed.origin, changed.before) == ("Lea, 2nd floor", "console", "Ines")
    assert (undone.value, undone.origin) == ("Ines", "file")
    assert again.value == "Lea, 2nd floor"
    told = [r.entry.detail for r in AuditLog(tmp_path).read() if r.entry.action == "setting.change"]
    assert [(one["old"], one["new"]) for one in told][:2] == [
        ("Ines", "Lea, 2nd floor"),
        ("Lea, 2nd floor", "Ines"),
    ]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("answer.min_confidence", "2"),
        ("answer.near_confidence", "0.9"),  # above the confidence for an answer
        ("history.keep_days", "soon"),
        ("limits.key_requests", "many"),
        ("house.accent", "#ffee00"),  # nobody could read it
    ],
)
def test_an_impossible_value_is_refused_and_nothing_is_changed(
    tmp_path: Path, catalog: Catalog, name: str, typed: str
) -> None:
    desk = desk_over(settings_of(tmp_path), catalog)

    with pytest.raises(SettingsError, match=name):
        desk.change(name, typed, local_owner())

    assert catalog.setting_values.all() == []


@pytest.mark.parametrize("name", ["server.port", "data_dir", "house.logo", "limits.redis_url"])
def test_what_opens_the_machine_is_not_changed_here(
    tmp_path: Path, catalog: Catalog, name: str
) -> None:
    desk = desk_over(settings_of(tmp_path), catalog)

    with pytest.raises(NotFound):
        desk.change(name, "9001", local_owner())


def test_the_word_of_the_machine_is_stronger_than_the_consoles(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk_over(settings_of(tmp_path), catalog).change("history.keep_days", "7", local_owner())
    monkeypatch.setenv("SOVEREIGN_RAG_HISTORY__KEEP_DAYS", "30")

    shown = views(desk_over(settings_of(tmp_path), catalog))["history.keep_days"]

    assert (shown.value, shown.origin, shown.can_change) == ("30", "environment", False)


def test_every_process_follows_within_seconds(tmp_path: Path, catalog: Catalog) -> None:
    now = [0.0]
    settings = settings_of(tmp_path)
    other = RunningSettings(settings, catalog.setting_values, clock=lambda: now[0])
    desk = desk_over(settings, catalog)

    desk.change("limits.key_requests", "5/minute, 100/day", local_owner())
    at_once = other.follow()
    now[0] += EVERY_S
    later = other.follow()

    assert (at_once, later) == (False, True)
    assert other.settings.limits.key_requests == ("5/minute", "100/day")
    assert settings.limits.key_requests == ()
