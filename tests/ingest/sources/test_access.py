"""Who may read: what sidecars, patterns, POSIX rights and metadata say, and what wins."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.sources import posix, sidecar
from ingest.sources.access import Access, AccessOrigin, Policy, Resolver, mapped
from ingest.sources.folder import FolderFiles
from ingest.sources.posix import FileMode, readers_of
from ingest.sources.sidecar import InvalidSidecar
from ingest.sources.source import Entry, Sidecar
from sovereign_rag.settings import MetadataMapping

ROOT = FileMode(user=0, group=0, by_user=True, by_group=True, by_others=True)


def entry(key: str, readers: frozenset[str] | None = None) -> Entry:
    name = key.rpartition("/")[2]
    return Entry(key, f"file:///{key}", name, "1", 1, datetime.now(UTC), readers=readers)


def access(policy: Policy, key: str, *sidecars: Sidecar) -> Access:
    return Resolver.of(policy, sidecars).access(entry(key))


@pytest.mark.parametrize(
    ("text", "readers", "level"),
    [
        ("readers: everyone", {"everyone"}, None),
        ("readers: group:hr, user:ana", {"group:hr", "user:ana"}, None),
        ("readers: [group:hr, user:ana]\nlevel: 3", {"group:hr", "user:ana"}, 3),
        ("readers: nobody", set(), None),
        ("readers: []", set(), None),
        ("level: 2", None, 2),
        ("# told by a comment\n\nreaders:\n  - group:Straße\n", {"group:Straße"}, None),
    ],
)
def test_a_sidecar_says_who_may_read(
    text: str, readers: set[str] | None, level: int | None
) -> None:
    rule = sidecar.parse(text.encode()).general

    assert (rule.readers, rule.level) == (readers, level)


@pytest.mark.parametrize(
    ("text", "line", "way_out"),
    [
        ("", "", "readers"),
        ("readers: [finance]", "line 1", "group:NAME"),
        ("level: 1\nreaders: group:a\nowner: bo", "line 3", "the keys are"),
        ("readers: everyone\nreaders: nobody", "line 2", "keep one"),
        ("level: high", "line 1", "whole number"),
        ("level: 5000", "line 1", "1000"),
        ("readers: [[group:a]]", "line 1", "list or a table"),
        ("- everyone", "line 1", "key: value"),
        ("files:\n  '*.pdf': {level: 3}", "line 2", "needs readers"),
        ("files:\n  '': everyone", "", "*.pdf"),
        ("readers: &a [group:a]\nlevel: *a", "line 1", "write it out"),
        ("readers: [group:a", "line 1", "YAML"),
        ("[" * 40, "line 1", "nested"),
        ("readers: [group:a, '']", "line 1", "empty name"),
        ("readers:\n", "line 1", "nobody"),
        ("readers: everyone\n" + "#" * sidecar.MAX_BYTES, "", "short"),
    ],
)
def test_a_sidecar_that_is_not_understood_says_where_and_what_to_do(
    text: str, line: str, way_out: str
) -> None:
    with pytest.raises(InvalidSidecar) as refused:
        sidecar.parse(text.encode())

    assert line in str(refused.value)
    assert way_out in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "path", "means"),
    [
        ("*.pdf", "a.pdf", True),
        ("*.pdf", "deep/down/a.pdf", True),
        ("*.pdf", "a.pdf.txt", False),
        ("board/*", "board/a.pdf", True),
        ("board/*", "board/old/a.pdf", False),
        ("board/**", "board/old/a.pdf", True),
        ("**/secret/*", "a/b/secret/c", True),
        ("**/secret/*", "secret/c", True),
        ("/top.md", "top.md", True),
        ("/top.md", "below/top.md", False),
        ("a?c", "abc", True),
        ("a[b]c", "a[b]c", True),
        ("a[b]c", "abc", False),
    ],
)
def test_a_pattern_with_a_slash_means_paths_and_one_without_names(
    pattern: str, path: str, means: bool
) -> None:
    assert sidecar.matches(pattern, path) is means


def test_the_access_file_nearest_to_a_document_says_who_may_read_it() -> None:
    policy = Policy(
        readers=frozenset({"everyone"}), level=1, paths=(("a/*.pdf", frozenset({"group:paths"})),)
    )
    top = Sidecar("a", b"readers: group:top\nlevel: 4")
    near = Sidecar("a/b", b"readers: group:near\nlevel: 0")

    assert access(policy, "x.md") == Access(frozenset({"everyone"}), 1, AccessOrigin.READERS)
    assert access(policy, "a/x.pdf") == Access(frozenset({"group:paths"}), 1, AccessOrigin.PATHS)
    assert access(policy, "a/x.pdf", top) == Access(
        frozenset({"group:top"}), 4, AccessOrigin.SIDECAR
    )
    # A sidecar can't lower what the source demands.
    assert access(policy, "a/b/x", top, near) == Access(
        frozenset({"group:near"}), 1, AccessOrigin.SIDECAR
    )


def test_a_sidecar_that_says_a_level_alone_leaves_the_readers_to_the_next() -> None:
    outer, inner = Sidecar("", b"readers: group:staff"), Sidecar("a", b"level: 2")

    assert access(Policy(), "a/x", outer, inner) == Access(
        frozenset({"group:staff"}), 2, AccessOrigin.SIDECAR
    )


def test_below_an_invalid_sidecar_nobody_reads_whatever_nearer_ones_say() -> None:
    wrong, near = Sidecar("a", b"readers: [x]"), Sidecar("a/b", b"readers: everyone")
    policy = Policy(readers=frozenset({"everyone"}))

    assert access(policy, "a/b/x", wrong, near).readers == frozenset()
    assert access(policy, "a/b/x", wrong, near).origin is AccessOrigin.INVALID
    assert access(policy, "ab/x", wrong).readers == {"everyone"}


def test_where_nobody_says_anything_nobody_reads() -> None:
    assert access(Policy(), "x") == Access(frozenset(), 0, AccessOrigin.UNKNOWN)


def test_a_place_that_is_to_be_honoured_and_says_nothing_gives_nobody() -> None:
    policy = Policy(readers=frozenset({"everyone"}), honours=AccessOrigin.POSIX)
    resolver = Resolver.of(policy, [])

    assert resolver.access(entry("x", frozenset())).readers == frozenset()
    assert resolver.access(entry("x", frozenset({"user:ana"}))).readers == {"user:ana"}


@pytest.mark.parametrize(
    ("mapping", "values", "readers"),
    [
        ({"key": "g"}, ("hr", "board"), {"group:hr", "group:board"}),
        ({"key": "g", "kind": "user"}, ("ana",), {"user:ana"}),
        ({"key": "g", "kind": "label"}, ("everyone", "group:x"), {"everyone", "group:x"}),
        ({"key": "g"}, ("everyone",), {"group:everyone"}),
        ({"key": "g"}, ("no good name",), set()),
        ({"key": "g"}, ("x,everyone",), set()),
        ({"key": "g"}, (), set()),
        ({"key": "g", "values": {"HR Dept": "group:hr"}}, ("HR Dept", "else"), {"group:hr"}),
    ],
)
def test_metadata_names_readers_by_its_mapping(
    mapping: dict[str, object], values: tuple[str, ...], readers: set[str]
) -> None:
    assert mapped(MetadataMapping.model_validate(mapping), values) == readers


def mode(user: int, group: int, bits: int) -> FileMode:
    """`bits` as 0o640 has them for reading, or 0o710 for passing a folder: one digit each."""
    user_bit, group_bit, other_bit = (bits >> 6) & 1, (bits >> 3) & 1, bits & 1
    return FileMode(user, group, bool(user_bit), bool(group_bit), bool(other_bit))


ME = posix.user_name(os.getuid()) or ""
MINE = posix.group_name(os.getgid()) or ""


@pytest.mark.parametrize(
    ("file", "folder", "readers"),
    [
        (0o111, 0o111, {"user", "group", "everyone"}),
        (0o110, 0o111, {"user", "group"}),
        (0o100, 0o111, {"user"}),
        (0o000, 0o111, set()),
        (0o101, 0o111, {"user"}),  # others may, the group may not: everyone is too many
        (0o111, 0o110, {"user", "group"}),
        (0o111, 0o100, {"user"}),
        (0o111, 0o000, set()),
    ],
)
def test_posix_rights_are_those_of_the_file_and_of_every_folder_above(
    file: int, folder: int, readers: set[str]
) -> None:
    uid, gid = os.getuid(), os.getgid()
    labels = {"user": f"user:{ME}", "group": f"group:{MINE}", "everyone": "everyone"}

    found = readers_of(mode(uid, gid, file), (mode(uid, gid, folder), ROOT))

    assert found == {labels[kind] for kind in readers}


def test_who_has_no_name_on_this_machine_is_no_reader() -> None:
    nameless = 3_999_999_999

    assert readers_of(mode(nameless, nameless, 0o110), (ROOT,)) == frozenset()
    assert readers_of(mode(nameless, nameless, 0o111), (ROOT,)) == {"everyone"}


def test_a_folder_tells_the_posix_readers_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "a.txt").chmod(0o600)
    tmp_path.chmod(0o700)

    (found,) = FolderFiles("x", tmp_path, honours_posix=True).list().entries

    assert found.readers == frozenset({f"user:{ME}"})


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda place: place.symlink_to("/dev/null"), "link"),
        (lambda place: place.mkdir(), "readable file"),
    ],
)
def test_a_sidecar_that_is_no_plain_file_closes_its_folder(
    tmp_path: Path, make: "object", problem: str
) -> None:
    make(tmp_path / sidecar.NAME)  # type: ignore[operator]  # a table of ways to make it

    (found,) = FolderFiles("x", tmp_path).list().sidecars

    assert problem in (found.problem or "")


def test_a_misnamed_sidecar_closes_its_folder_too(tmp_path: Path) -> None:
    (tmp_path / ".access.yml").write_text("readers: everyone")

    (found,) = FolderFiles("x", tmp_path).list().sidecars

    assert ".access.yaml" in (found.problem or "")
