"""What all bodies share."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A body that goes out."""

    # Built when first used: a program's client pays for no body that it never sees.
    model_config = ConfigDict(frozen=True, defer_build=True)

    def plain(self) -> dict[str, Any]:
        """As `json.dumps` takes it."""
        return self.model_dump(mode="json")


def iso(moment: datetime | None) -> str | None:
    """ISO 8601."""
    return None if moment is None else moment.isoformat()
