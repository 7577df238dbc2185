"""One module a subject, each with ``router(service)``; found by looking into this folder."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def modules() -> list[ModuleType]:
    """Every module of routes, by name."""
    return [import_module(f"{__name__}.{info.name}") for info in sorted(iter_modules(__path__), key=lambda info: info.name)]


__all__ = ["modules"]
