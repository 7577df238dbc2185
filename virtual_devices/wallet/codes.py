"""Codes on the phone's screen: the card's QR code, wrapped anew for each showing, only with the holder's consent.

A key of its own wraps codes (``code.`` before the name of the card's device key), so that what a screen shows can prove nothing
in a session. Consent is given as for a session: armed beforehand, or when the code is asked for; it lasts for the codes that
follow one another on the screen, until something else begins or its time is over. A QR code names its reader at most by what
that reader says of itself, so the holder's log has the showing and no institution.
"""

from __future__ import annotations

from virtual_devices import vhc
from virtual_devices.authorization import Authorization, read
from virtual_devices.errors import UsageError
from virtual_devices.qr.card import show
from virtual_devices.qr.challenge import Challenge
from virtual_devices.wallet.access_log import AccessLog, Deed, Entry
from virtual_devices.wallet.consent import Consent, Element, State, Use
from virtual_devices.wallet.held import Cards
from virtual_devices.wallet.keystore import Denied, KeyDenied, Keystore, Policy, Purpose
from virtual_devices.wallet.vault import Vault

CODE = "code."
"""How the names of the keys begin that wrap codes: ``code.device.own.1``."""
ELEMENTS: tuple[Element, ...] = tuple(
    (vhc.BASIC, name)
    for name in ("card_no", "name", "id_no", "birth_date", "sex", "issue_date", "expiry_date", "identity_mark")
)
"""What a card's code tells whoever scans it."""
NAMES = {vhc.BASIC: [name for _, name in ELEMENTS]}


class Codes:
    """The codes of one phone's cards."""

    def __init__(self, keystore: Keystore, consent: Consent, cards: Cards, vault: Vault) -> None:
        self._keystore = keystore
        self._consent = consent
        self._cards = cards
        self._vault = vault
        self._log = AccessLog(vault)
        self._card = ""  # whose codes are on the screen
        self._showing = b""  # the name of this row of codes, for the consent
        self._noted = b""  # the row that stands in the log

    def key_for(self, device_key: str) -> str:
        """The name of the key for codes that belongs to a card's device key; made when there is none yet."""
        name = CODE + device_key
        if name not in self._keystore.names():
            self._keystore.make(name, Purpose.SIGN, Policy.HOLDER)
        return name

    def card(self, name: str, steady_ns: int, clock_ns: int, challenge: Challenge | None = None) -> str:
        """The text of the card's code, good for a minute from ``clock_ns`` on, the phone's own time; with a challenge for that
        reader only.

        Raises UsageError for a card without a code, KeyDenied (CONSENT) when the holder has not agreed to all of it: after
        that they are being asked, and the same call works once they have given it.
        """
        held = self._cards.get(name)
        if held is None or held.qr is None:
            raise UsageError(f"there is no code for the card {name!r} on this phone: the issuer gives it with the card")
        guardian = None if held.authorization is None else read(held.authorization)[1]
        key = CODE + held.key
        self._need_consent(name, key, steady_ns)
        text = show(held.qr, lambda message: self._keystore.sign(key, message), clock_ns, self._keystore.random, challenge)
        if self._noted != self._showing:
            self._note(clock_ns, guardian)
            self._noted = self._showing
        return text

    def end(self) -> None:
        """The screen shows something else: the consent is used up."""
        if self._showing:
            self._consent.end(self._showing)
        self._showing = b""

    def _need_consent(self, card: str, key: str, steady_ns: int) -> None:
        """For this card's row of codes, and no other card's. Raises KeyDenied."""
        consent = self._consent
        consent.look(steady_ns)
        if self._card != card:
            self.end()
        self._card = card
        if not self._showing or consent.state in (State.NONE, State.ARMED, State.OVER):
            self._showing = b"code " + self._keystore.random(16)
        consent.ask(self._showing, Use.REGISTRATION, ELEMENTS, steady_ns)
        if consent.allows(self._showing, Use.REGISTRATION, ELEMENTS, steady_ns) != set(ELEMENTS):
            raise KeyDenied(key, Denied.CONSENT)

    def _note(self, at_ns: int, guardian: Authorization | None) -> None:
        given = self._consent.given
        assert given is not None
        entry = Entry(
            at_ns, Deed.SHOWN, "qr", Use.REGISTRATION, ELEMENTS, means=given.means, armed=given.armed,
            by="" if guardian is None else guardian.guardian_name, holder="" if guardian is None else guardian.ward,
        )
        self._vault.commit(self._log.changes(entry))


__all__ = ["CODE", "ELEMENTS", "NAMES", "Codes"]
