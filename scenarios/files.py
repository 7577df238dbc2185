"""Scenario files: TOML that people edit. A file is checked whole, and every fault in it is named at once, with its place.

A situation is a module of this package with a frozen pydantic model ``Params`` and a function ``processes(world, params)``;
there is no list of them. A file names its situation and sets its parameters, the line to the data centre, and the faults
that shall strike; ``docs/reference/scenario-file.md`` has the format, :func:`schema` the same for editors.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Annotated, Any, Literal

import pydantic
from pydantic import AwareDatetime, BaseModel

import scenarios
from scenarios import checking, model_file, profiles
from scenarios.listing import Fault, ScenarioFaults
from scenarios.meant import get
from scenarios.mirror import CONFIG, mirrored
from scenarios.profiles import Stood
from scenarios.syntax import parse, read
from scenarios.wording import unit_of
from virtual_devices import faults
from virtual_devices.clock import TAIWAN
from virtual_devices.errors import UsageError
from virtual_devices.network import Network

NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})


class Run(BaseModel):
    """How often the scenario is played, and from which moment on."""

    model_config = CONFIG

    seed: Annotated[int, pydantic.Field(ge=0, lt=2**63)] = 1
    """Root of every random stream: the same seed gives the same run."""
    replications: Annotated[int, pydantic.Field(ge=1, le=10_000)] = 5
    """How many times the scenario is played, each time with other random numbers."""
    epoch: Annotated[AwareDatetime, pydantic.Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))] = (
        datetime(2026, 3, 2, 8, 0, tzinfo=TAIWAN)
    )
    """When a replication begins. With a real device in the rig, the wall clock takes its place."""
    horizon_h: Annotated[float, pydantic.Field(gt=0, le=24 * 366)] = 48.0
    """So long after the epoch nothing is tried any more; a record that still waits then is missing."""


class _File(BaseModel):
    """What every scenario file has; a situation adds its own ``params``."""

    model_config = CONFIG

    situation: str
    """The situation to play: a module of scenarios/."""
    title: Annotated[str, pydantic.Field(min_length=1)]
    """A short name, for reports."""
    description: str = ""
    """What the scenario is about, in a sentence or two."""
    profiles: tuple[str, ...] = ()
    """Latency profiles of devices, files beside this one: each stands for the tables of its kind that are not written here."""
    run: Run = pydantic.Field(default_factory=Run)
    """How often it is played, and from which moment on."""
    network: mirrored(Network) = pydantic.Field(default_factory=Network)  # type: ignore[valid-type]
    """What the way to the data centre takes, and what it loses."""
    fault: mirrored(tuple[faults.Fault, ...]) = ()  # type: ignore[valid-type]
    """What goes wrong on purpose; one [[fault]] each."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One checked scenario, every default filled in. ``params`` is the situation's own ``Params``."""

    situation: str
    title: str
    description: str
    run: Run
    network: Network
    fault: tuple[faults.Fault, ...]
    params: Any
    profiles: tuple[str, ...] = ()
    stood: tuple[Stood, ...] = field(default=(), compare=False, repr=False)
    """The profiles as they were read from their files; no part of the scenario's own."""


_OWN = tuple(each.name for each in fields(Scenario) if each.compare)


