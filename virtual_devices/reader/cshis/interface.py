"""The calls of the control software (讀卡機控制軟體) as the manual lists them: names, arguments, buffers, cards, codes.

The table is ``data/control_software.toml``: 65 functions of manual 3.3 and three newer ones that only public clients show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from virtual_devices.records import BUFFERS, BufferLayout
from virtual_devices.tables import Certainty, LazyMapping, read_table


class Direction(Enum):
    """Which way an argument goes."""

    IN = "in"
    OUT = "out"
    BOTH = "in/out"


class Need(Enum):
    """What a call wants of a card."""

    NONE = "none"
    PRESENT = "present"
    AUTH = "auth"  # present, and authenticated with the data centre, which the software does by itself
    PIN = "pin"
    PIN_IF_SET = "pin_if_set"
    OPTIONAL = "optional"
    OPTIONAL_PIN = "optional_pin"
    ABSENT = "absent"
    IF_ASKED = "if_asked"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a prototype. ``size``: bytes, a closing NUL included if ``nul``; 0 where the manual states none.

    ``layouts``: the forms that the bytes may have.
    """

    name: str
    direction: Direction
    type: str
    size: int
    zh: str
    en: str
    layouts: tuple[str, ...]
    nul: bool = True

    @property
    def is_text(self) -> bool:
        return self.type == "char*"

    @property
    def comes_in(self) -> bool:
        return self.direction is not Direction.OUT

    @property
    def goes_out(self) -> bool:
        return self.direction is not Direction.IN


@dataclass(frozen=True, slots=True)
class Function:
    """One call. ``codes`` are those that its page states; ``codes_rest``: the page adds that others may come back too."""

    no: str
    name: str
    zh: str
    en: str
    arguments: tuple[Argument, ...]
    sam: Need
    hc: Need
    hpc: Need
    network: str
    buffers: tuple[str, ...]
    codes: tuple[str, ...]
    codes_rest: bool
    note: str
    certainty: Certainty
    source: str

    @property
    def layouts(self) -> tuple[BufferLayout, ...]:
        return tuple(BUFFERS[name] for name in self.buffers)

    def length_of(self, argument: Argument) -> Argument | None:
        """The counter that stands after an output buffer and says how long it is: in what was prepared, out what was filled."""
        after = self.arguments.index(argument) + 1
        if not argument.goes_out or not argument.is_text or after == len(self.arguments):
            return None
        next_one = self.arguments[after]
        return next_one if next_one.type in ("int*", "short*") and next_one.direction is Direction.BOTH else None


def _argument(row: Mapping[str, Any]) -> Argument:
    layouts = tuple(row.get("layouts", ())) or ((row["layout"],) if "layout" in row else ())
    return Argument(
        row["name"], Direction(row["dir"]), row["type"], row.get("size", 0), row.get("zh", ""), row.get("en", ""), layouts,
        row.get("nul", True),
    )


def _function(row: Mapping[str, Any]) -> Function:
    cards = row["cards"]
    return Function(
        row["no"], row["name"], row["zh"], row["en"], tuple(_argument(one) for one in row["args"]), Need(cards["sam"]),
        Need(cards["hc"]), Need(cards["hpc"]), row["network"], tuple(row.get("buffer", ())), tuple(row.get("codes", ())),
        row.get("codes_rest", True), row.get("note", ""), Certainty(row["certainty"]), row.get("source", "manual 3.3"),
    )


def _load() -> dict[str, Function]:
    table = read_table("control_software")
    return {row["name"]: _function(row) for row in (*table["function"], *table["function_newer"])}


FUNCTIONS: Mapping[str, Function] = LazyMapping(_load)
"""Every call by its name, in the order of the manual, the newer ones last."""

CARD_STATUS: Mapping[int, Mapping[str, str]] = LazyMapping(
    lambda: {
        int(row["card_type"]): {value["value"]: value["en"] for value in row["values"]}
        for row in read_table("control_software")["card_status"]
    }
)
"""What hisGetCardStatus answers, by kind of card: 1 SAM, 2 patient's card, 3 professional's card."""

__all__ = ["CARD_STATUS", "FUNCTIONS", "Argument", "Direction", "Function", "Need"]
