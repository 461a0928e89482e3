"""Settings by API and by command line: as on the console, by its admins, on the record."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sovereign_rag.cli import run_arguments
from tests.api.conftest import Product
from tests.api.test_record import recorded_by

NAME = "house.notice"


@pytest.fixture(autouse=True)
def _as_it_was(product: Product) -> Iterator[None]:
    yield
    product.application.catalog.setting_values.put(NAME, {}, "owner")
    product.application.follow_settings(at_once=True)


def of(told: httpx.Response) -> dict[str, object]:
    return next(one for one in told.json()["settings"] if one["name"] == NAME)


def test_a_setting_is_changed_seen_and_undone_over_the_api(product: Product) -> None:
    def act() -> None:
        with product.client("admin") as client:
            changed = client.patch("/v1/settings", json={"name": NAME, "value": "Lea, room 2"})
            seen = of(client.get("/v1/settings?changed=true"))
            undone = client.post(f"/v1/settings/{NAME}/undo").json()
        assert changed.json()["value"] == seen["value"] == "Lea, room 2"
        assert (seen["origin"], seen["changed_by"]) == ("console", "user:adam")
        assert (undone["value"], undone["before"]) == (None, "Lea, room 2")

    recorded = [e for e in recorded_by(product, act) if e.action == "setting.change"]

    assert [e.principal for e in recorded] == ["user:adam"] * 2
    assert recorded[0].detail["new"] == recorded[1].detail["old"] == "Lea, room 2"


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("stranger", 403), ("ana", 403)])
def test_admins_of_the_machine_alone_see_and_change_settings(
    product: Product, who: str, status: int
) -> None:
    with product.client(who) as client:
        seen = client.get("/v1/settings")
        changed = client.patch("/v1/settings", json={"name": NAME, "value": None})

    assert (seen.status_code, changed.status_code) == (status, status)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("server.port", 9001, 404),  # takes a start anew
        ("generation.model", "/etc/passwd", 404),  # chosen among those that were imported
        ("house.accent", "#ffff66", 400),  # nobody could read it
        ("no.such", "1", 404),
    ],
)
def test_what_is_not_changed_here_or_can_t_be_is_refused(
    product: Product, name: str, value: object, status: int
) -> None:
    values = product.application.catalog.setting_values
    before = values.all()

    with product.client("admin") as client:
        refused = client.patch("/v1/settings", json={"name": name, "value": value})

    assert refused.status_code == status, refused.text
    assert values.all() == before


def test_the_command_line_does_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str) -> dict[str, object]:
        assert run_arguments(["settings", *arguments, "--data-dir", str(tmp_path), "--json"]) == 0
        told: dict[str, object] = json.loads(capsys.readouterr().out)
        return told

    changed = told("set", "history.keep_days", "7")
    listed = told("list")["settings"]
    undone = told("undo", "history.keep_days")

    assert isinstance(listed, list)
    shown = next(one for one in listed if one["name"] == "history.keep_days")
    assert (changed["value"], shown["origin"], shown["changed_by"]) == ("7", "console", "owner")
    assert (undone["origin"], undone["before"]) == ("default", "7")
    refused = run_arguments(["settings", "set", "server.port", "1", "--data-dir", str(tmp_path)])
    assert (refused, "not changed here" in capsys.readouterr().err) == (5, True)
