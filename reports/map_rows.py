"""Rows of a map of a medium's weaknesses in a run's directory, where somebody put one (``vhc-bench map MEDIUM --out RUN``)."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import fields
from typing import Any, TypeVar

from reports.catalogue import ReportError
from reports.run import Run

T = TypeVar("T")


def rows(run: Run, medium: str, key: str, kind: type[T]) -> list[T]:
    """Of ``MEDIUM-map.json`` the columns that ``kind`` (a dataclass) has, of each row below ``key``; none without a map.
    ReportError when the file is none of the map's."""
    path = run.directory / f"{medium}-map.json"
    if not path.is_file():
        return []
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    try:
        return [kind(**{name: row[name] for name in names}) for row in json.loads(path.read_bytes())[key]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReportError(f"{path} is no table of 'vhc-bench map {medium}': {error!r}") from error


def known(run: Run, medium: str, *said: tuple[Collection[Any], Collection[Any]]) -> None:
    """ReportError when a map says something that is not among what the report knows."""
    unknown = sorted({str(one) for found, there in said for one in found if one not in there})
    if unknown:
        raise ReportError(f"{run.directory / f'{medium}-map.json'} names {', '.join(unknown)}, which this report does not know")


__all__ = ["known", "rows"]
