"""Every kind of row that the data centre keeps, found in the modules of its packages. A database has a table of each; after one
was added or changed, ``./bench.sh revision TEXT`` makes the step that brings databases there."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import virtual_devices.cloud
import virtual_devices.uploads
from virtual_devices.cloud.books import Kind
from virtual_devices.errors import UsageError

PACKAGES = (virtual_devices.cloud, virtual_devices.uploads)


def _kinds() -> tuple[Kind[Any], ...]:
    found: dict[str, Kind[Any]] = {}
    names = [f"{package.__name__}.{module.name}" for package in PACKAGES for module in pkgutil.iter_modules(package.__path__)]
    for name in names:
        if name == __name__:
            continue
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, Kind) and found.setdefault(value.name, value) is not value:
                raise UsageError(f"two kinds of row are called {value.name}")
    return tuple(found[name] for name in sorted(found))


KINDS = _kinds()

__all__ = ["KINDS"]
