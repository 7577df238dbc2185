"""A PIN with its counter (ISO/IEC 7816-4, clause 11.5: VERIFY, CHANGE REFERENCE DATA, DISABLE and ENABLE, RESET RETRY COUNTER).

The counter goes down *before* the comparison and is written first, so that pulling the card does not win a try. PINs are
4 to 6 digits (manual 3.3), sent as characters filled with FF to 8 bytes. While protection is off nothing is compared: an
old PIN cannot be guessed at leisure.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from virtual_devices.apdu import SW, Command
from virtual_devices.chip import OK, Answer, Chip, refuse_unless
from virtual_devices.errors import UsageError

BLOCK_BYTES = 8
MIN_DIGITS, MAX_DIGITS = 4, 6
PUK_TRIES = 10


def pin_block(pin: str) -> bytes:
    """The PIN as a command carries it."""
    return pin.encode("ascii").ljust(BLOCK_BYTES, b"\xff")


def pin_cells(reference: str, pin: str, tries: int, puk: str = "", enabled: bool = True) -> dict[str, bytes]:
    """The cells of a fresh PIN: never the PIN itself. Raises UsageError for a PIN that could never be entered."""
    if pin and not (pin.isascii() and _well_formed(pin_block(pin))):
        raise UsageError(f"a PIN has {MIN_DIGITS} to {MAX_DIGITS} digits")
    if puk and not (puk.isascii() and len(puk) <= BLOCK_BYTES):
        raise UsageError(f"a PUK has at most {BLOCK_BYTES} characters of ASCII")
    return {
        f"{reference}.hash": _digest(pin_block(pin)) if pin else b"",
        f"{reference}.puk": _digest(pin_block(puk)) if puk else b"",
        f"{reference}.puk_tries": bytes([PUK_TRIES]),
        f"{reference}.tries": bytes([tries]),
        f"{reference}.limit": bytes([tries]),
        f"{reference}.enabled": bytes([enabled and bool(pin)]),
    }


def _digest(block: bytes) -> bytes:
    return hashlib.sha256(b"PIN" + block).digest()


def _well_formed(block: bytes) -> bool:
    digits = block.rstrip(b"\xff")
    return len(block) == BLOCK_BYTES and MIN_DIGITS <= len(digits) <= MAX_DIGITS and digits.isdigit()


class Pin:
    """One PIN of a chip. ``qualifier`` is P2 of its commands; ``may_change`` guards changing it and switching it on or off.

    ``optional``: its holder may switch it off, as on a patient card; a professional's cannot be.
    """

    def __init__(
        self, chip: Chip, reference: str, qualifier: int, may_change: Callable[[], bool] = lambda: True, *, optional: bool = True,
    ) -> None:
        self._store = chip.store
        self._reference = reference
        self._qualifier = qualifier
        self._may_change = may_change
        self._verified = False
        chip.on(0x20, self.verify)
        chip.on(0x24, self._change)
        if optional:
            chip.on(0x26, self._disable)
            chip.on(0x28, self._enable)
        chip.on(0x2C, self._unblock)

    @property
    def enabled(self) -> bool:
        """The holder has switched PIN protection on."""
        return self._cell("enabled") == b"\x01"

    @property
    def satisfied(self) -> bool:
        """Verified since power-on, or not asked for."""
        return self._verified or not self.enabled

    @property
    def verified(self) -> bool:
        return self._verified

    @property
    def tries_left(self) -> int:
        return self._cell("tries")[0]

    def forget(self) -> None:
        self._verified = False

    def _cell(self, name: str) -> bytes:
        return self._store[f"{self._reference}.{name}"]

    def verify(self, c: Command) -> Answer:
        """VERIFY; without data it only asks for the state."""
        refuse_unless((c.p1, c.p2) == (0, self._qualifier), SW.WRONG_P1P2)
        if not c.data:
            return OK if self.satisfied else Answer(sw=0x63C0 | self.tries_left)
        self._verified = False
        refuse_unless(self.enabled, SW.REFERENCE_DATA_NOT_USABLE)
        return self._compare(c.data, "hash")

    def _compare(self, block: bytes, against: str) -> Answer:
        tries = self.tries_left
        refuse_unless(bool(self._cell(against)), SW.REFERENCE_DATA_NOT_USABLE)
        refuse_unless(tries > 0, SW.AUTHENTICATION_BLOCKED)
        refuse_unless(_well_formed(block), SW.WRONG_DATA)
        self._store.commit({f"{self._reference}.tries": bytes([tries - 1])})
        if not hmac.compare_digest(_digest(block), self._cell(against)):
            return Answer(sw=0x63C0 | (tries - 1) if tries > 1 else SW.AUTHENTICATION_BLOCKED)
        self._store.commit({f"{self._reference}.tries": self._cell("limit")})
        self._verified = True
        return OK

    def _change(self, c: Command) -> Answer:
        """P1 01: the new PIN alone, the old one having been verified (or none was set); also switches protection on."""
        refuse_unless((c.p1, c.p2) == (1, self._qualifier), SW.WRONG_P1P2)
        refuse_unless(self.satisfied and self._may_change(), SW.SECURITY_STATUS_NOT_SATISFIED)
        refuse_unless(_well_formed(c.data), SW.WRONG_DATA)
        self._store.commit(
            {
                f"{self._reference}.hash": _digest(c.data),
                f"{self._reference}.tries": self._cell("limit"),  # a new PIN has all its tries
                f"{self._reference}.enabled": b"\x01",
            }
        )
        self._verified = True
        return OK

    def _disable(self, c: Command) -> Answer:
        return self._switch(c, b"\x00")

    def _enable(self, c: Command) -> Answer:
        refuse_unless(bool(self._cell("hash")), SW.REFERENCE_DATA_NOT_USABLE)
        return self._switch(c, b"\x01")

    def _switch(self, c: Command, enabled: bytes) -> Answer:
        refuse_unless((c.p1, c.p2) == (1, self._qualifier) and not c.data, SW.WRONG_P1P2)
        refuse_unless(self.satisfied and self._may_change(), SW.SECURITY_STATUS_NOT_SATISFIED)
        self._store.commit({f"{self._reference}.enabled": enabled})
        return OK

    def _unblock(self, c: Command) -> Answer:
        """P1 00: PUK and new PIN, back to back. The PUK has a counter of its own."""
        refuse_unless((c.p1, c.p2) == (0, self._qualifier), SW.WRONG_P1P2)
        refuse_unless(bool(self._cell("puk")), SW.FUNCTION_NOT_SUPPORTED)
        refuse_unless(len(c.data) == 2 * BLOCK_BYTES and _well_formed(c.data[BLOCK_BYTES:]), SW.WRONG_DATA)
        tries = self._cell("puk_tries")[0]
        refuse_unless(tries > 0, SW.AUTHENTICATION_BLOCKED)
        self._store.commit({f"{self._reference}.puk_tries": bytes([tries - 1])})
        if not hmac.compare_digest(_digest(c.data[:BLOCK_BYTES]), self._cell("puk")):
            return Answer(sw=0x63C0 | (tries - 1))
        self._store.commit(
            {
                f"{self._reference}.hash": _digest(c.data[BLOCK_BYTES:]),
                f"{self._reference}.tries": self._cell("limit"),
                f"{self._reference}.puk_tries": bytes([PUK_TRIES]),
            }
        )
        self._verified = True
        return OK
