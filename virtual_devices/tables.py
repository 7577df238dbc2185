"""The field's tables, kept as TOML beside the code and read when somebody first asks: importing stays cheap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Certainty(Enum):
    """How sure a fact is. Reports repeat the mark."""

    OFFICIAL = "official"  # a manual of the insurer says so
    PUBLIC = "public"  # seen in public programs only: a habit, not a rule
    INFERRED = "inferred"  # worked out here


@cache
def read_table(name: str) -> dict[str, Any]:
    """The table ``virtual_devices/data/<name>.toml`` as parsed, one object for all: do not change it."""
    import tomllib  # here, and not above: both take time that a mere import of the tables' users should not
    from importlib.resources import files

    return tomllib.loads((files("virtual_devices") / "data" / f"{name}.toml").read_text(encoding="utf-8"))


class LazyMapping(Mapping[K, V]):
    """A read-only mapping that is loaded at the first look into it."""

    def __init__(self, load: Callable[[], Mapping[K, V]]) -> None:
        self._load = load
        self._loaded: Mapping[K, V] | None = None

    def _mapping(self) -> Mapping[K, V]:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def __getitem__(self, key: K) -> V:
        return self._mapping()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._mapping())

    def __len__(self) -> int:
        return len(self._mapping())

    def __repr__(self) -> str:
        return f"LazyMapping({dict(self._mapping())!r})"
