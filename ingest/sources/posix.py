"""POSIX owner, group and mode as readers: who may read a file on this machine, reads it here.

Answered on the side of caution. Folders count up to the root of the file system, since who can't
pass one can't read what lies below. A right that an access control list may take away again is
not counted, and a group that is shut out of what others may do shuts out everyone.
"""

import os
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sovereign_rag.access import EVERYONE, parse_readers
from sovereign_rag.errors import BadInput

_ACL = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class FileMode:
    """What a file or folder grants: `r` of a file, `x` of a folder."""

    user: int
    group: int
    by_user: bool
    by_group: bool
    by_others: bool


def mode_of(path: Path, status: os.stat_result) -> FileMode:
    """What `path` grants, a folder to pass through or a file to be read."""
    folder = stat.S_ISDIR(status.st_mode)
    user, group, others = (
        (stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH)
        if folder
        else (stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH)
    )
    # With an access control list the group's bits are its mask, and say nothing of the group.
    listed = _has_acl(path)
    return FileMode(
        user=status.st_uid,
        group=status.st_gid,
        by_user=bool(status.st_mode & user),
        by_group=bool(status.st_mode & group) and not listed,
        by_others=bool(status.st_mode & others) and not listed,
    )


def readers_of(file: FileMode, folders: tuple[FileMode, ...]) -> frozenset[str]:
    """The labels of who may read `file`, which lies in `folders` (all, up to the root)."""
    labels: set[str] = set()
    owner = user_name(file.user)
    if owner and file.by_user and all(_lets_user(f, file.user, owner) for f in folders):
        labels |= _label(f"user:{owner}")
    group = group_name(file.group)
    if group and file.by_group and all(_lets_group(f, file.group) for f in folders):
        labels |= _label(f"group:{group}")
    if file.by_others and file.by_group and all(f.by_others and f.by_group for f in folders):
        labels.add(EVERYONE)
    return frozenset(labels)


def folders_above(path: Path) -> tuple[FileMode, ...]:
    """What the folders from the root down to `path` grant, `path` among them."""
    return tuple(mode_of(folder, folder.stat()) for folder in (path, *path.parents))


def forget_names() -> None:
    """Ask the machine anew who is who; before each look through a folder."""
    for known in (user_name, group_name, _groups):
        known.cache_clear()


def _lets_user(folder: FileMode, uid: int, name: str) -> bool:
    if folder.user == uid:
        return folder.by_user
    return folder.by_group if folder.group in _groups(name) else folder.by_others


def _lets_group(folder: FileMode, gid: int) -> bool:
    return folder.by_group and (folder.group == gid or folder.by_others)


def _label(text: str) -> frozenset[str]:
    try:
        return parse_readers(text)
    except BadInput:  # a name with a blank or a comma is nobody's here
        return frozenset()


def _has_acl(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, _ACL))
    except OSError:  # there is none, or the file system has no such thing
        return False


@lru_cache(maxsize=1_024)
def user_name(uid: int) -> str | None:
    """The user's name on this machine, None for one without."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


@lru_cache(maxsize=1_024)
def group_name(gid: int) -> str | None:
    """The group's name on this machine, None for one without."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


@lru_cache(maxsize=1_024)
def _groups(name: str) -> frozenset[int]:
    import pwd

    return frozenset(os.getgrouplist(name, pwd.getpwnam(name).pw_gid))
