"""What a reader makes of a card's code: believed or refused, at which step, why, with the field's code.

The steps, in this order: the form, the issuer's signature, the holder's signature, the times, whom the code is for, how far a
guardian may go, the card's status, and that the code was not used before. Everything is checked offline, from what the reader
has: the issuers' certificates, the status lists, the codes it took.

What no reader can see is stated in ``Reason`` and ``Verdict``: a code that names no reader, used first somewhere else and
offline, is believed here; the rows of both (``qr.used``) tell it later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from virtual_devices.authorization import Purpose, Scope, beyond
from virtual_devices.clock import NS
from virtual_devices.codes import Space
from virtual_devices.cwt import Timing
from virtual_devices.lifecycle import OK, FieldCode
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Refused, Role, Trouble, Verified
from virtual_devices.qr.card import MAX_LIFETIME_NS, Shown, key_id, lifetime_ns, read
from virtual_devices.qr.challenge import Challenge
from virtual_devices.qr.text import MalformedCode
from virtual_devices.qr.used import Noted, Use, UsedCodes
from virtual_devices.status_list import Status, StatusLists, StatusVerdict
from virtual_devices.tables import Certainty

REGISTRATION = frozenset({Scope.BASIC})
"""What a code is for when nothing else is said: who it is."""
CLOCK_SKEW_S = 30
"""How far the phone's clock may be off: a code has no other."""


class Step(Enum):
    FORM = "form"
    ISSUER = "issuer's signature"
    HOLDER = "holder's signature"
    TIMES = "times"
    BINDING = "for this reader"
    AUTHORIZATION = "guardian's authorization"
    STATUS = "status"
    SINGLE_USE = "single use"
    DONE = "done"


class Reason(Enum):
    """Why a code is refused, or that it is believed."""

    BELIEVED = "believed"
    FOREIGN = "another kind of code"
    MALFORMED = "not a code of the profile"
    UNKNOWN_ISSUER = "of an issuer whose certificate is not here"
    ISSUER_EXPIRED = "of an issuer whose certificate is outside its validity"
    FORGED_CARD = "not what the issuer signed"
    FORGED_WRAPPER = "not wrapped by the card's key"
    LIVES_TOO_LONG = "made to live longer than 60 s"
    FROM_THE_FUTURE = "made later than now"
    EXPIRED = "no longer good"
    CARD_TOO_EARLY = "of a card that is not yet valid"
    CARD_EXPIRED = "of a card past its end"
    NOT_BOUND = "for any reader, where this reader asked"
    OTHER_READER = "for another reader, or another question"
    OUT_OF_SCOPE = "of a ward, for more than the guardian may"
    REVOKED = "of a card that was revoked"
    SUSPENDED = "of a card that is suspended"
    USED_BEFORE = "used before"
    MEMORY_FULL = "more codes than the reader remembers"


def _vhc(number: str, certainty: Certainty = Certainty.INFERRED) -> FieldCode:
    return FieldCode(number, Space.VHC, certainty)


OUTCOMES: Mapping[Reason, tuple[Step, FieldCode]] = {
    Reason.BELIEVED: (Step.DONE, OK),
    Reason.FOREIGN: (Step.FORM, _vhc("1522")),  # token of the wrong form
    Reason.MALFORMED: (Step.FORM, _vhc("1520")),  # token malformed
    Reason.UNKNOWN_ISSUER: (Step.ISSUER, _vhc("1423")),  # no trusted issuing certificate
    Reason.ISSUER_EXPIRED: (Step.ISSUER, _vhc("1422")),  # certificate outside its validity
    Reason.FORGED_CARD: (Step.ISSUER, _vhc("1523")),  # token's signature bad
    Reason.FORGED_WRAPPER: (Step.HOLDER, _vhc("1523")),
    Reason.LIVES_TOO_LONG: (Step.TIMES, _vhc("1522")),
    Reason.FROM_THE_FUTURE: (Step.TIMES, _vhc("1521")),  # token timed out: the field has no code for too early
    Reason.EXPIRED: (Step.TIMES, _vhc("1018", Certainty.PUBLIC)),  # code expired
    Reason.CARD_TOO_EARLY: (Step.TIMES, _vhc("1524")),  # token outside its date
    Reason.CARD_EXPIRED: (Step.TIMES, _vhc("3201")),  # card expired
    Reason.NOT_BOUND: (Step.BINDING, _vhc("1022")),  # token invalid
    Reason.OTHER_READER: (Step.BINDING, _vhc("1022")),
    Reason.OUT_OF_SCOPE: (Step.AUTHORIZATION, FieldCode("4029")),  # lacks the right
    Reason.REVOKED: (Step.STATUS, _vhc("1531")),  # already transferred or void
    Reason.SUSPENDED: (Step.STATUS, FieldCode("9011")),  # the data centre refuses the card
    Reason.USED_BEFORE: (Step.SINGLE_USE, _vhc("1020", Certainty.PUBLIC)),  # code used before
    Reason.MEMORY_FULL: (Step.SINGLE_USE, _vhc("1525")),  # verified too often
}
"""Where each is found, and the field's code. The field's own code says nothing of signatures: those uses are inferred."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``shown`` is what a refused code says too, once it could be read: to tell a person, never to serve by.

    ``status``: what the list said; ``to_reconcile`` when it said nothing: serve, mark, and look again when there is a list.
    ``bound``: the code was made for this reader's question, so that no copy of it can have been used anywhere else.
    """

    reason: Reason
    text: str = ""
    shown: Shown | None = None
    status: StatusVerdict | None = None
    bound: bool = False
    use: Use | None = None

    @property
    def believed(self) -> bool:
        return self.reason is Reason.BELIEVED

    @property
    def step(self) -> Step:
        """The step that refused it, or DONE."""
        return OUTCOMES[self.reason][0]

    @property
    def code(self) -> FieldCode:
        return OUTCOMES[self.reason][1]

    @property
    def on_behalf(self) -> str:
        """Who showed it for whom, for the record of the visit (DLG-03); empty when nobody did, and for a code not believed."""
        return self.shown.data.says() if self.believed and self.shown is not None else ""

    @property
    def to_reconcile(self) -> bool:
        return self.believed and (self.status is None or self.status.status is Status.UNKNOWN)


