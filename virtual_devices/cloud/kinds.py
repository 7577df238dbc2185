"""Every kind of row that the data centre keeps, found in the modules of this package. A database has a table of each; after one
was added or changed, ``./bench.sh revision TEXT`` makes the step that brings databases there."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import virtual_devices.cloud
from virtual_devices.cloud.books import Kind
from virtual_devices.errors import UsageError


def _kinds() -> tuple[Kind[Any], ...]:
    found: dict[str, Kind[Any]] = {}
    for module in pkgutil.iter_modules(virtual_devices.cloud.__path__):
        if f"{virtual_devices.cloud.__name__}.{module.name}" == __name__:
            continue
        for value in vars(importlib.import_module(f"{virtual_devices.cloud.__name__}.{module.name}")).values():
            if isinstance(value, Kind) and found.setdefault(value.name, value) is not value:
                raise UsageError(f"two kinds of row are called {value.name}")
    return tuple(found[name] for name in sorted(found))


KINDS = _kinds()

__all__ = ["KINDS"]
