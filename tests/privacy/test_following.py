"""An erasure on one machine, followed on another by its command; each says how far it has come."""

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from sovereign_rag.access import local_owner
from sovereign_rag.cli.doctor import erasures_found
from sovereign_rag.privacy.erase import Eraser
from sovereign_rag.privacy.find import Asked
from sovereign_rag.privacy.follow import ErasureFollower
from sovereign_rag.settings import AuditSettings, CatalogSettings, Settings
from sovereign_rag.storage.audit import entry
from sovereign_rag.wiring import Application, open_service
from tests.cli.running import CommandLine

OWNER = local_owner()
QUESTION = {"question": "What was Jean Dupont treated for?"}


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Application]]:
    """Two data folders over one catalog, with one sealing key; both were asked the same."""
    url = SecretStr(f"sqlite:///{tmp_path}/catalog.sqlite3")
    settings = [
        Settings(
            data_dir=tmp_path / name,
            catalog=CatalogSettings(url=url),
            audit=AuditSettings(writer=name),
        )
        for name in "ab"
    ]
    with open_service(settings[0]) as a, open_service(settings[1]) as b:
        a.sealer.seal(b"made", "a key", "default")
        shutil.copy(a.sealer.path, b.sealer.path)
        for machine in (a, b):
            machine.audit.append(entry("search", OWNER, QUESTION))
            machine.audit.close()  # it is noted, and copied
        yield [a, b]


@pytest.fixture
def there(
    machines: list[Application],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> CommandLine:
    """The command line on machine b."""
    monkeypatch.setenv("SOVEREIGN_RAG_CATALOG__URL", f"sqlite:///{tmp_path}/catalog.sqlite3")
    monkeypatch.setenv("SOVEREIGN_RAG_AUDIT__WRITER", "b")
    return CommandLine(tmp_path / "b", capsys)


def test_the_command_follows_an_erasure_and_the_status_says_so(
    machines: list[Application], there: CommandLine, tmp_path: Path
) -> None:
    eraser = Eraser(machines[0])
    done = eraser.erase(eraser.finder.plan(Asked("default", texts=["Jean Dupont"])), OWNER)

    (before,) = there("erased", "status", "--json").json
    followed = there("erased", "follow", "--json").json
    (after,) = there("erased", "status", "--json").json
    again = there("erased", "follow", "--json").json
    nobody = there("erased", "write-off", "b", "--because", "it is gone")

    assert (before["erasure"], before["outstanding"]) == (done.facts["erasure"], ["b"])
    assert followed == {"followed": 1, "outstanding": 0}
    assert after["outstanding"] == []
    assert after["machines"]["b"]["records"] == 1
    assert again == {"followed": 0, "outstanding": 0}
    assert nobody.code != 0
    kept = json.loads((tmp_path / "b" / "erasures" / f"{done.facts['erasure']}.json").read_bytes())
    assert [number for number, _ in kept["statement"]["lines"]] == [1]
    assert machines[1].audit.verify().ok


def test_a_machine_that_is_gone_for_good_is_written_off_on_the_record(
    machines: list[Application], there: CommandLine
) -> None:
    eraser = Eraser(machines[0])
    eraser.erase(eraser.finder.plan(Asked("default", texts=["Jean Dupont"])), OWNER)

    written_off = there("erased", "write-off", "b", "--because", "its disk burnt", "--json").json
    (state,) = there("erased", "status", "--json").json

    assert written_off == {"machine": "b", "erasures": 1}
    assert (state["outstanding"], state["machines"]["b"]["written_off"]) == ([], "its disk burnt")
    assert machines[0].catalog.erasures.awaited_of("b") == []
    acts = [record.entry for record in machines[1].audit.read()]
    assert ("erased.write_off", "its disk burnt") in [
        (act.action, act.detail.get("because")) for act in acts
    ]


def test_a_few_words_of_it_that_are_left_are_told_and_the_machine_stays_outstanding(
    machines: list[Application], there: CommandLine, tmp_path: Path
) -> None:
    eraser = Eraser(machines[0])
    eraser.erase(eraser.finder.plan(Asked("default", texts=["Jean Dupont"])), OWNER)
    note = tmp_path / "b" / "note.txt"
    note.write_text("Jean Dupont was here.")

    left = there("erased", "follow", "--json").json
    warned = list(erasures_found(machines[1]))
    (state,) = there("erased", "status", "--json").json
    note.unlink()
    followed = there("erased", "follow", "--json").json

    assert left == {"followed": 0, "outstanding": 1}
    assert [(one.state, one.detail) for one in warned] == [("limited", "not followed yet by b: 1")]
    assert list(erasures_found(machines[1])) == []
    assert "note.txt" in state["machines"]["b"]["why"]
    assert followed == {"followed": 1, "outstanding": 0}


def test_a_machine_that_lacks_the_key_says_so_and_follows_once_it_has_it(
    machines: list[Application], there: CommandLine
) -> None:
    here, other = (machine.sealer.path for machine in machines)
    other.write_bytes(AESGCM.generate_key(bit_length=256))
    eraser = Eraser(machines[0])
    eraser.erase(eraser.finder.plan(Asked("default", texts=["Jean Dupont"])), OWNER)

    without = there("erased", "follow", "--json").json
    (state,) = there("erased", "status", "--json").json
    shutil.copy(here, other)
    followed = there("erased", "follow", "--json").json

    assert without == {"followed": 0, "outstanding": 1}
    assert "sealing.key" in state["machines"]["b"]["why"]
    assert followed == {"followed": 1, "outstanding": 0}


def test_nobody_waits_for_a_machine_that_was_written_off_before(
    machines: list[Application], there: CommandLine
) -> None:
    eraser, asked = Eraser(machines[0]), Asked("default", texts=["Jean Dupont"])
    first = eraser.erase(eraser.finder.plan(asked), OWNER)
    there("erased", "write-off", "b", "--because", "its disk burnt")

    second = eraser.erase(eraser.finder.plan(asked), OWNER)

    assert (first.facts["outstanding"], second.facts["outstanding"]) == (["b"], [])


def test_a_machine_that_runs_confirms_meanwhile_and_the_certificate_says_so(
    machines: list[Application],
) -> None:
    here, other = machines
    stop, eraser = threading.Event(), Eraser(here)
    following = threading.Thread(target=ErasureFollower(other, every_s=0.05).run, args=(stop,))
    following.start()

    try:
        plan = eraser.finder.plan(Asked("default", texts=["Jean Dupont"]))
        done = eraser.erase(plan, OWNER, wait_s=120)
    finally:
        stop.set()
        following.join()

    assert done.facts["outstanding"] == []
    assert done.facts["machines"]["b"]["records"] == 1
    assert done.facts["machines"]["b"]["scan"]["files"] > 0
    assert not any("data folder of b" in place for place in done.facts["not_looked_at"])
