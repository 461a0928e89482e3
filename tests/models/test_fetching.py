"""Models are chosen from the catalogue and fetched from a hub, the right bytes or none."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sovereign_rag.errors import BadInput, ModelError, NotFound
from sovereign_rag.models import catalogue
from sovereign_rag.models.catalogue import CatalogueModel
from sovereign_rag.models.fetching import by_hand, fetch
from sovereign_rag.models.importing import require_space
from sovereign_rag.models.manifest import hash_file
from tests.hub import CONTENT, Hub, hub, wanted

__all__ = ["hub", "wanted"]


def test_the_catalogue_holds_mistral_s_models_each_pinned_and_free_to_use() -> None:
    models = catalogue.catalogue()

    assert {model.title.split(" Instruct")[0] for model in models} == {
        *("Mistral 7B", "Mistral Nemo 12B", "Mistral Small 3.2 24B"),
        *("Ministral 3 3B", "Ministral 3 8B", "Ministral 3 14B"),
    }
    assert all(model.licence == "apache-2.0" for model in models)
    assert len({model.sha256 for model in models}) == len({m.name for m in models}) == len(models)
    assert all(len(model.sha256) == 64 and int(model.sha256, 16) for model in models)
    assert all(model.file.endswith(f"-{model.quantization}.gguf") for model in models)


def test_memory_follows_from_the_shape_and_speed_from_what_was_measured() -> None:
    small = catalogue.by_name("Ministral-3-3B-instruct-2512-Q4_K_M")
    seven = catalogue.by_name("mistral-7b-instruct-v0.3-q4_k_m")
    assert small is not None
    assert seven is not None

    assert small.kv_bytes_per_token == 106_496
    assert seven.memory(2_048) - seven.memory(0) == 2_048 * 131_072
    # 4.85 GB were measured for the 7B, 2.6 GB for the 3B, with 2,048 tokens and no repacking.
    assert seven.memory(2_048) == pytest.approx(4.85e9, rel=0.06)
    assert small.memory(2_048) == pytest.approx(2.6e9, rel=0.1)
    assert seven.speed(2).measured
    assert not seven.speed(16).measured
    assert seven.speed(16).reading == pytest.approx(8 * seven.speed(2).reading, rel=0.05)
    assert seven.speed(64).writing == seven.speed(8).writing


def test_a_name_that_the_catalogue_lacks_brings_the_nearest_one() -> None:
    models = catalogue.catalogue()

    assert catalogue.require("mistral-7b-instruct-v0.3-Q8_0", models).quantization == "Q8_0"
    with pytest.raises(NotFound, match=r"Did you mean mistral-7b-instruct-v0\.3"):
        catalogue.require("mistral-7b-instruct", models)


def test_a_file_is_fetched_from_a_mirror_by_its_revision(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []

    file = fetch(
        wanted, tmp_path, mirror=hub.url, progress=lambda done, total: steps.append((done, total))
    )

    assert file.read_bytes() == CONTENT
    path = f"/house/Wanted-GGUF/resolve/{'d' * 40}/Wanted-Q4_K_M.gguf"
    assert [(method, at) for method, at, _ in hub.seen] == [
        *(("HEAD", path), ("GET", path), ("GET", f"/bytes/{hub.offered}")),
    ]
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_no_token_is_sent_but_the_one_given_and_never_to_another_host(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_user")

    fetch(wanted, tmp_path / "without", mirror=hub.url)
    without = [headers.get("authorization") for headers in hub.headers]
    hub.headers.clear()
    fetch(wanted, tmp_path / "with", mirror=hub.url, token="given")
    given = [headers.get("authorization") for headers in hub.headers]

    assert without == [None, None, None]
    assert given == ["Bearer given", "Bearer given", None]
    assert all("sovereign-rag/" in headers["user-agent"] for headers in hub.headers)
    assert not any("torch" in headers["user-agent"] for headers in hub.headers)


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    hub.content, hub.cuts = CONTENT * 8, [15 << 20]
    hub.offered, hub.size = hashlib.sha256(hub.content).hexdigest(), len(hub.content)

    file = fetch(replace(wanted, size=hub.size, sha256=hub.offered), tmp_path, mirror=hub.url)

    assert hash_file(file) == hub.offered
    assert hub.seen[-1][2] == f"bytes={10 << 20}-"  # it writes ten MiB at a time


def test_a_fetch_goes_on_where_an_earlier_one_was_interrupted(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    (tmp_path / ".fetch").mkdir()
    (tmp_path / ".fetch" / f"{wanted.sha256}.part").write_bytes(CONTENT[: 2 << 20])

    file = fetch(wanted, tmp_path, mirror=hub.url)

    assert file.read_bytes() == CONTENT
    assert hub.seen[-1][2] == f"bytes={2 << 20}-"


def test_a_mirror_that_offers_another_file_is_refused_before_a_byte_of_it(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    hub.offered = "e" * 64

    with pytest.raises(ModelError, match="not the file of the catalogue"):
        fetch(wanted, tmp_path, mirror=hub.url)
    hub.offered, hub.size = wanted.sha256, 7
    with pytest.raises(ModelError, match="7 bytes"):
        fetch(wanted, tmp_path, mirror=hub.url)

    assert {method for method, _, _ in hub.seen} == {"HEAD"}


def test_bytes_with_another_hash_are_refused_and_thrown_away_and_the_right_ones_taken(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    hub.content = bytes(len(CONTENT))

    with pytest.raises(ModelError, match="what came has the hash"):
        fetch(wanted, tmp_path, mirror=hub.url)
    left = list((tmp_path / ".fetch").glob("*.part"))
    hub.content = CONTENT

    assert left == []
    assert fetch(wanted, tmp_path, mirror=hub.url).read_bytes() == CONTENT


def test_what_is_not_there_or_not_reachable_says_how_to_carry_it_by_hand(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    missing = replace(wanted, file="missing.gguf")

    with pytest.raises(ModelError, match=r"missing\.gguf can't be fetched.*--print"):
        fetch(missing, tmp_path, mirror=hub.url)
    hub.close()
    with pytest.raises(ModelError, match="can't be fetched"):
        fetch(wanted, tmp_path, mirror=hub.url)
    with pytest.raises(BadInput, match="no address of a mirror"):
        fetch(wanted, tmp_path, mirror="hub.example.org")


def test_a_disk_that_is_too_small_is_seen_before_anything_is_fetched(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="GB free"):
        fetch(replace(wanted, size=10**18), tmp_path, mirror=hub.url)

    assert hub.seen == []
    require_space(tmp_path, 1)


def test_carrying_by_hand_names_address_hash_and_commands(wanted: CatalogueModel) -> None:
    told = by_hand(wanted, mirror="https://hub.example.org")

    assert told.url == (
        f"https://hub.example.org/house/Wanted-GGUF/resolve/{'d' * 40}/Wanted-Q4_K_M.gguf"
    )
    assert told.url in told.commands[0]
    assert wanted.sha256 in told.commands[1]
    assert told.commands[2] == "sovereign-rag models import /path/to/Wanted-Q4_K_M.gguf"


def test_the_process_that_asked_stays_offline(
    hub: Hub, wanted: CatalogueModel, tmp_path: Path
) -> None:
    fetch(wanted, tmp_path, mirror=hub.url)

    from huggingface_hub import constants

    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert constants.HF_HUB_OFFLINE