class Issuers:
    """The document signers whose certificates a reader has, by the name that the code gives them."""

    def __init__(self, root: ChainVerifier, work: Work) -> None:
        self._root = root
        self._work = work
        self._known: dict[bytes, Verified] = {}

    def take(self, chain: Sequence[bytes], now_ns: int, revoked: Collection[int] = frozenset()) -> Verified | Refused:
        """Check a chain, leaf first, and keep it. One that was revoked since is forgotten. ``revoked``: serial numbers."""
        self._work.chains += 1
        found = self._root.check(chain, {Role.DOCUMENT_SIGNER}, now_ns, revoked)
        if isinstance(found, Verified):
            self._known[key_id(chain[0])] = found
        elif found.trouble is Trouble.REVOKED:
            self._known.pop(key_id(chain[0]), None)
        return found

    def find(self, kid: bytes) -> Verified | None:
        return self._known.get(kid)


class QrReader:
    """One reader of codes. ``name`` stands in its challenges; ``work`` counts the signatures that it verifies."""

    def __init__(self, name: str, issuers: Issuers, statuses: StatusLists, work: Work, used: UsedCodes | None = None) -> None:
        self.name = name
        self._issuers = issuers
        self._statuses = statuses
        self._work = work
        self._used = UsedCodes() if used is None else used

    def check(
        self, text: str, now_ns: int, challenge: Challenge | None = None, *, scope: frozenset[Scope] = REGISTRATION,
        purpose: Purpose = Purpose.CARE,
    ) -> Verdict:
        """Whether to believe a code now. ``challenge``: what this reader had shown to the phone; ``scope``, ``purpose``: what is
        to be done, should a guardian show it. Never raises for the text."""
        try:
            shown = read(text)
        except MalformedCode as e:
            return Verdict(Reason.FOREIGN if e.foreign else Reason.MALFORMED, e.what)
        reason = self._signatures(shown, now_ns) or _times(shown, now_ns) or self._binding(shown, challenge)
        if reason is not None:
            return Verdict(reason, "", shown)
        guardian = shown.data.guardian
        more = "" if guardian is None else beyond(scope, purpose, guardian.scope, guardian.purpose)
        if more:
            return Verdict(Reason.OUT_OF_SCOPE, more, shown)
        place = shown.card.status
        assert place is not None
        status = self._statuses.look(place.uri, place.index, now_ns)
        if status.status is Status.SUSPENDED:
            return Verdict(Reason.SUSPENDED, "", shown, status)
        if status.status in (Status.INVALID, Status.APPLICATION):
            return Verdict(Reason.REVOKED, "", shown, status)
        return self._take(shown, status, now_ns, bound=challenge is not None)

    def _signatures(self, shown: Shown, now_ns: int) -> Reason | None:
        issuer = self._issuers.find(shown.kid)
        if issuer is None:
            return Reason.UNKNOWN_ISSUER
        if not issuer.not_before_ns <= now_ns <= issuer.not_after_ns:
            return Reason.ISSUER_EXPIRED
        self._work.verifications += 1
        issued_ns = shown.card.issued_ns
        if not shown.inner.verify(issuer.key) or issued_ns is None or issued_ns < issuer.not_before_ns:
            return Reason.FORGED_CARD
        self._work.verifications += 1
        return None if shown.outer.verify(shown.holder_key) else Reason.FORGED_WRAPPER

    def _binding(self, shown: Shown, challenge: Challenge | None) -> Reason | None:
        audience, nonce = shown.wrapper.audience, shown.wrapper.nonce
        if challenge is None:
            return Reason.OTHER_READER if audience else None
        if not audience:
            return Reason.NOT_BOUND
        same = audience == (challenge.reader,) == (self.name,) and nonce == challenge.nonce
        return None if same else Reason.OTHER_READER

    def _take(self, shown: Shown, status: StatusVerdict, now_ns: int, *, bound: bool) -> Verdict:
        ends_ns = shown.wrapper.expires_ns
        assert ends_ns is not None
        noted = self._used.note(shown.code_id, ends_ns + CLOCK_SKEW_S * NS, now_ns)
        if noted is not Noted.NEW:
            return Verdict(Reason.USED_BEFORE if noted is Noted.USED_BEFORE else Reason.MEMORY_FULL, "", shown, status)
        return Verdict(Reason.BELIEVED, status.text, shown, status, bound, Use(shown.code_id, self.name, now_ns))


def _times(shown: Shown, now_ns: int) -> Reason | None:
    if not 0 < lifetime_ns(shown.wrapper) <= MAX_LIFETIME_NS:
        return Reason.LIVES_TOO_LONG
    match shown.wrapper.timing(now_ns, CLOCK_SKEW_S):
        case Timing.TOO_EARLY:
            return Reason.FROM_THE_FUTURE
        case Timing.TOO_LATE:
            return Reason.EXPIRED
        case Timing.IN_TIME:
            pass
    match shown.card.timing(now_ns):
        case Timing.TOO_EARLY:
            return Reason.CARD_TOO_EARLY
        case Timing.TOO_LATE:
            return Reason.CARD_EXPIRED
        case Timing.IN_TIME:
            return None
