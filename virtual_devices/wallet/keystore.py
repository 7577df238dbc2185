"""The phone's secure element, or hardware keystore: keys that are used and never seen.

1. A key has one purpose for its whole life: what signs never agrees, what agrees never signs.
2. A key whose policy says HOLDER works only while the gate, the phone's trusted dialogue with its holder, says yes.
3. Nothing gives a private key or a sealing key: no attribute, no copy, no pickle, no backup. Python hides nothing from a
   debugger; what is modelled is the interface, and the keys are kept off the object so that no path over attributes ends at one.
4. A deleted key never returns: every key has a serial number of its own, and a new key of the same name is another key.
5. Its memory cannot be set back from outside. That is why the anchor of the encrypted store lies here: the generation and
   the digest of the newest state, which only ever move forward.

Keys follow from the seed, the phone's name, the key's name and its serial number, so a run can be repeated; what the cells
hold (:meth:`Keystore.cells`, for the bench's own disk) are names, purposes and counters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MethodType
from typing import NoReturn
from weakref import WeakKeyDictionary, WeakMethod

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from virtual_devices import cose, pki
from virtual_devices.errors import BenchError, UsageError
from virtual_devices.link import Work
from virtual_devices.pki import Identity
from virtual_devices.quick import quick
from virtual_devices.randomness import digest, private_key
from virtual_devices.wallet.attestation import Claim, Policy, Purpose
from virtual_devices.wallet.power import Memory, Power
from virtual_devices.write_back import holder_of

NONCE_BYTES = 12
_SERIAL, _DRAWN = "serial", "drawn"


class Denied(Enum):
    """Why the keystore does not do it."""

    NO_KEY = "no key of that name"
    PURPOSE = "the key is for something else"
    CONSENT = "the holder has not consented"
    NOT_OURS = "not sealed by this key, or altered"
    BACKWARDS = "the anchor moves forward only"
    CURVE = "the other side's key is not on P-256"


class KeyDenied(BenchError):
    """The keystore refused. ``why`` says what was missing."""

    def __init__(self, name: str, why: Denied) -> None:
        super().__init__(f"key {name!r}: {why.value}")
        self.name = name
        self.why = why


@quick
@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest state of something kept outside: its generation, and the digest by which it is told from any other."""

    generation: int = 0
    digest: bytes = b""


@quick
@dataclass(frozen=True, slots=True)
class _Entry:
    """What the memory holds of one key."""

    serial: int
    purpose: Purpose
    policy: Policy
    numbered: int = 0  # the last number given: no nonce under this key is made of the same number twice
    anchor: Anchor = Anchor()

    def to_bytes(self) -> bytes:
        row = [self.serial, int(self.purpose), int(self.policy), self.numbered, self.anchor.generation, self.anchor.digest]
        encoded: bytes = cbor2.dumps(row)
        return encoded

    @staticmethod
    def from_bytes(raw: bytes) -> _Entry:
        serial, purpose, policy, numbered, generation, newest = cbor2.loads(raw)
        return _Entry(serial, Purpose(purpose), Policy(policy), numbered, Anchor(generation, newest))


