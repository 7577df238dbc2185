"""Plain frozen dataclasses as pydantic types: what the devices' own descriptions need to be checked as part of a file.

``virtual_devices`` imports nothing of ours and no pydantic, so its descriptions (``Network``, ``Fault``) are dataclasses.
:func:`mirrored` makes, for each, a pydantic model with the same fields that forbids unknown keys and, when all fields
fit, builds the dataclass itself. Its bounds become the model's own, and its ``check_field`` (``virtual_devices.checks``) is
asked for each field by itself, so that every fault is named at its own place. A union of dataclasses is told apart by the one
field that is a ``Literal`` in all of them, and that field must then be written.

A field is described by the text under it, in a dataclass as in a pydantic model; editors show it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pydantic
from pydantic import AfterValidator, ConfigDict, Discriminator, ValidationInfo

from scenarios.fitting import unfit
from virtual_devices.checks import Checked

CONFIG = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
"""How everything in a scenario file is checked."""


class _Table(dict[str, Any]):
    """A description as a table; a mapping that a description holds stays a plain dict, which is given whole or not at all."""


def _plain(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return _Table({name: _plain(getattr(value, name)) for name in type(value).model_fields})
    if is_dataclass(value):
        return _Table({f.name: _plain(getattr(value, f.name)) for f in fields(value)})
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def filled(model: type[pydantic.BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """The file's values, with what a part of an inner table leaves out as it is in the *outer* table's default for it.

    Without this, ``consultation.staff = 2`` would take the service times of any station, not the consultation's own. An
    alternative (a table with ``kind``) is filled only by a default of the same kind.
    """
    return {name: _under(_default_of(model, name, value), value) for name, value in given.items()}


def _default_of(model: type[pydantic.BaseModel], name: str, given: Any) -> Any:
    """The table's default; where the description has a ``template`` for what is given (a class of lines), that."""
    if name not in model.model_fields:
        return None
    try:
        default = model.model_fields[name].get_default(call_default_factory=True)
        template = getattr(default, "template", None)
        if template is not None and isinstance(given, dict):
            default = template(given) or default
        return _plain(default)
    except pydantic.ValidationError:  # a situation whose parameters have no defaults
        return None


def _under(default: Any, given: Any) -> Any:
    if not isinstance(default, _Table) or not isinstance(given, dict) or default.get("kind") != given.get("kind"):
        return given
    return {**default, **{name: _under(default.get(name), value) for name, value in given.items()}}


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
    hints, said = get_type_hints(kind), described(kind)
    definitions: dict[str, Any] = {
        f.name: (mirrored(hints[f.name]), _default(f, tag, said.get(f.name))) for f in fields(kind)
    }
    model: type[pydantic.BaseModel] = pydantic.create_model(
        kind.__name__,
        # Its fields bring their descriptions along; pydantic would look for a class statement through every module there is.
        __config__=ConfigDict(**{**CONFIG, "use_attribute_docstrings": False}, title=kind.__name__),
        __doc__=inspect.cleandoc(kind.__doc__ or ""),
        __validators__=_field_checks(kind),
        **definitions,
    )

    def build(checked: pydantic.BaseModel) -> Any:
        return kind(**{name: getattr(checked, name) for name in type(checked).model_fields})

    return Annotated[model, AfterValidator(build)]


def _field_checks(kind: type) -> dict[str, Any]:
    if not isinstance(kind, Checked):
        return {}

    def check(value: Any, info: ValidationInfo) -> Any:
        try:
            kind.check_field(str(info.field_name), value, info.data)
        except ValueError as error:
            raise unfit(error) from error
        return value

    return {"check": pydantic.field_validator("*", mode="after")(check)}


def described(kind: type) -> dict[str, str]:
    """The text under each field of a class, as pydantic takes it from its own models (``use_attribute_docstrings``).

    OSError when the class's source cannot be read.
    """
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(made, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(made.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def _default(field: Field[Any], tag: str, description: str | None) -> Any:
    if field.name != tag:
        if field.default is not MISSING:
            checked = not is_dataclass(field.default)  # a default may be wrong beside what was written
            return pydantic.Field(field.default, description=description, validate_default=checked, **field.metadata)
        if field.default_factory is not MISSING:
            return pydantic.Field(default_factory=field.default_factory, description=description)
    return pydantic.Field(description=description, **field.metadata)


def _tag(members: tuple[Any, ...]) -> str:
    """The field by which the members differ. TypeError when there is none: that is a mistake in the code, not in a file."""
    first, *others = (get_type_hints(member) for member in members)
    for name, hint in first.items():
        if get_origin(hint) is Literal and all(get_origin(other.get(name)) is Literal for other in others):
            return name
    raise TypeError(f"{[member.__name__ for member in members]} share no Literal field to tell them apart")
