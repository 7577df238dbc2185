"""What every structure that is handed on has: nothing beside what is named, and nothing that changes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=10_000)]


class Closed(BaseModel):
    """Nothing beside what is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


__all__ = ["Closed", "Text"]
