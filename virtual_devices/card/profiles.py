"""Kinds of patient card that are in the field, as far as public programs and comments show them.

The ATRs are the bench's own (historical bytes "VHC"): no published ATR could be taken as a rule for all NHI cards.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices import atr
from virtual_devices.atr import Transport
from virtual_devices.records import Certainty

# historical bytes: category 80, card capabilities 73 (full DF name; chaining, and extended length with T=1), "VHC"
_T1_ATR = atr.make(bytes.fromhex("8073C001C053564843"), Transport.T1)
_T0_ATR = atr.make(bytes.fromhex("8073C0018053564843"), Transport.T0)


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of card behaves towards readers."""

    name: str
    text: str
    transport: Transport
    answers_select: bool  # False: 6D00 to SELECT, the data are served all the same
    name_padding: bytes  # of the public basic data
    atr: bytes
    certainty: Certainty


PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile("t1", "T=1, name filled with spaces (newer cards)", Transport.T1, True, b" ", _T1_ATR, Certainty.PUBLIC),
        Profile("t1-nul", "T=1, name filled with NUL (older cards)", Transport.T1, True, b"\0", _T1_ATR, Certainty.PUBLIC),
        Profile("t0", "T=0: 61xx and 6Cxx are the reader's to handle", Transport.T0, True, b" ", _T0_ATR, Certainty.INFERRED),
        Profile(
            "y2025", "6D00 to SELECT, basic data all the same (a public comment on cards issued in 2025, not verified)",
            Transport.T1, False, b" ", _T1_ATR, Certainty.PUBLIC,
        ),
    )
}
