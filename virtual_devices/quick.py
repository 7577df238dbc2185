"""What every exchange makes and looks up by the dozen, in half the time.

``dataclass(frozen=True)`` sets each field through ``object.__setattr__``, because its own refuses: the dearest way there is. With
:func:`quick` an object is filled while it is of a subclass that does not refuse, and is then given its own class: frozen all the
same. ``Enum`` hashes its members by their names, in Python; each is there once, so its identity will do (:class:`QuickEnum`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from enum import Enum
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class QuickEnum(Enum):
    """For members that are keys of tables and stand in sets."""

    __hash__ = object.__hash__


def quick(cls: type[T]) -> type[T]:
    """For a class that is ``@dataclass(frozen=True, slots=True)`` and has no subclasses. Raises TypeError for another."""
    made: Any = cls
    if not made.__dataclass_params__.frozen or "__slots__" not in made.__dict__:
        raise TypeError(f"{cls.__name__} is no frozen dataclass with slots")
    given = [each.name for each in fields(made) if each.init]
    made.__new__ = _constructor(cls, checks=hasattr(cls, "__post_init__"))
    made.__reduce__ = lambda self: (cls, tuple(getattr(self, name) for name in given))
    del made.__init__
    return cls


def unchecked(cls: type[T]) -> Callable[..., T]:
    """A quick class's constructor without its ``__post_init__``: for values that are known to fit."""
    return partial(_constructor(cls, checks=False), cls)


def _constructor(cls: type[T], checks: bool) -> Callable[..., T]:
    unlocked = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    scope: dict[str, Any] = {"_new": object.__new__, "_unlocked": type(cls.__name__, (cls,), unlocked), "_missing": MISSING}
    held = [each for each in fields(cls) if each.init or each.default is not MISSING]  # type: ignore[arg-type]
    for each in held:
        scope[f"_{each.name}"] = each.default if each.default_factory is MISSING else each.default_factory
    exec(_source(held, checks), scope)  # a constructor with other parameters than these is slow
    constructor: Callable[..., T] = scope["__new__"]
    return constructor


def _source(held: list[Field[Any]], checks: bool) -> str:
    """Python's text of the constructor, as ``dataclasses`` writes that of ``__init__``."""
    parameters, sets = [], []
    for each in held:
        name, value = each.name, each.name
        if not each.init:
            sets.append(f"    self.{name} = _{name}\n")
            continue
        if each.default is not MISSING:
            name = f"{name}=_{name}"
        if each.default_factory is not MISSING:
            name, value = f"{name}=_missing", f"_{name}() if {name} is _missing else {name}"
        parameters.append(name)
        sets.append(f"    self.{each.name} = {value}\n")
    return (
        f"def __new__(cls, {', '.join(parameters)}):\n    self = _new(_unlocked)\n{''.join(sets)}    self.__class__ = cls\n"
        + ("    self.__post_init__()\n" if checks else "")
        + "    return self\n"
    )


__all__ = ["QuickEnum", "quick", "unchecked"]
