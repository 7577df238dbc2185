"""A scenario file of a toy situation, whole or with something changed, and what reading it tells."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, model_validator

from scenarios import files
from scenarios.files import Fault, ScenarioFaults, load
from scenarios.mirror import CONFIG


class Params(BaseModel):
    """A counter with doctors behind it."""

    model_config = CONFIG

    doctors: Annotated[int, Field(ge=1, le=50)]
    """Physicians on duty."""
    virtual_share: Annotated[float, Field(ge=0, le=1)] = 0.4
    service_s: Annotated[float, Field(gt=0)] = 300.0
    """How long one patient takes."""
    carrier: Literal["ic-card", "virtual-card"] = "ic-card"
    stations: Annotated[tuple[str, ...], Field(min_length=1)] = ("registration",)
    offline: bool = False
    weights: dict[Literal["t0", "t1-nul"], float] = {}
    rooms: dict[Annotated[str, Field(pattern="^[A-Z]$")], int] = {}
    opens: str = "08:00"

    @model_validator(mode="after")
    def _enough_doctors(self) -> Params:
        if self.doctors > 9 and self.offline:
            raise ValueError("more than 9 doctors cannot work offline")
        return self


WHOLE = """\
# 診所早晨
situation = "toy"
title = "A toy clinic"
description = "Three doctors."

[run]
seed = 7
replications = 3
epoch = 2026-03-02T08:00:00+08:00

[params]
doctors = 3
virtual_share = 0.5
carrier = "virtual-card"
stations = ["registration", "consultation"]

[network]
bandwidth_kbit_s = 2000
loss = { kind = "bursty", bad_s = 2.5 }

[network.one_way]
median_ms = 10
p95_ms = 30

[[fault]]
id = "line-down"
kind = "outage"
on = "cloud"
start = "09:40"
end = "10:05"

[[fault]]
id = "pulled-out"
kind = "tear"
on = "card"
share = 0.01
"""


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The situations are what a scan would find if there were one more module, ``toy``."""
    module = ModuleType("scenarios.toy")
    module.Params = Params  # type: ignore[attr-defined]
    module.processes = print  # type: ignore[attr-defined]
    there = {"toy": module, "town_morning": module}
    monkeypatch.setattr(files, "situations", lambda: there)
    return module


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clinic.toml"
    path.write_text(text, encoding="utf-8")
    return path


def found(tmp_path: Path, text: str, **overrides: str) -> list[Fault]:
    with pytest.raises(ScenarioFaults) as caught:
        load(written(tmp_path, text), overrides)
    return list(caught.value.faults)


def told(tmp_path: Path, text: str, **overrides: str) -> list[str]:
    """Every fault as its place in the file and its words, without the path."""
    return [str(fault).removeprefix(f"{tmp_path / 'clinic.toml'}:") for fault in found(tmp_path, text, **overrides)]


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1, old
    return WHOLE.replace(old, new)
