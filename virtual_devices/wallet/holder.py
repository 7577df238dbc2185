"""Is it the holder? PIN and biometric as acts of a person, counted, and slowed down when they fail.

A try is counted and written before it is compared, so that no cut and no image set back (``vault.py``) wins one. The PIN is
kept as a salted, stretched digest inside the encrypted vault: guessing it without this phone's keystore does not even begin.

    wrong PINs in a row    what follows
    1 to 4                 nothing
    5, 6, 7, 8             30 s, 1 min, 5 min, 15 min until the next try
    9                      locked until the card is bound again

The delay is counted on the phone's *steady* clock, which nobody can set (time since power-on, handed in as ``steady_ns``): the
date and time of day may be wrong or be put forward, and matter nothing here. A restart, and a steady clock that went back,
begin the delay anew.

What a guesser gets: alone with the phone, 9 tries for ever (a chance of 0.09 % on 4 random digits, 0.0009 % on 6). Beside a
holder who enters the right PIN once a day, 4 tries a day that nobody is made to wait for and 8 with waiting, which is 2920 a year
(29 % on 4 random digits, 0.3 % on 6): that is why the holder is told how many wrong tries came before the right one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from types import MappingProxyType

import cbor2

from virtual_devices.clock import NS
from virtual_devices.wallet.keystore import Keystore
from virtual_devices.wallet.vault import Vault

MIN_DIGITS, MAX_DIGITS = 4, 12
DELAYS_S: Mapping[int, int] = MappingProxyType({5: 30, 6: 60, 7: 300, 8: 900})
"""Wrong PINs in a row -> seconds until the next try."""
LOCKED_AFTER = 9
BIOMETRIC_TRIES = 5
"""Failures in a row after which only the PIN is taken."""
PROOF_S = 60
"""How long a proof may be used, once, after it was given."""
STRETCH = 1000
"""Rounds of PBKDF2. A phone would take more; the keystore, and not this number, is what stops a guesser who has the flash."""
_PIN, _TRIES = "holder.pin", "holder.tries"


class Means(Enum):
    """How the holder proved to be there."""

    PIN = "pin"
    BIOMETRIC = "biometric"


class Verdict(Enum):
    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "too early after wrong tries"  # not compared, not counted
    LOCKED = "locked until the card is bound again"
    PIN_NEEDED = "the biometric failed too often: the PIN"
    NOT_SET = "no PIN is set"
    MALFORMED = "not a PIN"  # not compared, not counted


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try. ``wait_ns``: until the next one. ``wrong_before``: wrong PINs since the last right one."""

    verdict: Verdict
    wait_ns: int = 0
    wrong_before: int = 0


def _is_pin(pin: str) -> bool:
    return pin.isascii() and pin.isdigit() and MIN_DIGITS <= len(pin) <= MAX_DIGITS


def too_simple(pin: str) -> bool:
    """All digits the same, or a run such as 123456 or 9876."""
    return {int(b) - int(a) for a, b in pairwise(pin)} in ({0}, {1}, {-1})


class Holder:
    """The holder of one phone, as the phone can tell."""

    def __init__(self, vault: Vault, keystore: Keystore) -> None:
        self._vault = vault
        self._keystore = keystore
        self._since_ns: int | None = None  # when the running delay began
        self._proof: tuple[Means, int] | None = None

    def power_on(self, steady_ns: int) -> None:
        """A delay begins anew; a proof is gone."""
        self._since_ns = steady_ns
        self._proof = None

    # -- the PIN

    @property
    def has_pin(self) -> bool:
        return self._vault.get(_PIN) is not None

    def set_pin(self, pin: str, steady_ns: int) -> bool:
        """The first PIN, or a new one after a proof by the old PIN. False for none, a too simple one, or no such proof."""
        if not _is_pin(pin) or too_simple(pin) or (self.has_pin and self.take_proof(steady_ns) is not Means.PIN):
            return False
        salt = self._keystore.random(16)
        kept = cbor2.dumps([salt, STRETCH, _stretched(pin, salt, STRETCH)])
        self._vault.commit({_PIN: kept, _TRIES: _counts(0, 0)})
        return True

    def enter_pin(self, pin: str, steady_ns: int) -> Tried:
        """A try. Raises PowerCut at an armed cut point: then the try is lost, or was never made."""
        self._proof = None
        kept, (wrong, failed) = self._vault.get(_PIN), self._tries()
        if kept is None:
            return Tried(Verdict.NOT_SET)
        if wrong >= LOCKED_AFTER:
            return Tried(Verdict.LOCKED)
        if wait_ns := self.wait_ns(steady_ns):
            return Tried(Verdict.WAIT, wait_ns)
        if not _is_pin(pin):
            return Tried(Verdict.MALFORMED)
        self._vault.commit({_TRIES: _counts(wrong + 1, failed)})
        self._since_ns = steady_ns
        salt, rounds, digest = cbor2.loads(kept)
        if not hmac.compare_digest(_stretched(pin, salt, rounds), digest):
            verdict = Verdict.LOCKED if wrong + 1 >= LOCKED_AFTER else Verdict.WRONG
            return Tried(verdict, self.wait_ns(steady_ns), wrong + 1)
        self._vault.commit({_TRIES: _counts(0, 0)})
        self._proof = (Means.PIN, steady_ns)
        return Tried(Verdict.RIGHT, 0, wrong)

    def wait_ns(self, steady_ns: int) -> int:
        """How long until a PIN is compared again; 0: now."""
        delay_ns = DELAYS_S.get(self._tries()[0], 0) * NS
        if self._since_ns is None or steady_ns < self._since_ns:
            self._since_ns = steady_ns
        return max(0, self._since_ns + delay_ns - steady_ns)

    @property
    def locked(self) -> bool:
        """Nothing but a new binding helps."""
        return self._tries()[0] >= LOCKED_AFTER

    # -- the biometric

    def show_biometric(self, matched: bool, steady_ns: int) -> Tried:
        """A finger or a face was shown, and the sensor says whether it is the holder's."""
        self._proof = None
        wrong, failed = self._tries()
        if not self.has_pin:
            return Tried(Verdict.NOT_SET)
        if wrong >= LOCKED_AFTER:
            return Tried(Verdict.LOCKED)
        if failed >= BIOMETRIC_TRIES:
            return Tried(Verdict.PIN_NEEDED)
        self._vault.commit({_TRIES: _counts(wrong, failed + 1)})
        if not matched:
            return Tried(Verdict.PIN_NEEDED if failed + 1 >= BIOMETRIC_TRIES else Verdict.WRONG)
        self._vault.commit({_TRIES: _counts(wrong, 0)})
        self._proof = (Means.BIOMETRIC, steady_ns)
        return Tried(Verdict.RIGHT)

    # -- the proof

    def take_proof(self, steady_ns: int) -> Means | None:
        """The proof of the last right try, once and within PROOF_S; None when there is none."""
        proof, self._proof = self._proof, None
        if proof is None or not 0 <= steady_ns - proof[1] < PROOF_S * NS:
            return None
        return proof[0]

    def drop_proof(self) -> None:
        """The screen was locked."""
        self._proof = None

    def _tries(self) -> tuple[int, int]:
        raw = self._vault.get(_TRIES)
        if raw is None:
            return 0, 0
        wrong, failed = cbor2.loads(raw)
        return wrong, failed


def _counts(wrong: int, failed: int) -> bytes:
    encoded: bytes = cbor2.dumps([wrong, failed])
    return encoded


def _stretched(pin: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", pin.encode(), salt, rounds)
