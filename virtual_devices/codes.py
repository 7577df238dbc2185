"""The field's return codes (回傳碼), each in the space where it has its meaning.

One number can mean different things in two spaces (5003 is an expired card to the control software and a wrong operation
type to the upload), so a code is looked up in a space, never alone. Codes that no table has stay representable, with
``known`` False. The table is ``data/return_codes.toml``: the insurer's manual 3.3 and public clients, marked row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from virtual_devices.errors import UsageError
from virtual_devices.tables import Certainty, LazyMapping, read_table


class Space(Enum):
    """Who speaks."""

    CSHIS = "cshis"  # control software for readers: manual 3.3 and later clients of csHIS
    VHC = "vhc"  # software for the virtual card, and control software 6.0
    UPLOAD = "upload-api"  # answer to an upload over HTTP


class Origin(Enum):
    """Where the cause lies."""

    READER = "reader"
    SAM = "sam"
    CARD = "card"
    HPC = "hpc"
    NETWORK = "network"
    DATACENTRE = "datacentre"
    UPLOAD = "upload"
    VHC = "vhc"  # the virtual card, its software and its device
    UNKNOWN = "unknown"  # of a code that no table has


@dataclass(frozen=True, slots=True)
class Code:
    """One return code. ``code`` is text as it is written, sign and leading zeros included; ``zh`` the official words.

    ``when`` says in which situation it comes. ``functions`` are the calls whose manual page names it (a dozen at most),
    ``stated_by`` how many pages do, -1 when no manual has it. ``reserved``: the manual keeps it free.
    ``disagreement`` says where sources contradict one another about it.
    """

    space: Space
    code: str
    zh: str
    en: str
    origin: Origin
    when: str
    source: str
    functions: tuple[str, ...] = ()
    stated_by: int = -1
    reserved: bool = False
    disagreement: str = ""
    known: bool = True

    @property
    def certainty(self) -> Certainty:
        """Official when the insurer's manual has it; else only public programs do."""
        return Certainty.OFFICIAL if self.source == "manual 3.3" else Certainty.PUBLIC

    def __str__(self) -> str:
        return f"{self.code} {self.en} ({self.zh})" if self.zh else f"{self.code} {self.en}"


def _code(space: Space, code: str, row: Mapping[str, Any], disagreement: str) -> Code:
    return Code(
        space, code, row["zh"], row["en"], Origin(row["origin"]), row["when"], row["source"], tuple(row.get("functions", ())),
        row.get("stated_by", -1), row.get("reserved", False), disagreement,
    )


def _load() -> dict[tuple[Space, str], Code]:
    table = read_table("return_codes")
    says = {(row["space"], code): row["says"] for row in table["disagreement"] for code in row["codes"]}
    return {
        (Space(space), code): _code(Space(space), code, row, says.get((space, code), ""))
        for space, rows in table["code"].items()
        for code, row in rows.items()
    }


CODES: Mapping[tuple[Space, str], Code] = LazyMapping(_load)
"""Every known code by space and number. The table is read at the first look into it (tens of milliseconds), not at import."""


@lru_cache(maxsize=4096)
def lookup(code: str | int, space: Space | str = Space.CSHIS) -> Code:
    """The code of that number in that space. A number that no table has gives a ``Code`` whose ``known`` is False.

    Raises UsageError for a space that does not exist: that is the caller's slip, a code is the peer's word.
    """
    try:
        where = Space(space)
    except ValueError:
        spaces = ", ".join(one.value for one in Space)
        raise UsageError(f"{space!r} is no space of return codes; there are {spaces}") from None
    number = str(code)
    found = CODES.get((where, number))
    if found is not None:
        return found
    return Code(where, number, "", "unknown code", Origin.UNKNOWN, "not in any table of the field", "", known=False)


def code_of_sw(sw: int) -> str | None:
    """The field's code (csHIS) for which a card's status word stands: 9420 is 5020, 9550 is 5150, 9700 is 9100.

    Source: the bench's profile (``docs/reference/protocol-profile.md``). None for every other status word; the code that is
    returned need not be in the table.
    """
    if sw == 0x9700:
        return "9100"
    if sw >> 8 in (0x94, 0x95) and (sw & 0xFF) >> 4 < 10 and sw & 0x0F < 10:
        return f"5{(sw >> 8) - 0x94}{sw & 0xFF:02X}"
    return None


__all__ = ["CODES", "Certainty", "Code", "Origin", "Space", "code_of_sw", "lookup"]
