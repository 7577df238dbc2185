"""Which abnormal sequence code (異常就醫序號) stands in the place of a number, by what went wrong at the desk.

The table is ``data/abnormal_causes.toml``. A patient whom the data centre or the card refuses (not insured, cancelled, no visits
left) is no abnormal visit: nothing is broken, and there is no situation for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virtual_devices.reader.calls import NETWORK_DOWN
from virtual_devices.reader.transmit import Ended
from virtual_devices.tables import Certainty, LazyMapping, read_table
from virtual_devices.uploads.lists import SITUATIONS, sequence_for


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stopped a registration. ``role``: who failed; ``code``: the return code (space cshis); ``torn``: the medium failed,
    nobody refused; ``home``: at a home visit; ``bluetooth``: the virtual card was met by Bluetooth. ``issued``: the number that
    the card had given before."""

    role: str
    code: str
    torn: bool = False
    home: bool = False
    bluetooth: bool = False
    issued: str = ""


@dataclass(frozen=True, slots=True)
class AbnormalCause:
    """One row of the table."""

    situation: str
    role: str
    codes: frozenset[str]
    home: bool
    bluetooth: bool
    why: str
    certainty: Certainty

    def fits(self, trouble: Trouble) -> bool:
        shown = trouble.code in self.codes if self.codes else trouble.torn
        where = (trouble.home or not self.home) and (trouble.bluetooth or not self.bluetooth)
        return trouble.role == self.role and shown and where


def _causes() -> Mapping[int, AbnormalCause]:
    rows = read_table("abnormal_causes")["cause"]
    return {
        number: AbnormalCause(
            row["situation"], row["role"], frozenset(row["codes"]), row.get("home", False), row.get("bluetooth", False),
            row["why"], Certainty(row["certainty"]),
        )
        for number, row in enumerate(rows)
    }


CAUSES: Mapping[int, AbnormalCause] = LazyMapping(_causes)
"""The table, in its order."""

BY_A_PERSON: Mapping[str, str] = LazyMapping(
    lambda: {one: row["reason"] for row in read_table("abnormal_causes")["chosen_by_a_person"] for one in row["situations"]}
)
"""Situations that no flow chooses, and why."""


def situation_of(trouble: Trouble) -> str:
    """The situation, empty when nothing is broken: the patient was refused."""
    return next((cause.situation for cause in CAUSES.values() if cause.fits(trouble)), "")


def trouble_of(ended: Ended, *, home: bool = False, bluetooth: bool = False) -> Trouble:
    """What a registration ended by."""
    return Trouble(ended.role, ended.code or "", ended.torn, home, bluetooth, ended.issued)


def without_line(*, home: bool = False, bluetooth: bool = False) -> str:
    """The situation of a visit whose number is given online only, and there was no line."""
    return situation_of(Trouble("cloud", NETWORK_DOWN, home=home, bluetooth=bluetooth))


def obtained(trouble: Trouble) -> bool:
    """Whether a number had been issued before, and the situation has a code that says so."""
    situation = situation_of(trouble)
    return bool(trouble.issued and situation and SITUATIONS[situation].obtained)


def code_for(trouble: Trouble) -> str:
    """The code itself, empty when nothing is broken."""
    situation = situation_of(trouble)
    return sequence_for(situation, obtained(trouble)) if situation else ""


__all__ = [
    "AbnormalCause", "BY_A_PERSON", "CAUSES", "Trouble", "code_for", "obtained", "situation_of", "trouble_of", "without_line",
]
