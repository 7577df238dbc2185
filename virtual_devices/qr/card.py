"""The card's QR code (profile): the issuer's word about the card, wrapped for one showing by the holder's key.

    "VHC1:" Base45(zlib(wrapper))
    wrapper  = COSE_Sign1 (tag 18) by the key in cnf, deterministic encoding, unprotected {}
               protected {1: -7, 13 (kcwt): card, 16 (typ): "application/vhc+cwt"}
               claims {6: iat, 4: exp (at most 60 s later), 7: cti, ? 3: aud, ? 10: nonce}
    card     = COSE_Sign1 (tag 18) by the document signer, unprotected {}
               protected {1: -7, 4: kid, the first 8 bytes of SHA-256 of its certificate}
               claims {1: iss, 4: exp, 5: nbf, 6: iat, 7: cti, 8: cnf, 65535: status, -70001: data}
    data     = {1: card number, 2: name, 3: id number, 4: birth date, 5: sex, 6: date of issue, 7: end of validity,
                8: insured person's status, ? 9: whom records are for, when it is not the key in cnf, ? 10: guardian}
               dates are uint, YYYYMMDD
    guardian = [id of the authorization, card number, name, [+ scope], purpose]: of a ward's card, whose cnf is the guardian's

A ward's code carries no authorization and needs none: the issuer says what it reaches to, its end is the authorization's where
that is earlier, withdrawing the authorization ends the card's own status, and the wrapper is the guardian's own proof.

A photograph of the screen has no key: it can repeat a code while it lives, and make none. No tag 61 anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cwt
from virtual_devices.authorization import CARD_NO_CHARACTERS, CTI_BYTES, NAME_CHARACTERS, Purpose, Scope, on_behalf
from virtual_devices.clock import NS
from virtual_devices.cose import (
    ALG,
    ES256,
    KCWT,
    KID,
    SIGN1_TAG,
    TYP,
    MalformedCose,
    Sign1,
    encode_protected,
    read_sign1,
    sig_structure,
)
from virtual_devices.cose import decode as decode_cose
from virtual_devices.cwt import Claims, MalformedCwt
from virtual_devices.errors import UsageError
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import Identity
from virtual_devices.qr.challenge import Challenge
from virtual_devices.qr.text import CARD, MalformedCode, pack, unpack
from virtual_devices.write_back import holder_of

MEDIA_TYPE = "application/vhc+cwt"
ISSUER = "tw.nhi.bench"
DATA = -70001
"""Key of the private claim that holds the card's data."""
LIFETIME_S, PERIOD_S = 60, 20
"""A code lives so long at most, and a screen has a new one so often: who scans the old one at the last moment is not refused."""
ID_BYTES, CARD_ID_BYTES, KID_BYTES = 12, 8, 8
"""Lengths of the wrapper's cti, the card's cti and the signer's name: every byte costs a module or two of the picture."""
Signer = Callable[[bytes], bytes]
"""A key that is used and not seen: the message in, 64 bytes r || s out."""


@dataclass(frozen=True, slots=True)
class Guardian:
    """Who shows a ward's card, and how far they may go. ``authorization``: its id."""

    authorization: bytes
    card_no: str
    name: str
    scope: frozenset[Scope]
    purpose: Purpose

    def value(self) -> list[Any]:
        return [self.authorization, self.card_no, self.name, sorted(int(s) for s in self.scope), self.purpose.value]


@dataclass(frozen=True, slots=True)
class CardData:
    """What the code says of card and holder. ``device``: whom records are for (``write_back.holder_of``), b"" when it is the key
    that wraps; ``guardian``: of a ward's card, which always names whom records are for."""

    card_no: str
    name: str
    id_no: str
    birth_date: date
    sex: str
    issue_date: date
    expiry_date: date
    identity_mark: str
    device: bytes = b""
    guardian: Guardian | None = None

    def says(self) -> str:
        """Who shows it for whom, as a record of a visit has it (DLG-03); empty for one's own card."""
        guardian = self.guardian
        return "" if guardian is None else on_behalf(guardian.name, guardian.card_no, self.card_no)

    def value(self) -> dict[int, Any]:
        found: dict[int, Any] = {
            1: self.card_no, 2: self.name, 3: self.id_no, 4: _number(self.birth_date), 5: self.sex, 6: _number(self.issue_date),
            7: _number(self.expiry_date), 8: self.identity_mark,
        }
        found |= {9: self.device} if self.device else {}
        return found | ({10: self.guardian.value()} if self.guardian is not None else {})


