"""Token Status Lists as CWT (draft-ietf-oauth-status-list, by its version 21): how thousands of credentials stand, in one list.

    COSE_Sign1 (tag 18), protected {1: alg, 16: "application/statuslist+cwt"}, unprotected {33: x5chain}
    claims {2: uri of this list, 6: issued, 4: expires, 65534: ttl, 65533: {"bits": 1/2/4/8, "lst": zlib}}

The issuer gives out places at random and readers take whole lists, so that neither a place nor a question tells of a person.
A reader may be offline: what it knows has an age, an older list never replaces a newer one, and a list past its end says
nothing any more. Of a card that nobody can tell about, the answer is UNKNOWN, never VALID.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from virtual_devices import cwt
from virtual_devices.clock import NS
from virtual_devices.cose import TYP, X5CHAIN, MalformedCose, Sign1
from virtual_devices.cose import decode as decode_cose
from virtual_devices.cwt import Claims, MalformedCwt
from virtual_devices.errors import PeerError, UsageError
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Identity, Refused, Role

MEDIA_TYPE = "application/statuslist+cwt"
ENTRIES, BITS = 1 << 20, 2
MAX_PACKED_BYTES = 1 << 20
"""What a list may have unpacked: ours has a quarter of it (2^20 entries of two bits)."""
MAX_LISTS = 64
CLOCK_SKEW_S = 30


class MalformedStatusList(PeerError, ValueError):
    """Bytes that are no status list token."""

    def __init__(self, what: str, clause: str = "5.2") -> None:
        super().__init__(what, clause=f"draft-ietf-oauth-status-list {clause}")


class Status(Enum):
    """Clause 7.1: what is said of a credential; UNKNOWN is the reader's own word for not being told."""

    VALID = 0
    INVALID = 1  # for ever
    SUSPENDED = 2  # may become valid again
    APPLICATION = 3  # or any other number: of an application's, or kept for later
    UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class StatusVerdict:
    """``age_ns``: since the list was made; None when there is none. ``text``: why nothing is known."""

    status: Status
    age_ns: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class StatusToken:
    """One list, unpacked. ``packed``: the entries, least significant bits first."""

    uri: str
    bits: int
    packed: bytes
    issued_ns: int
    expires_ns: int | None
    ttl_s: int | None

    def value(self, index: int) -> int:
        """The number at that place. Raises MalformedStatusList for a place that the list does not have (clause 8.3)."""
        per_byte = 8 // self.bits
        if not 0 <= index < len(self.packed) * per_byte:
            raise MalformedStatusList(f"place {index} is outside the list", "8.3")
        return self.packed[index // per_byte] >> index % per_byte * self.bits & (1 << self.bits) - 1

    def status(self, index: int) -> Status:
        """What the number means; one that the draft keeps for itself or leaves to applications is nothing that we know to be
        valid."""
        value = self.value(index)
        return Status(value) if value <= Status.SUSPENDED.value else Status.APPLICATION


# -- the issuer's side

class StatusList:
    """The list as its issuer keeps it: sets places, signs what is published."""

    def __init__(self, uri: str, entries: int = ENTRIES, bits: int = BITS) -> None:
        if bits not in (1, 2, 4, 8) or entries < 1 or entries * bits % 8:
            raise UsageError(f"no list of {entries} entries of {bits} bits: 1, 2, 4 or 8 bits each, whole bytes in all")
        self.uri = uri
        self.bits = bits
        self.entries = entries
        self._packed = bytearray(entries * bits // 8)

    def __getitem__(self, index: int) -> int:
        at, shift, mask = self._where(index)
        return self._packed[at] >> shift & mask

    def __setitem__(self, index: int, status: Status | int) -> None:
        value = status.value if isinstance(status, Status) else status
        at, shift, mask = self._where(index)
        if not 0 <= value <= mask:
            raise UsageError(f"status {value} does not fit into {self.bits} bits")
        self._packed[at] = self._packed[at] & ~(mask << shift) | value << shift

    def compressed(self) -> bytes:
        return zlib.compress(bytes(self._packed), 9)

    def sign(self, issuer: Identity, issued_ns: int, expires_ns: int, ttl_s: int) -> bytes:
        """The list as it is published now."""
        values: dict[int | str, Any] = {
            cwt.SUB: self.uri, cwt.IAT: cwt.seconds(issued_ns), cwt.EXP: cwt.seconds(expires_ns), cwt.TTL: ttl_s,
            cwt.STATUS_LIST: {"bits": self.bits, "lst": self.compressed()},
        }
        header = {X5CHAIN: issuer.chain[0] if len(issuer.chain) == 1 else list(issuer.chain)}
        return cwt.make(issuer.key, values, protected={TYP: MEDIA_TYPE}, unprotected=header).to_bytes()

    def _where(self, index: int) -> tuple[int, int, int]:
        if not 0 <= index < self.entries:
            raise UsageError(f"the list has no place {index}")
        per_byte = 8 // self.bits
        return index // per_byte, index % per_byte * self.bits, (1 << self.bits) - 1


# -- the reader's side

class Taking(Enum):
    """What became of a list that was handed over."""

    ACCEPTED = "accepted"
    SAME = "the one we have"
    ROLLED_BACK = "older than the one we have"
    FORGED = "not signed by the data centre"
    MALFORMED = "not a status list"
    EXPIRED = "past its end"
    TOO_EARLY = "from the future"
    TOO_MANY = "one list more than there may be"


@dataclass(frozen=True, slots=True)
class Taken:
    outcome: Taking
    uri: str = ""
    text: str = ""


class StatusLists:
    """The lists that a reader has, by their address. ``work`` counts the cryptography."""

    def __init__(self, root: ChainVerifier, work: Work, *, max_lists: int = MAX_LISTS) -> None:
        self._root = root
        self._work = work
        self._max_lists = max_lists
        self._lists: dict[str, StatusToken] = {}

    def take(self, raw: bytes, now_ns: int) -> Taken:
        """Check a list and keep it if it is newer than ours. Never raises for what is in it."""
        try:
            message, token = read(raw)
        except MalformedStatusList as e:
            return Taken(Taking.MALFORMED, "", e.what)
        if (refusal := self._refused(message, token, now_ns)) is not None:
            return refusal
        known = self._lists.get(token.uri)
        if known == token:
            return Taken(Taking.SAME, token.uri)
        if known is not None and known.issued_ns >= token.issued_ns:
            return Taken(Taking.ROLLED_BACK, token.uri)
        if known is None and len(self._lists) >= self._max_lists:
            return Taken(Taking.TOO_MANY, token.uri, f"{self._max_lists} are kept")
        self._lists[token.uri] = token
        return Taken(Taking.ACCEPTED, token.uri)

    def look(self, uri: str, index: int, now_ns: int) -> StatusVerdict:
        """How a credential stands, as far as we know now."""
        token = self._lists.get(uri)
        if token is None:
            return StatusVerdict(Status.UNKNOWN, None, "no such list here")
        age_ns = max(0, now_ns - token.issued_ns)
        if token.expires_ns is None or now_ns >= token.expires_ns:
            return StatusVerdict(Status.UNKNOWN, age_ns, "the list is past its end")
        try:
            return StatusVerdict(token.status(index), age_ns)
        except MalformedStatusList as e:
            return StatusVerdict(Status.UNKNOWN, age_ns, e.what)

    def due(self, now_ns: int) -> tuple[str, ...]:
        """The lists of which a fresh copy should be fetched: past their time to live, or their end."""
        return tuple(uri for uri, t in self._lists.items() if now_ns >= _fresh_until_ns(t))

    def _refused(self, message: Sign1, token: StatusToken, now_ns: int) -> Taken | None:
        self._work.chains += 1
        signer = self._root.check(message.chain, {Role.DATA_CENTRE}, now_ns)
        if isinstance(signer, Refused):
            return Taken(Taking.FORGED, token.uri, f"{signer.trouble.value} {signer.text}".strip())
        self._work.verifications += 1
        if not message.verify(signer.key):
            return Taken(Taking.FORGED, token.uri, "the signature is wrong")
        if token.issued_ns > now_ns + CLOCK_SKEW_S * NS:
            return Taken(Taking.TOO_EARLY, token.uri)  # it would shut out every true list until then
        if token.expires_ns is None:
            return Taken(Taking.MALFORMED, token.uri, "without an end (exp), which the profile wants")
        return Taken(Taking.EXPIRED, token.uri) if now_ns >= token.expires_ns else None


def _fresh_until_ns(token: StatusToken) -> int:
    ends = [token.issued_ns + token.ttl_s * NS] if token.ttl_s is not None else []
    ends += [token.expires_ns] if token.expires_ns is not None else []
    return min(ends, default=token.issued_ns)


# -- reading

def read(raw: bytes) -> tuple[Sign1, StatusToken]:
    """A status list token, and the message round it; nothing is said of its signature. Raises MalformedStatusList."""
    try:
        message = decode_cose(raw)
        claims = cwt.read(message).claims
    except (MalformedCose, MalformedCwt) as e:
        raise MalformedStatusList(e.what) from None
    if message.header.get(TYP) != MEDIA_TYPE:
        raise MalformedStatusList("the type (header 16) is not a status list's")
    return message, _token(claims)


def _token(claims: Claims) -> StatusToken:
    body = claims.values.get(cwt.STATUS_LIST)
    if claims.subject is None or claims.issued_ns is None or not isinstance(body, Mapping):
        raise MalformedStatusList("address (2), date (6) or list (65533) is missing")
    bits, packed = body.get("bits"), body.get("lst")
    if type(bits) is not int or bits not in (1, 2, 4, 8) or not isinstance(packed, bytes):
        raise MalformedStatusList("bits is not 1, 2, 4 or 8, or lst is no byte string", "4.3")
    return StatusToken(claims.subject, bits, inflate(packed), claims.issued_ns, claims.expires_ns, claims.ttl_s)


def inflate(packed: bytes, most_bytes: int = MAX_PACKED_BYTES) -> bytes:
    """What zlib packed, the whole of it and nothing after it. Raises MalformedStatusList."""
    machine = zlib.decompressobj()
    try:
        raw = machine.decompress(packed, most_bytes + 1)
    except zlib.error:
        raise MalformedStatusList("the list is not packed by zlib", "4.1") from None
    if len(raw) > most_bytes:
        raise MalformedStatusList(f"the list has more than {most_bytes} bytes", "4.1")
    if not machine.eof or machine.unused_data:
        raise MalformedStatusList("the packed list is cut short, or something follows it", "4.1")
    return raw


__all__ = [
    "BITS", "ENTRIES", "MEDIA_TYPE", "MalformedStatusList", "Status", "StatusList", "StatusLists", "StatusToken", "StatusVerdict",
    "Taken", "Taking", "inflate", "read",
]
