"""One file a medium, towards a device under test.

A driver module has ``open(spec)``, where ``spec`` is the moniker without its scheme, and ``discover()``. The module's
name is the scheme: ``pcsc:ACS*`` is opened by :mod:`bench.drivers.pcsc`. Nothing here imports a driver, because each
needs its own library and a worker process must start fast: :func:`driver` does, on demand.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

MEDIA = tuple(sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")))
"""The schemes that have a driver, found by looking into this folder."""


def driver(medium: str) -> ModuleType:
    """The driver module of one of :data:`MEDIA`."""
    return import_module(f"{__name__}.{medium}")


__all__ = ["MEDIA", "driver"]
