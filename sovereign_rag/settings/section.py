"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Read once and never changed; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
