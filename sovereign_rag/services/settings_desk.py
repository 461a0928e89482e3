"""The settings in effect: what each is, what it does, where it was said; some are changed here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from sovereign_rag.access import Principal
from sovereign_rag.catalog.setting_values import SettingValue, SettingValues
from sovereign_rag.errors import NotFound, SettingsError
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.running_settings import RunningSettings
from sovereign_rag.services.settings_record import without_password
from sovereign_rag.settings import Settings, names, variable
from sovereign_rag.settings.load import Origin
from sovereign_rag.settings.running import (
    MODEL,
    choices,
    may_change,
    may_switch_model,
    read,
    value_of,
    with_value,
)
from sovereign_rag.storage.audit import AuditTrail, entry

_ELSEWHERE: Final = frozenset({"sources", "front_ends", "webhooks"})
"""Sections that belong to tenants."""


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting as it is shown; of a secret only whether there is one."""

    name: str  # dotted
    value: str
    is_secret: bool
    is_default: bool
    origin: Origin
    variable: str  # of the environment
    description: str
    can_change: bool = False  # on the console, while the service runs
    choices: tuple[str, ...] = ()  # what it may be; none: it is free
    change: SettingValue | None = None  # what was changed last on the console
    before: str = ""  # what one step back makes of it

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]


class SettingsDesk:
    """Shows them and changes some; each on the record before it is done."""

    def __init__(
        self,
        *,
        running: RunningSettings,
        values: SettingValues,
        audit: AuditTrail,
        operations: OperationRecorder,
        follow: Callable[[], object],
    ) -> None:
        """`follow` has this process take up what was changed, at once."""
        self._running, self._values, self._audit = running, values, audit
        self._operations, self._follow = operations, follow

    def all(self, asker: Principal, *, changed: bool = False) -> tuple[SettingView, ...]:
        """Every setting, or those that are not at their defaults. Raises AuditError."""
        self._audit.append(entry("settings.show", asker, {}))
        views = self._views()
        return tuple(view for view in views if not changed or not view.is_default)

    def change(self, name: str, typed: str, asker: Principal) -> None:
        """Give a setting another value; every process follows within seconds.

        Args:
            typed: As somebody types it: lists by commas, nothing for none.

        Raises:
            NotFound: There is no such setting, or it is not changed here.
            SettingsError: It can't have that value.
            AuditError: It can't be recorded; it stays as it is.
        """
        self._require(name)
        self._put(name, {"value": self._checked(name, read(name, typed))}, asker)

    def undo(self, name: str, asker: Principal) -> None:
        """Give a setting the value that it had before; done twice, it is as it was.

        Raises:
            NotFound: It was not changed here.
            AuditError: It can't be recorded; it stays as it is.
        """
        self._require(name)
        row = self._rows().get(name)
        if row is None:
            raise NotFound(f"{name} was not changed here, so there is nothing to undo.")
        self._put(name, row.before, asker)

    def _put(self, name: str, value: dict[str, Any], asker: Principal) -> None:
        told = {"setting": name, "old": value_of(self._running.settings, name)}
        new = value["value"] if value else value_of(self._running.base, name)
        with self._operations.begun("setting.change", asker, {**told, "new": new}):
            self._values.put(name, value, asker.label)
        self._follow()

    def _checked(self, name: str, value: Any) -> Any:
        settings = with_value(self._running.settings, name, value)
        answer = settings.answer
        if answer.near_confidence > answer.min_confidence:
            raise SettingsError(
                "answer.near_confidence lies at answer.min_confidence or below: from the one on "
                "passages are shown as the nearest, from the other on as an answer."
            )
        return value_of(settings, name)

    def _require(self, name: str) -> None:
        if not may_change(self._running.base, name):
            raise NotFound(
                f"{name!r} is not changed here: it stands in the environment or on the command "
                "line, or takes a start anew. Whoever looks after the machine changes it."
            )

    def _rows(self) -> dict[str, SettingValue]:
        return {row.name: row for row in self._values.all()}

    def _views(self) -> Iterator[SettingView]:
        defaults, settings, rows = Settings.model_construct(), self._running.settings, self._rows()
        base = self._running.base
        for name, description in names().items():
            if name in _ELSEWHERE:
                continue
            value, row = _at(settings, name), rows.get(name)
            can_change = may_change(base, name)
            here = can_change or (name == MODEL and may_switch_model(base))
            is_said_here = here and row is not None and bool(row.value)
            before = None if row is None else row.before.get("value", _at(base, name))
            yield SettingView(
                name=name,
                value=_shown(value),
                is_secret=isinstance(value, SecretStr),
                is_default=value == _at(defaults, name),
                origin="console" if is_said_here else base.origin(name),
                variable=variable(name),
                description=description,
                can_change=can_change,
                choices=choices(name) if can_change else (),
                change=row if can_change else None,
                before=_shown(before),
            )


def _at(settings: BaseModel, name: str) -> object:
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _shown(value: object) -> str:
    if value is None or value == () or value == {} or value == "":
        return ""
    if isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_shown(item)}" for key, item in value.items())
    if isinstance(value, BaseModel):
        return _shown({key: getattr(value, key) for key in type(value).model_fields})
    return without_password(str(value)) if isinstance(value, str | Path) else str(value)
