"""Plain frozen dataclasses as pydantic types: what the devices' own descriptions need to be checked as part of a file.

``virtual_devices`` imports nothing of ours and no pydantic, so its descriptions (``Network``, ``Fault``) are dataclasses.
:func:`mirrored` makes, for each, a pydantic model with the same fields that forbids unknown keys and, when all fields
fit, builds the dataclass itself. A ValueError of its ``__post_init__`` becomes a fault of its table. A union of
dataclasses is told apart by the one field that is a ``Literal`` in all of them, and that field must then be written.
"""

from __future__ import annotations

import inspect
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pydantic
from pydantic import AfterValidator, ConfigDict, Discriminator

CONFIG = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
"""How everything in a scenario file is checked."""


def mirrored(kind: Any) -> Any:
    """The type to annotate a pydantic field with so that it takes a table and gives ``kind``."""
    if isinstance(kind, type) and is_dataclass(kind):
        return _mirror(kind, "")
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType) and all(is_dataclass(member) for member in arguments):
        tag = _tag(arguments)
        members = tuple(_mirror(member, tag) for member in arguments)
        return Annotated[Union[members], Discriminator(tag)]  # noqa: UP007 (made of a tuple)
    if get_origin(kind) in (list, tuple, dict):
        return get_origin(kind)[tuple(a if a is ... else mirrored(a) for a in arguments)]
    return kind


@cache
def _mirror(kind: type, tag: str) -> Any:
    hints = get_type_hints(kind)
    definitions: dict[str, Any] = {f.name: (mirrored(hints[f.name]), _default(f, tag)) for f in fields(kind)}
    model: type[pydantic.BaseModel] = pydantic.create_model(
        kind.__name__,
        __config__=ConfigDict(**CONFIG, title=kind.__name__),
        __doc__=inspect.cleandoc(kind.__doc__ or ""),
        **definitions,
    )

    def build(checked: pydantic.BaseModel) -> Any:
        return kind(**{name: getattr(checked, name) for name in type(checked).model_fields})

    return Annotated[model, AfterValidator(build)]


def _default(field: Field[Any], tag: str) -> Any:
    description = field.metadata.get("description")
    if field.name != tag:
        if field.default is not MISSING:
            return pydantic.Field(field.default, description=description)
        if field.default_factory is not MISSING:
            return pydantic.Field(default_factory=field.default_factory, description=description)
    return pydantic.Field(description=description)


def _tag(members: tuple[Any, ...]) -> str:
    """The field by which the members differ. TypeError when there is none: that is a mistake in the code, not in a file."""
    first, *others = (get_type_hints(member) for member in members)
    for name, hint in first.items():
        if get_origin(hint) is Literal and all(get_origin(other.get(name)) is Literal for other in others):
            return name
    raise TypeError(f"{[member.__name__ for member in members]} share no Literal field to tell them apart")
