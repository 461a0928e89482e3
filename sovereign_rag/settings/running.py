"""Which settings may be changed while the service runs, and what they are then."""

import logging
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from sovereign_rag.errors import SettingsError
from sovereign_rag.settings.load import Settings

log = logging.getLogger(__name__)

RUNNING: Final = (
    *("house.name", "house.notice", "house.accent", "house.accent_dark", "server.contact"),
    *("answer.min_confidence", "answer.near_confidence", "answer.min_scan_confidence"),
    *("answer.max_extracts", "answer.unsupported", "answer.curated_likeness"),
    *("history.keep_days", "server.max_question_chars", "server.max_upload_mib"),
    *("limits.key_requests", "limits.person_requests", "limits.tenant_requests"),
    *("limits.key_tokens", "limits.person_tokens", "limits.tenant_tokens"),
)
"""No address, no folder, no file, no secret: nothing that opens the machine to who changes it."""

MODEL: Final = "generation.model"
"""Changed on the page of models alone, to the name of one that was imported."""


def may_change(settings: Settings, name: str) -> bool:
    """Whether a setting is the console's to change; the machine's own word is stronger."""
    return name in RUNNING and settings.origin(name) not in ("environment", "command")


def may_switch_model(settings: Settings) -> bool:
    """Whether the console may have another imported model write: a file of this machine writes
    as the settings stand, and neither the environment nor the command line names it.
    """
    said = settings.origin(MODEL) in ("environment", "command")
    return not said and not settings.generation.endpoint.urls


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values, by dotted name.

    What can't be any more, as after an update, or is not the console's to change, is passed over
    with a word in the log.
    """
    for name, value in values.items():
        if not (may_switch_model(settings) if name == MODEL else may_change(settings, name)):
            log.warning("The console's value of %s is not used: another place says it.", name)
            continue
        try:
            settings = with_value(settings, name, value)
        except SettingsError as error:
            log.warning("The console's value of %s is not used: %s", name, error)
    return settings


def with_value(settings: Settings, name: str, value: Any) -> Settings:
    """The settings with one value. Raises SettingsError: it can't have that."""
    section_name, _, field = name.partition(".")
    section: BaseModel = getattr(settings, section_name)
    given = {key: getattr(section, key) for key in type(section).model_fields}
    if name == MODEL:
        given["sha256"] = None  # that of the settings' own; an imported one is held to its list's
    try:
        new = type(section).model_validate({**given, field: value})
    except ValidationError as error:
        reasons = "; ".join(str(one["msg"]) for one in error.errors())
        raise SettingsError(f"{name} can't be {value!r}: {reasons}") from error
    return settings.model_copy(update={section_name: new})


def value_of(settings: Settings, name: str) -> Any:
    """As JSON takes it."""
    section, _, field = name.partition(".")
    return getattr(settings, section).model_dump(mode="json", include={field})[field]


def read(name: str, text: str) -> Any:
    """What was typed for a setting: lists by commas, nothing for none."""
    said = text.strip()
    if _is_list(name):
        return [part.strip() for part in said.split(",") if part.strip()]
    return said or None


def choices(name: str) -> tuple[str, ...]:
    """What a setting of a few words may be; none: it is free."""
    annotation = _field(name)
    return tuple(map(str, get_args(annotation))) if str(get_origin(annotation)) == _LITERAL else ()


_LITERAL: Final = "typing.Literal"


def _is_list(name: str) -> bool:
    return get_origin(_field(name)) is tuple


def _field(name: str) -> Any:
    section, _, field = name.partition(".")
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model.model_fields[field].annotation
