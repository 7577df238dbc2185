"""Why something is refused or reported, each with its code.

A code stands in one of four tables: the return codes of the control software (``cshis``) and of the virtual card's software
(``vhc``), the check codes of upload format 2.0 (``check``, D000 to D054), or the bench's own (``profile``, RX01 and on) where the
field has none. Which code tells of which trouble is inferred wherever the field does not say so; the numbers are the field's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from virtual_devices.tables import Certainty


class Table(Enum):
    """Whose numbers."""

    CSHIS = "cshis"
    VHC = "vhc"
    CHECK = "check"  # check codes of upload format 2.0
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class RxCode:
    """One code. ``certainty`` is of its use here; a code of the profile is our own, and nobody else's."""

    number: str
    table: Table
    certainty: Certainty = Certainty.INFERRED

    def __str__(self) -> str:
        return self.number


class Why(Enum):
    """What is in the way, or was found."""

    OK = "done"
    MALFORMED = "not a record of the profile"
    ANOTHER = "this id belongs to another record"
    NOT_HERE = "no such prescription"
    NO_SUCH_ACT = "no such query or dispensing"
    NOT_NEWEST = "it follows something that is not the newest here"
    DELETED = "kept no longer: its time of retention is over"
    NOT_YOURS = "this institution may not do that"
    UNKNOWN_HOLDER = "no such card number"
    WRONG_HOLDER = "for another card"
    # signatures
    PHYSICIAN_FORGED = "not what the physician signed"
    NO_CERTIFICATE = "a signer's certificate is missing or leads to no root here"
    SIGNER_INVALID = "a signer's certificate was not good on that day"
    SIGNER_REVOKED = "a signer's certificate was revoked"
    WRONG_SIGNER = "signed by somebody whose kind of record it is not"
    INSTITUTION_FORGED = "not what the institution signed"
    OTHER_INSTITUTION = "signed by another institution than it names"
    CLOCK = "signed at a moment to come, or before the prescription"
    # the document
    ORDINARY_LONG = "an ordinary prescription lasts 7 days at most"
    ISSUES_ONE = "only a refill has more than one issue"
    REFILL_ISSUES = "a refill has 2 to 4 issues"
    CONTROLLED_ISSUES = "a controlled refill has 2 to 4 issues"
    REFILL_SHORT = "a refill lasts more than 7 days in all"
    CONTROLLED_SHORT = "a controlled refill lasts more than 7 days in all"
    DRUG_DAYS = "a drug lasts 1 to 90 days"
    DRUG_LONGER = "a drug lasts longer than an issue"
    LAST_DAY = "its last day is before it was issued"
    NO_NUMBER = "it names no card number"
    # dispensing
    HELD = "on hold: a pharmacist's doubt is open"
    USED_UP = "every issue has been dispensed"
    OUT_OF_TURN = "not the next issue"
    ELSEWHERE = "that issue was dispensed before"
    CANCELLED = "cancelled"
    OLD_VERSION = "amended since: dispense the amendment"
    EXPIRED = "past its last day"
    TOO_EARLY = "the last supply still lasts too long"
    OWN_ONLY = "dispensed by the institution that prescribed it"
    NO_RECIPIENT = "controlled drugs need the recipient's signature"
    TOO_MUCH = "more than was prescribed"
    # changes
    GIVEN = "an issue already dispensed cannot be taken away"
    NOTHING_LEFT = "nothing is left to cancel"
    NOT_CANCELLED = "not cancelled, so not restored"
    RECEIPT_FORGED = "the recipient's signature does not hold"
    # found at reconciliation only
    RENUMBERED = "counted as another issue than it says"
    ORPHAN = "dispensed from a prescription that has not come"
    LATE_ANSWER = "a query was not answered in time"


def _check(number: str) -> RxCode:
    return RxCode(number, Table.CHECK, Certainty.PUBLIC)


def _near(number: str, table: Table = Table.CSHIS) -> RxCode:
    return RxCode(number, table)


def _own(number: int) -> RxCode:
    return RxCode(f"RX{number:02d}", Table.PROFILE)


CODES: Mapping[Why, RxCode] = {
    Why.OK: RxCode("0", Table.CSHIS, Certainty.OFFICIAL),
    Why.MALFORMED: _near("9002"),
    Why.ANOTHER: _near("9002"),
    Why.NOT_HERE: _check("D049"),
    Why.NO_SUCH_ACT: _check("D001"),
    Why.NOT_NEWEST: _own(1),
    Why.DELETED: _own(2),
    Why.NOT_YOURS: _near("4029"),
    Why.UNKNOWN_HOLDER: _near("9012"),
    Why.WRONG_HOLDER: _near("5020"),
    Why.PHYSICIAN_FORGED: _near("1420", Table.VHC),
    Why.NO_CERTIFICATE: _near("1423", Table.VHC),
    Why.SIGNER_INVALID: _near("1422", Table.VHC),
    Why.SIGNER_REVOKED: _near("1424", Table.VHC),
    Why.WRONG_SIGNER: _near("3212", Table.VHC),
    Why.INSTITUTION_FORGED: _near("3100", Table.VHC),
    Why.OTHER_INSTITUTION: _near("3211", Table.VHC),
    Why.CLOCK: _near("1421", Table.VHC),
    Why.ORDINARY_LONG: _own(3),
    Why.ISSUES_ONE: _check("D013"),
    Why.REFILL_ISSUES: _check("D014"),
    Why.CONTROLLED_ISSUES: _check("D017"),
    Why.REFILL_SHORT: _check("D009"),
    Why.CONTROLLED_SHORT: _check("D010"),
    Why.DRUG_DAYS: _check("D040"),
    Why.DRUG_LONGER: _check("D041"),
    Why.LAST_DAY: _own(4),
    Why.NO_NUMBER: _own(5),
    Why.HELD: _own(6),
    Why.USED_UP: _check("D019"),
    Why.OUT_OF_TURN: _check("D022"),
    Why.ELSEWHERE: _check("D025"),
    Why.CANCELLED: _check("D023"),
    Why.OLD_VERSION: _own(7),
    Why.EXPIRED: _own(8),
    Why.TOO_EARLY: _own(9),
    Why.OWN_ONLY: _own(10),
    Why.NO_RECIPIENT: _own(11),
    Why.TOO_MUCH: _own(12),
    Why.GIVEN: _check("D016"),
    Why.NOTHING_LEFT: _check("D034"),
    Why.NOT_CANCELLED: _check("D038"),
    Why.RECEIPT_FORGED: _own(13),
    Why.RENUMBERED: _own(14),
    Why.ORPHAN: _check("D024"),
    Why.LATE_ANSWER: _own(15),
}
"""Every reason has a code."""

__all__ = ["CODES", "RxCode", "Table", "Why"]
