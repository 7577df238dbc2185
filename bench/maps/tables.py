"""What the tables of all maps have in common: how they are written, described and read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, ValidationError

from virtual_devices.errors import UsageError

M = TypeVar("M", bound=BaseModel)
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Count = Annotated[int, pydantic.Field(ge=0)]
Time = Annotated[float, pydantic.Field(ge=0)]
CLOSED = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def to_json(table: BaseModel) -> bytes:
    return (table.model_dump_json(indent=1) + "\n").encode()


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def schema(kind: type[BaseModel]) -> bytes:
    """The JSON schema of a table: nothing beside what it names is allowed."""
    return (json.dumps(kind.model_json_schema(), indent=1, ensure_ascii=False) + "\n").encode()


def load(path: Path, kind: type[M], command: str) -> M:
    """Read a table back. ``command``: what makes one. Raises UsageError, which names the place."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror or e}") from e
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"{path} is no table of 'vhc-bench {command}': {where}: {first['msg']}") from e


__all__ = ["CLOSED", "Count", "Share", "Time", "load", "schema", "to_csv", "to_json"]
