"""Limits of latency: a TOML file that says how long which part of a presentation may take, and how surely it is to be shown.

    format = "vhc-bench latency limits 1"
    alpha = 0.05                  # chance, at most, that a device better than its zone fails
    beta = 0.05                   # chance, at most, that a device worse than its zone passes
    most = 600                    # presentations, at most

    [[limit]]
    kind = "wallet"
    channels = ["nfc"]
    segment = "response"          # docs/reference/segments.md
    percentile = 95
    limit_ms = 900
    zone = [92, 98]               # percentiles: the indifference zone
    certainty = "profile"
    why = "..."

``limits.toml`` beside this file is the bench's own example.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from conformance.closed import Closed, Text
from conformance.sequential import Plan
from virtual_devices.errors import UsageError
from virtual_devices.segments import Segment

FORMAT: Literal["vhc-bench latency limits 1"] = "vhc-bench latency limits 1"
EXAMPLE = "example"
"""The word that stands for the bench's own file."""
Timed = Literal["found", "engaged", "request", "response", "verified", "written"]
Percentage = Annotated[float, Field(gt=0, lt=100)]
Risk = Annotated[float, Field(ge=0.0001, le=0.2)]
Number = Annotated[int, Field(ge=1, le=100_000)]


class Limit(Closed):
    """One promise: of so many in a hundred presentations the segment takes no longer."""

    kind: Text = Field(description="Kind of device under test, such as wallet.")
    channels: tuple[Text, ...] = Field(min_length=1, description="Over which it holds: nfc, ble, contact, ...")
    segment: Timed = Field(description="Part of a presentation (docs/reference/segments.md).")
    percentile: Percentage = Field(description="So many in a hundred presentations are to be no slower.")
    limit_ms: Annotated[float, Field(gt=0, le=600_000)] = Field(description="Than this, in milliseconds.")
    zone: tuple[Percentage, Percentage] = Field(
        description="Indifference zone: with fewer in a hundred than the first within the limit the device is to fail, with more "
                    "than the second it is to pass; between them either may come out. The wider, the fewer presentations.")
    certainty: Literal["standard", "public", "profile", "inferred"] = Field(description="Where the figure comes from.")
    why: Annotated[str, Field(min_length=1, max_length=2000)] = Field(description="What the figure rests on.")
    alpha: Risk | None = Field(None, description="In place of the file's.")
    beta: Risk | None = Field(None, description="In place of the file's.")
    most: Number | None = Field(None, description="In place of the file's.")

    @model_validator(mode="after")
    def _ordered(self) -> Limit:
        low, high = self.zone
        if not low < self.percentile < high:
            raise ValueError(f"the zone must hold the percentile: {low:g} < {self.percentile:g} < {high:g} does not hold")
        return self


class Limits(Closed):
    """The file."""

    format: Literal["vhc-bench latency limits 1"]
    alpha: Risk = Field(0.05, description="Chance, at most, that a device better than its zone fails.")
    beta: Risk = Field(0.05, description="Chance, at most, that a device worse than its zone passes.")
    most: Number = Field(600, description="Presentations at most; then it is inconclusive.")
    limit: tuple[Limit, ...] = Field(min_length=1, max_length=200)

    def plan(self, limit: Limit) -> Plan:
        low, high = limit.zone
        return Plan(
            round(1 - high / 100, 9), round(1 - low / 100, 9), limit.alpha or self.alpha, limit.beta or self.beta,
            limit.most or self.most,
        )

    def of(self, kind: str, channel: str) -> tuple[Limit, ...]:
        """Those of one kind of device over one channel."""
        return tuple(limit for limit in self.limit if limit.kind == kind and channel in limit.channels)


def segment_of(limit: Limit) -> Segment:
    return Segment(limit.segment)


def name_of(limit: Limit) -> str:
    """Its name in reports, beside those of cases."""
    return f"{limit.kind}.latency.{limit.segment}-p{limit.percentile:g}"


def example() -> str:
    """The text of the bench's own file."""
    return files("conformance").joinpath("limits.toml").read_text(encoding="utf-8")


def read(text: str, where: str, channels: Mapping[str, tuple[str, ...]]) -> Limits:
    """``channels``: over which each kind of device can be timed. Raises UsageError with the place of what is wrong."""
    try:
        limits = Limits.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{where}: {e}") from None
    except ValidationError as e:
        raise UsageError("\n".join(f"{where}: {_place(error['loc'])}: {_says(error)}" for error in e.errors())) from None
    there: set[tuple[str, str]] = set()
    for number, limit in enumerate(limits.limit, 1):
        if limit.kind not in channels:
            raise UsageError(f"{where}: limit {number}: kind: no {limit.kind!r} can be timed; there are {_listed(channels)}")
        for channel in limit.channels:
            if channel not in channels[limit.kind]:
                known = _listed(channels[limit.kind])
                raise UsageError(f"{where}: limit {number}: channels: a {limit.kind} is timed over {known}, not {channel!r}")
            if (name_of(limit), channel) in there:
                raise UsageError(f"{where}: limit {number}: there is one already for this segment and percentile over {channel}")
            there.add((name_of(limit), channel))
    return limits


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _place(loc: tuple[int | str, ...]) -> str:
    """As a person counts: the first limit is number 1."""
    if loc[:1] == ("limit",) and len(loc) > 1:
        return " ".join(["limit", str(int(loc[1]) + 1)]) + (f": {'.'.join(map(str, loc[2:]))}" if loc[2:] else "")
    return ".".join(map(str, loc)) or "the whole"


def _says(error: object) -> str:
    message = str(error["msg"])  # type: ignore[index]
    return "is unknown here; vhc-bench conform --schema latency says what there is" if message.startswith("Extra") else message


def schema() -> str:
    """JSON schema of the file, for editors."""
    return json.dumps(Limits.model_json_schema(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


__all__ = ["EXAMPLE", "FORMAT", "Limit", "Limits", "example", "name_of", "read", "schema", "segment_of"]
