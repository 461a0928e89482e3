"""What is shipped to run the service with: units that name commands there are, and confine them."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest

from tests.compliance.test_documents import COMMANDS
from tests.project.imports import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
PROGRAM = "/opt/sovereign-rag/bin/sovereign-rag"


class _Repeated(dict[str, str]):
    """Keeps the values of a key that stands more than once, a line each."""

    def __setitem__(self, key: str, value: object) -> None:
        if key in self and isinstance(value, list):
            value = [*self[key], *value]
        super().__setitem__(key, value)  # type: ignore[assignment]  # lists, until they are joined


def service_of(unit: Path) -> dict[str, str]:
    parser = RawConfigParser(strict=False, dict_type=_Repeated)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their case
    parser.read(unit, encoding="utf-8")
    return dict(parser["Service"])


def commands_of(unit: Path) -> Iterator[list[str]]:
    for line in unit.read_text("utf-8").splitlines():
        if line.startswith("ExecStart="):
            yield shlex.split(line.removeprefix("ExecStart="))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_commands_that_there_are_with_options_that_they_have(unit: Path) -> None:
    for program, *words in commands_of(unit):
        name = max((n for n in COMMANDS if words[: len(n.split())] == n.split()), key=len)
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts}

        assert program == PROGRAM
        assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_has_no_way_out_of_the_machine_and_no_powers(unit: Path) -> None:
    service = service_of(unit)

    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    assert service["CapabilityBoundingSet"] == ""
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
    assert "user" in service["RestrictNamespaces"].split()  # parsers confine themselves by them


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = shutil.copytree(ROOT / "deploy" / "systemd", tmp_path / "units")
    for unit in units.glob("*.service"):  # the program is not where it will be
        unit.write_text(unit.read_text("utf-8").replace(PROGRAM, "/bin/true"), "utf-8")
    names = [p.name.replace("@.", "@1.") for p in units.iterdir()]
    for template in units.glob("*@.*"):
        template.rename(units / template.name.replace("@.", "@1."))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(units / name) for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert [line for line in done.stderr.splitlines() if str(units) in line] == []


def test_the_proxies_stream_answers_and_take_certificates_of_the_house() -> None:
    caddy, nginx = (
        (ROOT / "deploy" / "proxy" / name).read_text("utf-8")
        for name in ("Caddyfile", "nginx.conf")
    )

    assert ("flush_interval -1" in caddy, "tls /etc/caddy" in caddy) == (True, True)
    assert "proxy_buffering off" in nginx