@dataclass(frozen=True, slots=True)
class Term:
    """From when to when the issuer's word is good."""

    issued_ns: int
    from_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A code taken apart; nothing is verified yet. ``wrapper`` and ``card`` have the claims that the profile wants."""

    outer: Sign1
    inner: Sign1
    wrapper: Claims
    card: Claims
    data: CardData

    @property
    def kid(self) -> bytes:
        return bytes(self.inner.header[KID])

    @property
    def holder_key(self) -> ec.EllipticCurvePublicKey:
        key = self.card.key
        assert key is not None
        return key

    @property
    def device(self) -> bytes:
        """Whom prescriptions and records are written for (``write_back.holder_of``)."""
        return self.data.device or holder_of(self.holder_key)

    @property
    def code_id(self) -> bytes:
        """The showing's own number (cti)."""
        assert self.wrapper.token_id is not None
        return self.wrapper.token_id


def key_id(certificate: bytes) -> bytes:
    """How the code names its signer: the first 8 bytes of SHA-256 of the certificate (DER)."""
    return hashlib.sha256(certificate).digest()[:KID_BYTES]


# -- making

def issue(
    data: CardData, holder_key: ec.EllipticCurvePublicKey, issuer: Identity, term: Term, status: StatusReference,
    fresh: Callable[[int], bytes],
) -> bytes:
    """The issuer's word, to lie in the phone."""
    values: dict[int | str, Any] = {
        cwt.ISS: ISSUER, cwt.EXP: cwt.seconds(term.until_ns), cwt.NBF: cwt.seconds(term.from_ns),
        cwt.IAT: cwt.seconds(term.issued_ns), cwt.CTI: fresh(CARD_ID_BYTES), cwt.CNF: cwt.confirmation(holder_key),
        cwt.STATUS: cwt.status_at(status), DATA: data.value(),
    }
    return cwt.make(issuer.key, values, protected={KID: key_id(issuer.chain[0])}).to_bytes()


def show(
    card: bytes, sign: Signer, now_ns: int, fresh: Callable[[int], bytes], challenge: Challenge | None = None, *,
    lifetime_s: int = LIFETIME_S,
) -> str:
    """The code for one showing, from ``now_ns`` on. With a challenge it is good for that reader only."""
    if not 1 <= lifetime_s <= LIFETIME_S:
        raise UsageError(f"a code lives 1 to {LIFETIME_S} s, not {lifetime_s}")
    now_s = cwt.seconds(now_ns)
    values: dict[int | str, Any] = {cwt.IAT: now_s, cwt.EXP: now_s + lifetime_s, cwt.CTI: fresh(ID_BYTES)}
    if challenge is not None:
        values |= {cwt.AUD: challenge.reader, cwt.NONCE: challenge.nonce}
    inner = cbor2.CBORTag(SIGN1_TAG, decode_cose(card).item())
    header, payload = encode_protected({ALG: ES256, KCWT: inner, TYP: MEDIA_TYPE}), Claims(values).to_bytes()
    return pack(CARD, Sign1(header, {}, payload, sign(sig_structure(header, payload))).to_bytes())


# -- reading

def read(text: str) -> Shown:
    """A code taken apart. Raises MalformedCode, nothing else, whatever the text is."""
    raw = unpack(CARD, text)
    try:
        outer = decode_cose(raw)
        if outer.to_bytes() != raw:
            raise MalformedCode("the encoding is not deterministic")
        inner = _inner(outer)
        wrapper, card = cwt.read(outer).claims, cwt.read(inner).claims
    except (MalformedCose, MalformedCwt) as e:
        raise MalformedCode(e.what) from None
    _need_wrapper(wrapper)
    _need_card(card)
    return Shown(outer, inner, wrapper, card, _data(card.values.get(DATA)))


