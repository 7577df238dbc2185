"""Who asks: reader authentication as the holder's device checks it, offline (ISO/IEC 18013-5 clause 9.1.4, and the profile).

    version "1.0"   ``readerAuth`` of each document request: the SAM, or a reader outside medical care
    version "1.1"   the same, and ``readerAuthAll = [SAM, HPC]`` over all of the request

A professional counts only beside the SAM that also signed all of it: a request put together from two sessions is none.

Revocation, offline: a reader's certificate lives for 72 hours at most and a longer one is refused, so that a SAM or HPC
revoked today, which gets no certificate any more, is unknown to no wallet in three days. No message tells a wallet of serial
numbers, and none is looked for. A device without a clock judges by the latest date that it has seen
signed; what it cannot see, it says (``clockless``).
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.authentication import Party
from virtual_devices.clock import NS
from virtual_devices.cose import Sign1
from virtual_devices.link import Work
from virtual_devices.mdoc.request import V1_0, DeviceRequest, signed_by_reader
from virtual_devices.mdoc.session import Transcript
from virtual_devices.pki import PROFESSIONALS, READER_CERTIFICATE_H, ChainVerifier, Refused, Role, Trouble, Verified
from virtual_devices.quick import quick

_SAM, _FIRST = frozenset({Role.SAM}), frozenset({Role.SAM, Role.OTHER_USE})
SKEW_S = 30
"""How wrong a phone's clock may be."""
_BY_DATE = (Trouble.EXPIRED, Trouble.NOT_YET_VALID)
LONGEST_NS = (READER_CERTIFICATE_H * 3600 + 2 * SKEW_S) * NS
"""The longest validity of a reader's certificate that is taken."""


@quick
@dataclass(frozen=True, slots=True)
class Reader:
    """One party that has proved itself: who it is, and its certificates (leaf first)."""

    who: Verified
    chain: tuple[bytes, ...]


@quick
@dataclass(frozen=True, slots=True)
class Readers:
    """What the signatures of a request have shown. ``troubles``: who did not prove themselves, and why."""

    sam: Reader | None = None
    hpc: Reader | None = None
    other_use: Reader | None = None
    troubles: tuple[tuple[Party, Refused], ...] = ()

    def trouble(self, party: Party) -> Refused | None:
        """Why this party is not there; None when it is."""
        there = self.sam if party is Party.SAM else self.hpc
        return None if there is not None else next((r for p, r in self.troubles if p is party), Refused(Trouble.MISSING))

    def known(self) -> list[Reader]:
        return [r for r in (self.sam, self.hpc, self.other_use) if r is not None]


@quick
@dataclass(frozen=True, slots=True)
class ReaderCheck:
    """By what the signatures are judged. ``clockless``: the time is only the latest date seen, as on a chip."""

    root: ChainVerifier
    now_ns: int
    clockless: bool = False


def who_asks(request: DeviceRequest, transcript: Transcript, check: ReaderCheck, work: Work) -> Readers:
    """Never raises for what is in the request."""
    troubles: list[tuple[Party, Refused]] = []
    first: Reader | None = None
    for number, document in enumerate(request.documents):
        found = _one(document.auth, signed_by_reader(document.items, transcript), _FIRST, check, work)
        if isinstance(found, Refused):
            return Readers(troubles=((Party.SAM, found),))
        if number and (first is None or first.who.serial != found.who.serial):
            return Readers(troubles=((Party.SAM, Refused(Trouble.FORGED, "two readers in one request")),))
        first = found
    assert first is not None  # a request has a document
    if first.who.role is Role.OTHER_USE:
        return Readers(other_use=first)
    if request.version == V1_0 or not request.auth_all:
        return Readers(sam=first)
    return _all(request, transcript, first, check, work, troubles)


def _all(
    request: DeviceRequest, transcript: Transcript, sam: Reader, check: ReaderCheck, work: Work,
    troubles: list[tuple[Party, Refused]],
) -> Readers:
    """The signatures over all of the request: the SAM's first, then the professional's."""
    signed = request.signed_by_all(transcript)
    also = _one(request.auth_all[0], signed, _SAM, check, work, known=sam)
    if isinstance(also, Refused):
        return Readers(troubles=((Party.SAM, also),))
    if len(request.auth_all) == 1:
        return Readers(sam=sam)
    found = _one(request.auth_all[1], signed, PROFESSIONALS, check, work)
    if isinstance(found, Refused):
        return Readers(sam=sam, troubles=((Party.HPC, found),))
    if len(request.auth_all) > 2:
        troubles.append((Party.HPC, Refused(Trouble.MALFORMED, "more signers than SAM and professional")))
        return Readers(sam=sam, troubles=tuple(troubles))
    return Readers(sam=sam, hpc=found)


def _one(
    auth: Sign1 | None, signed: bytes, roles: frozenset[Role], check: ReaderCheck, work: Work, *,
    known: Reader | None = None,
) -> Reader | Refused:
    """``known``: a reader whose chain has been checked in this request already; the same bytes are not checked again."""
    if auth is None:
        return Refused(Trouble.MISSING)
    chain = tuple(auth.chain)
    if known is not None and chain == known.chain:
        reader = known
    else:
        work.chains += 1
        verdict = check.root.check(chain, roles, check.now_ns, clockless=check.clockless)
        if isinstance(verdict, Refused) and verdict.trouble in _BY_DATE and not check.clockless:  # within the clock's error?
            later = SKEW_S if verdict.trouble is Trouble.NOT_YET_VALID else -SKEW_S
            work.chains += 1
            verdict = check.root.check(chain, roles, check.now_ns + later * NS)
        if isinstance(verdict, Refused):
            return verdict
        if verdict.not_after_ns - verdict.not_before_ns > LONGEST_NS:
            return Refused(Trouble.EXPIRED, f"a reader certificate of more than {READER_CERTIFICATE_H} hours")
        reader = Reader(verdict, chain)
    work.verifications += 1
    if not auth.verify(reader.who.key, detached=signed):
        return Refused(Trouble.FORGED, "signed nothing of this session")
    if known is not None and reader.who.serial != known.who.serial:
        return Refused(Trouble.FORGED, "another SAM signed all of the request")
    return reader