def situations() -> Mapping[str, ModuleType]:
    """Every situation there is, by name, in alphabetical order."""
    found = {}
    for info in sorted(pkgutil.iter_modules(scenarios.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"scenarios.{info.name}")
        if hasattr(module, "Params") and hasattr(module, "processes"):
            found[info.name] = module
    return found


@cache
def file_model(situation: str, params: type[BaseModel] | None, *, guessed: bool = False) -> type[BaseModel]:
    """The whole file as a pydantic model. Without ``params``, for a file whose situation is unknown, any are taken;
    with a ``guessed`` situation, whatever the file calls it.

    TypeError when a situation's Params would take unknown keys or could be changed: that is our mistake, not the file's.
    """
    if params is None:
        return pydantic.create_model("Scenario", __base__=_File, params=(dict[str, Any], {}))
    if params.model_config.get("extra") != "forbid" or not params.model_config.get("frozen"):
        raise TypeError(f"scenarios.{situation}.Params must be frozen and forbid extra keys (use scenarios.mirror.CONFIG)")
    named: Any = str if guessed else Literal[situation]
    return pydantic.create_model(
        "Scenario",
        __base__=_File,
        situation=(named, pydantic.Field(description="The situation to play.")),
        params=(params, pydantic.Field(default_factory=lambda: params(), description="The situation's own parameters.")),
    )


def load(path: Path, overrides: Mapping[str, str] = NO_OVERRIDES) -> Scenario:
    """Read and check a file. ``overrides`` replace values: ``{"params.doctors": "3"}``, each a TOML value (a text needs no
    quotes). Raises ScenarioFaults with everything that is wrong."""
    parsed = parse(path, read(path, situations()))
    values = checking.Values(parsed)
    if not parsed.opaque:
        values.override(overrides)
        name, guessed = values.situation(situations(), file_model("", None))
        checked = values.check(file_model(name, situations()[name].Params if name else None, guessed=guessed))
        if checked is not None and not parsed.found:
            return _with_profiles(from_model(checked), path.parent, parsed.data, overrides)
    raise parsed.refusal()


def _with_profiles(scenario: Scenario, folder: Path, data: Mapping[str, Any], overrides: Mapping[str, str]) -> Scenario:
    """The scenario with its profiles' models in place of the tables that nobody wrote. Raises ScenarioFaults for a profile that
    is wrong, UsageError for one that has no place here, and for two of one kind."""

    def written(place: tuple[str, ...]) -> bool:
        name = ".".join(("params", *place))
        return get(data, ("params", *place)) is not None or any(key == name or key.startswith(f"{name}.") for key in overrides)

    params, stood = scenario.params, list[profiles.Stood]()
    for name in scenario.profiles:
        profile = profiles.load(folder / name)
        for before in stood:
            both = profile.models().keys() & before.profile.models().keys()
            if both:
                kinds = ", ".join(sorted(model.__name__.lower() for model in both))
                raise UsageError(f"profiles: {before.file} and {name} are both of {kinds}; keep one of them")
        params, places = profiles.applied(params, profile, written)
        if not places:
            kinds = ", ".join(type(model).__name__.lower() for model in profile.models().values())
            what = f"{name} is of {kinds or 'nothing'}"
            raise UsageError(f"profiles: {what}; this scenario has no such table that it does not write itself")
        stood.append(profiles.Stood(name, places, profile))
    return replace(scenario, params=params, stood=tuple(stood))


def schema(situation: str) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a file of this situation, for editors: descriptions, units, bounds, choices."""
    known = situations()
    if situation not in known:
        raise UsageError(f"there is no situation {situation!r}; there are {', '.join(known)}")
    return model_file.schema(file_model(situation, known[situation].Params), f"Scenario file: {situation}", _state_unit)


def _state_unit(key: str, value: dict[str, Any]) -> None:
    unit = unit_of(key).replace("a share", "a share of 1")
    if unit and value.get("type") in ("number", "integer"):
        value["description"] = f"{value.get('description', '')}\nUnit: {unit}.".strip()


def dump(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON's own types, every default filled in: what the manifest keeps, and :func:`restore` reads."""
    return {name: _plain(getattr(scenario, name)) for name in _OWN}


def restore(dumped: Mapping[str, Any]) -> Scenario:
    """The scenario that :func:`dump` was given. UsageError when this version no longer takes it."""
    known = situations()
    name = str(dumped.get("situation"))
    if name not in known:
        raise UsageError(f"there is no situation {name!r}; there are {', '.join(known)}")
    try:
        checked = file_model(name, known[name].Params).model_validate_json(pydantic.TypeAdapter(Any).dump_json(dict(dumped)))
    except pydantic.ValidationError as error:
        raise UsageError(f"this scenario does not fit situation {name!r} any more: {error}") from error
    return from_model(checked)


def from_model(checked: BaseModel) -> Scenario:
    """A checked file's model as the scenario that it describes."""
    return Scenario(**{name: getattr(checked, name) for name in _OWN})


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


__all__ = [
    "Fault", "Run", "Scenario", "ScenarioFaults", "dump", "file_model", "from_model", "load", "restore", "schema", "situations",
]