@dataclass(slots=True, eq=False, repr=False)
class _Silicon:
    """What is inside. Reached through the table below only."""

    seed: object
    phone: str
    memory: Memory
    batch: Identity | None
    gate: Callable[[], Callable[[str], bool] | None] | None = None
    made: dict[tuple[str, int], ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    read: dict[str, tuple[bytes, _Entry]] = field(default_factory=dict)

    def entry(self, name: str) -> _Entry:
        """Raises KeyDenied. What the memory holds is taken apart once, not at every use."""
        raw = self.memory.get(f"key.{name}")
        if not raw:
            raise KeyDenied(name, Denied.NO_KEY)
        known = self.read.get(name)
        if known is None or known[0] != raw:
            known = self.read[name] = raw, _Entry.from_bytes(raw)
        return known[1]

    def may(self, name: str, purpose: Purpose) -> _Entry:
        """Raises KeyDenied."""
        entry = self.entry(name)
        if entry.purpose is not purpose:
            raise KeyDenied(name, Denied.PURPOSE)
        gate = None if self.gate is None else self.gate()
        if entry.policy is Policy.HOLDER and not (gate is not None and gate(name)):
            raise KeyDenied(name, Denied.CONSENT)
        return entry

    def key(self, name: str, serial: int) -> ec.EllipticCurvePrivateKey:
        if (name, serial) not in self.made:
            self.made[name, serial] = private_key(self.seed, "phone", self.phone, name, serial)
        return self.made[name, serial]

    def cipher(self, name: str, serial: int) -> AESGCM:
        return AESGCM(digest(self.seed, "phone", self.phone, name, serial, "seal"))


_SILICON: WeakKeyDictionary[Keystore, _Silicon] = WeakKeyDictionary()


class Keystore:
    """The keystore of one phone.

    ``batch``: the maker's attestation key of a hardware keystore; without one it is a keystore in software, and says so.
    """

    __slots__ = ("__weakref__", "agreements", "phone", "work")

    def __init__(
        self, seed: object, phone: str, *, batch: Identity | None = None, cells: Mapping[str, bytes] | None = None,
        work: Work | None = None, power: Power | None = None,
    ) -> None:
        self.phone = phone
        self.work = work or Work()
        self.agreements = 0  # ECDH, for which Work has no count
        _SILICON[self] = _Silicon(seed, phone, Memory("keystore", cells or {}, self.work, power or Power()), batch)

    def __repr__(self) -> str:
        return f"Keystore({self.phone!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise UsageError("a keystore cannot be copied; make another phone's with Keystore(seed, phone)")

    # -- power and memory

    def power_on(self) -> None:
        """Finish or drop what a cut left. May itself be cut, and repeated. The gate must be set anew."""
        silicon = _SILICON[self]
        silicon.gate = None
        silicon.memory.recover()

    def cells(self) -> dict[str, bytes]:
        """Names, purposes and counters, to build the same keystore again on the bench. No key, and no part of any backup."""
        return _SILICON[self].memory.cells()

    @property
    def writes(self) -> int:
        """Grows with each act that writes to the memory."""
        return _SILICON[self].memory.generation

    def set_gate(self, gate: Callable[[str], bool]) -> None:
        """Who is asked, with the key's name, whether the holder consents. Once after each power-on: an app cannot replace it."""
        silicon = _SILICON[self]
        if silicon.gate is not None:
            raise UsageError("the gate is set; it can be set again after a power-on")
        # A gate of the phone's own holds the phone, and so this keystore: held firmly here, no phone would ever go.
        silicon.gate = WeakMethod(gate) if isinstance(gate, MethodType) else lambda: gate

    # -- keys

    @property
    def hardware(self) -> bool:
        return _SILICON[self].batch is not None

    def names(self) -> frozenset[str]:
        """The keys that exist."""
        return frozenset(c.removeprefix("key.") for c, raw in self.cells().items() if c.startswith("key.") and raw)

    def make(self, name: str, purpose: Purpose, policy: Policy = Policy.FREE) -> None:
        """A new key. Raises UsageError where one of that name lives, PowerCut at an armed cut point."""
        memory = _SILICON[self].memory
        if memory.get(f"key.{name}"):
            raise UsageError(f"key {name!r} exists; delete it first")
        serial = int.from_bytes(memory.get(_SERIAL), "big") + 1
        memory.commit({_SERIAL: serial.to_bytes(8, "big"), f"key.{name}": _Entry(serial, purpose, policy).to_bytes()})

    def delete(self, name: str) -> None:
        """Destroy a key for good. No key of that name: nothing to do. Raises PowerCut at an armed cut point."""
        silicon = _SILICON[self]
        if silicon.memory.get(f"key.{name}"):
            silicon.memory.commit({f"key.{name}": b""})
        for held in [held for held in silicon.made if held[0] == name]:
            del silicon.made[held]

    def public_key(self, name: str) -> ec.EllipticCurvePublicKey:
        """Raises KeyDenied for a sealing key: it has no public half."""
        silicon = _SILICON[self]
        entry = silicon.entry(name)
        if entry.purpose is Purpose.SEAL:
            raise KeyDenied(name, Denied.PURPOSE)
        return silicon.key(name, entry.serial).public_key()

    def random(self, count: int) -> bytes:
        """Random bytes (at most 32), never the same twice: the draw is counted in the memory that survives power-off."""
        if not 0 < count <= 32:
            raise UsageError(f"1 to 32 random bytes at a time, not {count}")
        silicon = _SILICON[self]
        drawn = int.from_bytes(silicon.memory.get(_DRAWN), "big") + 1
        silicon.memory.commit({_DRAWN: drawn.to_bytes(8, "big")})
        return digest(silicon.seed, "phone", silicon.phone, "random", drawn)[:count]

    # -- use

    def sign(self, name: str, message: bytes) -> bytes:
        """ES256, 64 bytes r || s. Raises KeyDenied."""
        silicon = _SILICON[self]
        entry = silicon.may(name, Purpose.SIGN)
        self.work.signatures += 1
        return pki.sign(silicon.key(name, entry.serial), message)

    def agree(self, name: str, peer: ec.EllipticCurvePublicKey) -> bytes:
        """The shared secret of ECDH, 32 bytes: put it through a key derivation function. Raises KeyDenied."""
        silicon = _SILICON[self]
        entry = silicon.may(name, Purpose.AGREE)
        if not isinstance(peer.curve, ec.SECP256R1):
            raise KeyDenied(name, Denied.CURVE)
        self.agreements += 1
        return silicon.key(name, entry.serial).exchange(ec.ECDH(), peer)

    def seal(self, name: str, plain: bytes, associated: bytes = b"") -> bytes:
        """Encrypt under a key that never leaves. The nonce is counted, and written before it is used."""
        nonce = self.number(name).to_bytes(NONCE_BYTES, "big")
        silicon = _SILICON[self]
        return nonce + silicon.cipher(name, silicon.entry(name).serial).encrypt(nonce, plain, associated)

    def number(self, name: str) -> int:
        """A number that never comes again while this sealing key lives, written before it is given. Nonces are made of it."""
        silicon = _SILICON[self]
        entry = silicon.may(name, Purpose.SEAL)
        number = entry.numbered + 1
        silicon.memory.commit({f"key.{name}": replace(entry, numbered=number).to_bytes()})
        return number

    def open(self, name: str, sealed: bytes, associated: bytes = b"") -> bytes:
        """What was sealed. Raises KeyDenied, also when it was sealed by another key or altered."""
        silicon = _SILICON[self]
        entry = silicon.may(name, Purpose.SEAL)
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        if len(nonce) < NONCE_BYTES:
            raise KeyDenied(name, Denied.NOT_OURS)
        try:
            return silicon.cipher(name, entry.serial).decrypt(nonce, body, associated)
        except InvalidTag:
            raise KeyDenied(name, Denied.NOT_OURS) from None

    def anchor(self, name: str) -> Anchor:
        """The newest state of what this sealing key protects."""
        return _SILICON[self].may(name, Purpose.SEAL).anchor

    def move_anchor(self, name: str, anchor: Anchor) -> None:
        """There is a newer state. Raises KeyDenied when it is not newer, PowerCut at an armed cut point."""
        silicon = _SILICON[self]
        entry = silicon.may(name, Purpose.SEAL)
        if anchor.generation <= entry.anchor.generation:
            raise KeyDenied(name, Denied.BACKWARDS)
        moved = _Entry(entry.serial, entry.purpose, entry.policy, entry.numbered, anchor)
        silicon.memory.commit({f"key.{name}": moved.to_bytes()})

    def attest(self, name: str, challenge: bytes, phone: str) -> bytes:
        """What the maker says about this key, for an issuer's challenge (``attestation.py``). ``phone``: the key in this keystore
        by which the phone is known, which the statement names. Raises KeyDenied when either is not here.

        A keystore in software signs the same statement with a key of its own and says that it is software.
        """
        silicon = _SILICON[self]
        entry = silicon.entry(name)
        beside = holder_of(self.public_key(phone))
        claim = Claim(self.public_key(name), entry.purpose, self.hardware, entry.policy, challenge, beside)
        signer = silicon.batch or Identity(silicon.key("software attestation", 0), ())
        chain = {cose.X5CHAIN: signer.chain[0]} if signer.chain else {}
        self.work.signatures += 1
        return cose.sign1(signer.key, claim.to_bytes(), chain)


__all__ = ["Anchor", "Denied", "KeyDenied", "Keystore", "Policy", "Purpose"]
