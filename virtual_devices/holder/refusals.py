"""How the holder's device says no: the application-specific error codes of ISO/IEC 18013-5 (negative numbers, profile).

    -1 .. -9      the device itself
    -11 .. -17    the SAM did not prove itself, and why
    -21 .. -27    the professional's card did not

so that a reader can tell which of the three parties failed. The field's own code for each stands beside it.
"""

from __future__ import annotations

from enum import IntEnum

from virtual_devices.authentication import Party
from virtual_devices.pki import Trouble


class No(IntEnum):
    """Why the device itself shows nothing, or not this."""

    NOT_RETURNED = 0  # of the standard: there is nothing to return
    DECLINED = -1  # the holder said no to this
    CONSENT_NEEDED = -2  # the holder has not been asked; ask, and send the request again
    OTHER_READERS_NEEDED = -3  # who asks may not have this
    NOT_IN_FORCE = -4  # the card is suspended, recalled, expired, or wiped from this device
    AUTHORIZATION_ENDED = -5  # a guardian's authorization does not reach so far
    VERSION = -6  # a version that this device does not speak


_TROUBLES = (
    Trouble.MISSING, Trouble.MALFORMED, Trouble.EXPIRED, Trouble.NOT_YET_VALID, Trouble.REVOKED, Trouble.WRONG_ROLE,
    Trouble.FORGED,
)
_DIGIT = {trouble: number for number, trouble in enumerate(_TROUBLES, 1)}
_PARTY = {Party.SAM: 1, Party.HPC: 2}


def code(party: Party, trouble: Trouble) -> int:
    """The number for a party that did not prove itself."""
    return -(10 * _PARTY[party] + _DIGIT[trouble])


def party_of(number: int) -> tuple[Party, Trouble] | None:
    """Which party failed, and why; None when the number says something else."""
    party = next((p for p, digit in _PARTY.items() if digit == -number // 10), None)
    digit = -number % 10
    if number >= 0 or party is None or not 1 <= digit <= len(_TROUBLES):
        return None
    return party, _TROUBLES[digit - 1]
