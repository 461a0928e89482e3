"""Settings that are not what they were at the last start: which ones, from what, to what.

What was in force the last time is kept in the data folder, secrets as slow salted hashes alone:
enough to tell that one has changed, too little to guess it from.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from sovereign_rag.access import local_owner
from sovereign_rag.errors import AuditError
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditTrail, entry

FILE_NAME: Final = "settings-in-force.json"
CHANGED: Final = "settings.changed"

_MASKED: Final = "**********"
_USER_OF_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def record_changes(settings: Settings, audit: AuditTrail) -> None:
    """Record what differs from the last start; at the first one, from the defaults.

    Raises:
        AuditError: It can't be recorded; nothing may be done under settings that are on no record.
    """
    path = settings.data_dir / FILE_NAME
    before = _kept(path)
    salt = before["salt"] if before else secrets.token_hex(16)
    now = _in_force(settings, salt)
    then = before["settings"] if before else _in_force(Settings.model_construct(), salt)
    changes = {
        name: {"old": _shown(then.get(name)), "new": _shown(now.get(name))}
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    }
    if changes:
        audit.append(entry(CHANGED, local_owner(), {"settings": changes}))
    if changes or before is None:
        _keep(path, {"salt": salt, "settings": now})


def _in_force(settings: Settings, salt: str) -> dict[str, Any]:
    """Every setting by its dotted name; a secret as {"secret": hash}."""
    plain = dict(_flat(settings.model_dump(mode="json", warnings=False), ""))
    hidden = {name: _hash(*both, salt) for name, both in _secrets(settings, "")}
    return plain | hidden


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _secrets(value: Any, name: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What may not be shown, behind what may: secrets, and addresses with a password in them."""
    if isinstance(value, SecretStr):
        yield name, (_MASKED, value.get_secret_value())
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _secrets(getattr(value, field), f"{name}.{field}" if name else field)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, str) and _USER_OF_URL.search(value):
        yield name, (_USER_OF_URL.sub(_MASKED, value), value)


def without_password(text: str) -> str:
    """An address without the name and the password that stand in it."""
    return _USER_OF_URL.sub(_MASKED, text)


def _hash(shown: str, secret: str, salt: str) -> dict[str, str]:
    digest = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=1 << 14, r=8, p=1)
    return {"shown": shown, "hash": digest.hex()}


def _shown(value: Any) -> Any:
    return value["shown"] if isinstance(value, dict) else value


def _kept(path: Path) -> dict[str, Any] | None:
    """What was in force; None where that was never noted, or can't be read any more."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {"salt": str(kept["salt"]), "settings": dict(kept["settings"])}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None
    except OSError as error:
        raise AuditError(_trouble(path, error)) from error


def _keep(path: Path, content: Mapping[str, Any]) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
        new.replace(path)
    except OSError as error:
        raise AuditError(_trouble(path, error)) from error


def _trouble(path: Path, error: OSError) -> str:
    return (
        f"The settings in force can't be noted in {path}: {error.strerror}. Free disk space, or "
        "give this user the right to write there."
    )
