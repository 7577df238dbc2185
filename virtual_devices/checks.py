"""Descriptions that check themselves field by field: what a scenario file, a test or a program puts into them.

A description is a frozen dataclass. Bounds of one field stand in its metadata (:func:`bounded`); what else must hold of a
field, alone or beside the fields before it, is the class's ``check_field``. Both are asked for each field by itself, so that
whoever reads a whole file can name every fault at its own place; the dataclass asks them all when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any, Protocol, runtime_checkable

_HOLDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": ("at least", lambda value, bound: value >= bound),
    "gt": ("more than", lambda value, bound: value > bound),
    "le": ("at most", lambda value, bound: value <= bound),
    "lt": ("less than", lambda value, bound: value < bound),
}


class Unfit(ValueError):
    """A value that does not fit. ``fields`` are those at which it can be mended, the likeliest first."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.fields = names


@runtime_checkable
class Checked(Protocol):
    """A description with more to check than bounds."""

    @staticmethod
    def check_field(name: str, value: Any, before: Mapping[str, Any]) -> None:
        """Raise Unfit when the field's value is wrong. ``before`` has the fields before it that are right by themselves:
        one that is missing there is not to be relied on."""
        ...


def bounded(default: Any, **bounds: float) -> Any:
    """A dataclass field with a default and bounds: ``ge``, ``gt``, ``le``, ``lt``."""
    if bounds.keys() - _HOLDS.keys():
        raise TypeError(f"{', '.join(sorted(bounds.keys() - _HOLDS.keys()))}: bounds are {', '.join(_HOLDS)}")
    return field(default=default, metadata=bounds)


def check(described: Any) -> None:
    """Check a description whole, for its ``__post_init__``. Raises Unfit for the first field that is wrong."""
    before: dict[str, Any] = {}
    for each in fields(described):
        value = getattr(described, each.name)
        for kind, bound in each.metadata.items():
            words, holds = _HOLDS[kind]
            if not holds(value, bound):
                raise Unfit(f"{each.name} must be {words} {bound:g}, is {value}", each.name)
        if isinstance(described, Checked):
            described.check_field(each.name, value, before)
        before[each.name] = value
