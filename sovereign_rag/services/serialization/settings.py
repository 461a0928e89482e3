"""Settings, as they go out; of a secret only that there is one."""

from datetime import datetime
from typing import Self

from pydantic import Field

from sovereign_rag.services.serialization.body import Body
from sovereign_rag.services.settings_desk import SettingView
from sovereign_rag.settings.load import Origin


class SettingOut(Body):
    """A setting as it is at this moment."""

    name: str = Field(description="Dotted: `history.keep_days`.")
    value: str | None = Field(description="As one types it: lists by commas. None: not said.")
    secret: bool = Field(description="Its value is not shown.")
    origin: Origin = Field(description="Where it was said; the strongest place.")
    description: str
    can_change: bool = Field(description="Here, while the service runs.")
    choices: list[str] = Field(description="What it may be; empty: it is free.")
    before: str | None = Field(description="What one step back makes of it, where it was changed.")
    changed: datetime | None
    changed_by: str | None = Field(description="A label: user:adam, or owner.")

    @classmethod
    def of(cls, view: SettingView) -> Self:
        change = view.change
        return cls(
            name=view.name,
            value=view.value or None,
            secret=view.is_secret,
            origin=view.origin,
            description=view.description,
            can_change=view.can_change,
            choices=list(view.choices),
            before=(view.before or None) if change else None,
            changed=change.changed if change else None,
            changed_by=change.changed_by if change else None,
        )


class SettingsOut(Body):
    settings: list[SettingOut]
