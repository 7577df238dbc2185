"""Whether an authorization lets this guardian do this, for this ward, now: one verdict, with its reason and the field's code.

Everything is checked offline against the bench's root; of a withdrawal one knows as much as the status list at hand says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices.authorization import Authorization, MalformedAuthorization, Purpose, Scope, beyond, read, verify_proof
from virtual_devices.clock import NS
from virtual_devices.codes import Space
from virtual_devices.cose import Sign1
from virtual_devices.lifecycle import NOT_ALLOWED, OK, FieldCode
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Refused, Role, Trouble
from virtual_devices.status_list import Status, StatusVerdict

CLOCK_SKEW_S = 30  # between the phone's clock and the reader's

StatusLookup = Callable[[str, int, int], StatusVerdict]
"""What is known of a place, by the list's address, the place and the moment: ``StatusLists.look``."""


class Reason(Enum):
    """Why an authorization is refused, or that it holds."""

    HOLDS = "holds"
    MISSING = "missing"
    MALFORMED = "malformed"
    FORGED = "forged"
    WIDENED = "widened"  # by a party that may not grant, or beyond what its relation can be given
    UNTRUSTED = "issuer expired or revoked"
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    WRONG_WARD = "for another ward"
    WRONG_GUARDIAN = "of another guardian"
    OUT_OF_SCOPE = "out of scope"
    NO_PROOF = "not proven in this session"


CODES: dict[Reason, FieldCode] = {
    Reason.HOLDS: OK,
    Reason.MISSING: FieldCode("3237", Space.VHC),
    Reason.MALFORMED: FieldCode("1520", Space.VHC),
    Reason.FORGED: FieldCode("1523", Space.VHC),
    Reason.WIDENED: NOT_ALLOWED,
    Reason.UNTRUSTED: FieldCode("66501", Space.VHC),
    Reason.NOT_YET_VALID: FieldCode("3239", Space.VHC),
    Reason.EXPIRED: FieldCode("3238", Space.VHC),
    Reason.WITHDRAWN: FieldCode("3240", Space.VHC),
    Reason.WRONG_WARD: FieldCode("5020"),
    Reason.WRONG_GUARDIAN: FieldCode("5020"),
    Reason.OUT_OF_SCOPE: NOT_ALLOWED,
    Reason.NO_PROOF: FieldCode("3100", Space.VHC),
}
"""The field knows no authorizations of guardians; it knows consent given from afar (3237 to 3240), which is nearest."""

_UNTRUSTED = {Trouble.EXPIRED, Trouble.NOT_YET_VALID, Trouble.REVOKED}


@dataclass(frozen=True, slots=True)
class Use:
    """What somebody wants to do: for whom, how much, what for; with which key, where the asker knows it."""

    ward: str  # card number on the credential that is presented
    scope: frozenset[Scope]
    purpose: Purpose
    key: ec.EllipticCurvePublicKey | None = None  # the device key that the ward's credential is bound to


@dataclass(frozen=True, slots=True)
class Verdict:
    """``status_known`` is False when no list in its time told of withdrawals: then serve, mark and reconcile."""

    reason: Reason
    text: str = ""
    authorization: Authorization | None = None
    status_known: bool = True

    @property
    def code(self) -> FieldCode:
        return CODES[self.reason]

    @property
    def holds(self) -> bool:
        return self.reason is Reason.HOLDS


class Checker:
    """Checks authorizations as a reader or a wallet does. ``work`` counts the cryptography."""

    def __init__(self, root: ChainVerifier, status: StatusLookup, revoked: Collection[int] = frozenset()) -> None:
        self.work = Work()
        self._root = root
        self._status = status
        self._revoked = revoked

    def check(self, raw: bytes | None, use: Use, now_ns: int) -> Verdict:
        """The authorization alone, as a wallet takes it in. Never raises on what is in it."""
        if raw is None:
            return Verdict(Reason.MISSING)
        try:
            message, a = read(raw)
        except MalformedAuthorization as e:
            return Verdict(Reason.MALFORMED, e.what)
        refused = self._signed(message, now_ns) or _in_force(a, now_ns) or _covers(a, use)
        if refused is not None:
            return refused
        told = self._status(a.status.uri, a.status.index, now_ns).status
        if told not in (Status.VALID, Status.UNKNOWN):
            return Verdict(Reason.WITHDRAWN, told.name.lower(), a)
        return Verdict(Reason.HOLDS, a.says(), a, told is Status.VALID)

    def check_presented(self, raw: bytes | None, proof: Sign1 | None, transcript: bytes, use: Use, now_ns: int) -> Verdict:
        """The authorization, and the guardian's proof in this session, as a reader takes them."""
        verdict = self.check(raw, use, now_ns)
        if not verdict.holds:
            return verdict
        assert verdict.authorization is not None
        if proof is None:
            return Verdict(Reason.NO_PROOF, "no proof", verdict.authorization)
        self.work.verifications += 1
        if not verify_proof(proof, verdict.authorization, transcript):
            return Verdict(Reason.NO_PROOF, "another key, session or authorization", verdict.authorization)
        return verdict

    def _signed(self, message: Sign1, now_ns: int) -> Verdict | None:
        self.work.chains += 1
        issuer = self._root.check(message.chain, {Role.DATA_CENTRE}, now_ns, self._revoked)
        if isinstance(issuer, Refused):
            if issuer.trouble is Trouble.WRONG_ROLE:
                return Verdict(Reason.WIDENED, f"granted by a party that may not grant ({issuer.text})")
            return Verdict(Reason.UNTRUSTED if issuer.trouble in _UNTRUSTED else Reason.FORGED, issuer.text)
        self.work.verifications += 1
        return None if message.verify(issuer.key) else Verdict(Reason.FORGED, "the signature does not hold")


def _in_force(a: Authorization, now_ns: int) -> Verdict | None:
    if now_ns < a.not_before_ns - CLOCK_SKEW_S * NS:
        return Verdict(Reason.NOT_YET_VALID, "", a)
    if now_ns >= a.expires_ns:  # the checker's own clock: no skew is granted to an end
        return Verdict(Reason.EXPIRED, "", a)
    excess = a.excess()
    return Verdict(Reason.WIDENED, excess, a) if excess else None


def _covers(a: Authorization, use: Use) -> Verdict | None:
    if a.ward != use.ward:
        return Verdict(Reason.WRONG_WARD, "", a)
    if use.key is not None and use.key.public_numbers() != a.guardian_key.public_numbers():
        return Verdict(Reason.WRONG_GUARDIAN, "the ward's card is bound to another key", a)
    more = beyond(use.scope, use.purpose, a.scope, a.purpose)
    return Verdict(Reason.OUT_OF_SCOPE, more, a) if more else None


__all__ = ["CLOCK_SKEW_S", "CODES", "Checker", "Reason", "StatusLookup", "Use", "Verdict"]
