"""A hostile document costs one failed document: what a parsing process can't do and reach."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.parse.archive import ArchiveLimits
from ingest.parse.process.fork_servers import ForkServers
from ingest.parse.process.pool import ParserPool
from ingest.parse.process.sandbox import Protections, readable_root_of
from ingest.parse.process.validate import validated, validated_contents
from sovereign_rag.domain import Box, Element, ElementKind, PageText, ParsedDocument, Word
from sovereign_rag.errors import ParserUnavailable
from sovereign_rag.settings import ParseSettings
from tests.ingest.parse.process.letters import SENTENCE, run_python, zygotes

ATTEMPT = """
import json, os, socket, sys
from pathlib import Path
from ingest.parse.process.sandbox import lock_down
scratch, outside, parent = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
lock_down(scratch, memory_mib=512, cpu_s=20, readable=sys.path)

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

print(json.dumps({
    "tcp": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
    "udp6": attempt(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
    "netlink": attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "unix": attempt(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)),
    "read outside": attempt(lambda: open(outside).read()),
    "write outside": attempt(lambda: open(outside, "w")),
    "passwd": attempt(lambda: open("/etc/passwd").read()),
    "parent environment": attempt(lambda: open(f"/proc/{parent}/environ", "rb").read()),
    "signal parent": attempt(lambda: os.kill(parent, 0)),
    "write scratch": attempt(lambda: (scratch / "mine").write_text("x")),
    "read library": attempt(lambda: open(os.__file__).read()),
}))
"""


# -- confinement ---------------------------------------------------------------------------------


def test_a_confined_process_reaches_its_scratch_folder_and_nothing_else(tmp_path: Path) -> None:
    scratch, outside = tmp_path / "scratch", tmp_path / "secret.txt"
    scratch.mkdir()
    outside.write_text("secret")

    process = run_python(ATTEMPT, str(scratch), str(outside), str(os.getpid()))
    said = json.loads(process.communicate(timeout=60)[0])

    denied = "PermissionError"
    assert said == {
        "tcp": denied,
        "udp6": denied,
        "netlink": denied,
        "unix": denied,
        "read outside": denied,
        "write outside": denied,
        "passwd": denied,
        "parent environment": denied,
        "signal parent": denied,
        "write scratch": "done",
        "read library": "done",
    }
    assert outside.read_text() == "secret"


def test_every_layer_is_in_force_on_this_kernel(pool: ParserPool) -> None:
    found = pool.protections()

    assert found.missing == ()
    assert found.landlock_abi >= 1
    assert Protections().missing == (
        *("landlock", "seccomp", "no_new_privs", "capabilities", "rlimits"),
    )


def test_a_required_sandbox_parses_where_every_layer_stands(letter: Path) -> None:
    with ParserPool(ParseSettings(workers=1, sandbox="required")) as pool:
        found = pool.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE


def test_a_data_folder_where_parsers_read_is_refused_and_one_elsewhere_is_used(
    letter: Path, tmp_path: Path
) -> None:
    open_to_all = Path(sys.prefix) / "data"

    with ParserPool(ParseSettings(workers=1), data_dir=open_to_all) as pool:
        with pytest.raises(ParserUnavailable, match=f"lies in {sys.prefix}.*--data-dir"):
            pool.parse(letter, name="letter.txt")
        with pytest.raises(ParserUnavailable, match="--data-dir"):
            pool.protections()
    with ParserPool(ParseSettings(workers=1), data_dir=tmp_path / "data") as pool:
        found = pool.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE


@pytest.mark.parametrize("place", ["/usr/local/rag", "/usr/share/x", "/lib/x", "/opt/product/data"])
def test_no_folder_that_parsers_read_holds_data(place: str) -> None:
    assert readable_root_of(Path(place), ["/opt/product"]) is not None


@pytest.mark.parametrize("place", ["/srv/rag", "/var/lib/sovereign-rag", "/opt/data", "/usrdata"])
def test_folders_beside_them_do(place: str) -> None:
    assert readable_root_of(Path(place), ["/opt/product"]) is None


def test_secrets_of_the_environment_do_not_reach_the_parsing_process(
    letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVEREIGN_RAG_STORE__API_KEY", "hunter2")
    with ParserPool(ParseSettings(workers=1), fork_servers=ForkServers()) as pool:
        before = set(zygotes())
        pool.parse(letter, name="letter.txt")

        started = set(zygotes()) - before
        environments = [process.environ() for process in started]

    assert len(environments) == 1
    assert "hunter2" not in environments[0].values()
    assert set(environments[0]) <= {
        *("PATH", "LANG", "HOME", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"),
        *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    }


def test_a_document_that_names_files_and_addresses_gets_none_of_them(
    pool: ParserPool, tmp_path: Path
) -> None:
    secret, path = tmp_path / "secret.txt", tmp_path / "a.xml"
    secret.write_text("the secret")
    path.write_text(
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a><b>{SENTENCE}</b><c>&x; end</c></a>'
    )
    included = tmp_path / "a.rst"
    included.write_text(f"{SENTENCE}\n\n.. include:: {secret}\n")

    from_xml = pool.parse(path, name="a.xml")
    from_rst = pool.parse(included, name="a.rst")

    for found in (from_xml, from_rst):
        assert SENTENCE in found.pages[0].text
        assert "the secret" not in found.pages[0].text


# -- what comes back is checked ------------------------------------------------------------------

BOX = Box(1, 0.1, 0.1, 0.2, 0.2)


GOOD = ParsedDocument(
    media_type="text/plain",
    pages=(PageText(1, "One two", words=(Word(0, 3, BOX), Word(4, 7, BOX))),),
    elements=(Element(ElementKind.PARAGRAPH, 1, 0, 7),),
    paged=True,
)


def test_a_well_formed_parsing_result_is_accepted() -> None:
    assert validated(GOOD) is GOOD


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, pages=()),
        replace(GOOD, pages=(PageText(2, "One two"),)),
        replace(GOOD, pages=(PageText(1, b"One two"),)),  # type: ignore[arg-type]  # wrong on purpose
        replace(GOOD, elements=(Element(ElementKind.PARAGRAPH, 1, 0, 8),)),
        replace(GOOD, elements=(Element(ElementKind.PARAGRAPH, 2, 0, 3),)),
        replace(GOOD, elements=2 * (Element(ElementKind.PARAGRAPH, 1, 0, 3),)),
        replace(GOOD, pages=(PageText(1, "One two", words=(Word(4, 7, BOX), Word(0, 3, BOX))),)),
        replace(
            GOOD, pages=(PageText(1, "One two", words=(Word(0, 3, replace(BOX, right=1.5)),)),)
        ),
        replace(GOOD, properties={"title": 5}),  # type: ignore[dict-item]  # wrong on purpose
    ],
)
def test_a_result_that_breaks_a_promise_is_refused(bad: ParsedDocument) -> None:
    with pytest.raises(ValueError, match="parsed document"):
        validated(bad)


LIMITS = ArchiveLimits(
    max_members=2, max_unpacked_mib=1, max_ratio=200, max_depth=3, max_bytes=1 << 20
)
MEMBER = {"path": "in/a.txt", "name": "a.txt", "file": 0, "failure": None, "modified": None}


def test_what_is_said_to_have_come_out_of_an_archive_is_accepted_where_it_can_be() -> None:
    found = validated_contents({"members": [MEMBER], "left_out": 1}, LIMITS)

    assert found is not None
    assert (found.members[0].path, found.left_out) == ("in/a.txt", 1)
    assert validated_contents(None, LIMITS) is None


@pytest.mark.parametrize(
    "members",
    [
        3 * [MEMBER],
        2 * [MEMBER],
        [MEMBER | {"path": "../a.txt"}],
        [MEMBER | {"path": "/etc/passwd"}],
        [MEMBER | {"path": "in/.access.yaml"}],
        [MEMBER | {"name": "in/a.txt"}],
        [MEMBER | {"file": "../../catalog.sqlite3"}],
        [MEMBER | {"file": -1}],
        [MEMBER | {"file": None}],
        [MEMBER | {"modified": "yesterday"}],
        [MEMBER | {"more": 1}],
        ["a.txt"],
    ],
)
def test_an_archive_s_contents_that_break_a_promise_are_refused(members: list[object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        validated_contents({"members": members, "left_out": 0}, LIMITS)