def _inner(outer: Sign1) -> Sign1:
    header = outer.header
    tagged = header.get(KCWT)
    if set(header) != {ALG, KCWT, TYP} or header[TYP] != MEDIA_TYPE or outer.unprotected:
        raise MalformedCode("the wrapper's headers are not those of a card's code")
    if not isinstance(tagged, cbor2.CBORTag) or tagged.tag != SIGN1_TAG:
        raise MalformedCode("the wrapper holds no card (header 13)")
    inner = read_sign1(tagged.value)
    named = inner.header
    kid = named.get(KID)
    if set(named) != {ALG, KID} or not isinstance(kid, bytes) or len(kid) != KID_BYTES or inner.unprotected:
        raise MalformedCode("the card's headers are not those of a card")
    return inner


def _need_wrapper(claims: Claims) -> None:
    if claims.issued_ns is None or claims.expires_ns is None or len(claims.token_id or b"") != ID_BYTES:
        raise MalformedCode("the wrapper lacks iat, exp or cti")
    if (claims.nonce is None) != (not claims.audience):
        raise MalformedCode("the wrapper has one of aud and nonce, not both")


def _need_card(claims: Claims) -> None:
    times = (claims.issued_ns, claims.not_before_ns, claims.expires_ns)
    if None in times or None in (claims.key, claims.status) or claims.issuer != ISSUER or not claims.token_id:
        raise MalformedCode("the card lacks a claim, or is of another issuer")


def _data(value: object) -> CardData:
    if not isinstance(value, Mapping) or not all(type(k) is int for k in value) or set(value) - {9, 10} != set(range(1, 9)):
        raise MalformedCode("the card's data are not those of the profile")
    texts = [value[n] for n in (1, 2, 3, 5, 8)]
    device = value.get(9, b"")
    if not all(isinstance(t, str) for t in texts) or not isinstance(device, bytes) or len(device) not in (0, 32):
        raise MalformedCode("a field of the card's data is of the wrong type")
    guardian = _guardian(value[10]) if 10 in value else None
    if guardian is not None and not device:
        raise MalformedCode("a ward's card does not say whom records are for")
    card_no, name, id_no, sex, mark = texts
    return CardData(card_no, name, id_no, _date(value[4]), sex, _date(value[6]), _date(value[7]), mark, device, guardian)


def _guardian(value: Any) -> Guardian:
    """A scope or purpose that is not known here is refused: it would grant nobody knows what."""
    match value:
        case [bytes(cti), str(card_no), str(name), [int(), *_] as scopes, str(purpose)] if (
            len(cti) == CTI_BYTES and 1 <= len(card_no) <= CARD_NO_CHARACTERS and 1 <= len(name) <= NAME_CHARACTERS
            and all(type(s) is int for s in scopes) and len(set(scopes)) == len(scopes)
        ):
            try:
                return Guardian(cti, card_no, name, frozenset(Scope(s) for s in scopes), Purpose(purpose))
            except ValueError:
                pass
    raise MalformedCode("the guardian of a ward's card is not that of the profile")


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _date(value: object) -> date:
    if type(value) is not int or not 0 < value < 100_000_000:
        raise MalformedCode("a date of the card's data is not YYYYMMDD")
    try:
        return date(value // 10_000, value // 100 % 100, value % 100)
    except ValueError:
        raise MalformedCode("a date of the card's data is none") from None


def lifetime_ns(wrapper: Claims) -> int:
    """How long the code says it lives."""
    assert wrapper.expires_ns is not None and wrapper.issued_ns is not None
    return wrapper.expires_ns - wrapper.issued_ns


MAX_LIFETIME_NS = LIFETIME_S * NS
