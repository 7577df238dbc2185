"""A phone with the reference wallet: keystore, encrypted data, holder, consent, cards, and what it shows to readers.

    phone = Phone(seed, "p1", root, maker=batch)
    phone.start(now_ns); phone.format()          power, and an empty wallet
    phone.holder.set_pin("2580", now_ns)
    phone.install(card)                          a credential that came from the issuer
    phone.holder.enter_pin(...); phone.arm(...)  the holder's acts
    session = phone.engage(now_ns)               one presentation (``HolderSession``)

Time: a phone has a clock that may be wrong (``clock_error_s``) and a steady one, which nobody can set. ``now_ns`` handed in is
the true time; consent and delays count on the steady clock, certificates are judged by the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices.authorization import read
from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.holder.application import Act, Application, Names
from virtual_devices.holder.session import Handover, HolderSession, State
from virtual_devices.holder.writing import Records
from virtual_devices.link import Work
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.session import TERMINATION, ephemeral_key
from virtual_devices.mdoc.tagged import MalformedMdoc, some_bytes
from virtual_devices.pki import ChainVerifier, Identity
from virtual_devices.qr.challenge import Challenge
from virtual_devices.qr.parts import split
from virtual_devices.qr.prescription import to_text
from virtual_devices.wallet.access_log import AccessLog
from virtual_devices.wallet.codes import CODE, NAMES, Codes
from virtual_devices.wallet.consent import Consent, Use
from virtual_devices.wallet.held import OWN, Cards, Folder, Held
from virtual_devices.wallet.holder import Holder
from virtual_devices.wallet.keystore import Keystore, Policy
from virtual_devices.wallet.keystore import Purpose as KeyPurpose
from virtual_devices.wallet.late import late_readers, moments
from virtual_devices.wallet.phone_home import NETWORK, PhoneHome, beyond, elements
from virtual_devices.wallet.power import Memory, Power
from virtual_devices.wallet.unfinished import Unfinished
from virtual_devices.wallet.vault import SEALING_KEY, Vault, VaultRefused
from virtual_devices.write_back import MAX_RECORDS, Batch, Kind, WriteOutcome, read_record

PHONE_KEY = "phone"
"""The name of the phone's own key, by which the data centre knows it (``wallet.online``)."""
DEVICE = "device."
"""How the names of cards' keys begin."""
CAPACITY = 600
"""Records that one card on a phone holds."""


class Phone:
    """One phone. ``maker``: the production batch that attests its keys; ``cells``: flash and keystore of a phone that was."""

    def __init__(
        self, seed: object, name: str, root: bytes, *, maker: Identity | None = None, clock_error_s: float = 0.0,
        flash: Mapping[str, bytes] | None = None, keystore: Mapping[str, bytes] | None = None,
    ) -> None:
        self.name = name
        self.work = Work()
        self.power = Power()
        self.clock_error_ns = round(clock_error_s * NS)
        self.root = ChainVerifier(root)
        self.keystore = Keystore(seed, name, batch=maker, cells=keystore, work=self.work, power=self.power)
        self.vault = Vault(Memory("flash", flash or {}, self.work, self.power), self.keystore)
        self.holder = Holder(self.vault, self.keystore)
        self.consent = Consent(self.holder)
        self.cards = Cards(self.vault)
        self._shown = OWN
        self.session: HolderSession | None = None
        self.channel = ""  # of the session: nfc, ble
        self.log = AccessLog(self.vault)
        self.codes = Codes(self.keystore, self.consent, self.cards, self.vault)

    # -- power and life

    def start(self, now_ns: int) -> None:
        """Power on: what a cut left is settled, every consent forgotten. Raises PowerCut, VaultRefused as the vault does."""
        self.end_session()
        self.consent.power_on()  # before anything can be refused: what was given before is over
        self.keystore.power_on()
        self.keystore.set_gate(self.consent.gate)
        self.vault.power_on()
        self.drop_unused_keys()
        self.holder.power_on(now_ns)

    def format(self) -> None:
        """An empty wallet, of a phone that the data centre has not met: who had one here before is nobody's business."""
        if SEALING_KEY not in self.keystore.names():
            self.forget_name()
        self.vault.format()

    @property
    def writes(self) -> int:
        """Grows with each act that writes to one of its memories: who keeps their cells keeps them anew then."""
        return self.vault.writes + self.keystore.writes

    def forget_name(self) -> None:
        """The phone's own key goes: to the data centre it is another phone from now on."""
        self.keystore.delete(PHONE_KEY)

    def new_key(self, name: str = OWN) -> str:
        """A device key for a card of that name: it signs, only with the holder's consent, and is never seen."""
        number = 1 + max((int(k.rsplit(".", 1)[1]) for k in self.keystore.names() if k.startswith(f"{DEVICE}{name}.")), default=0)
        key = f"{DEVICE}{name}.{number}"
        self.keystore.make(key, KeyPurpose.SIGN, Policy.HOLDER)
        return key

    def install(self, card: Held) -> None:
        """Take in a card from the issuer, bound to a key of this phone."""
        self.cards.put(card)

    def remove(self, card: str) -> None:
        """A card off this phone, with all that was written to it and its key, unless another card has that too."""
        if card == self._shown:
            self.show(OWN)
        self.cards.remove(card)
        self.drop_unused_keys()

    def wipe(self) -> None:
        """Nothing of any card can be read on this phone again: the data's key goes first, then the data, then the cards' keys.

        Raises PowerCut at an armed cut point; a wipe that had begun is finished at the next :meth:`start`.
        """
        self.end_session()
        self.vault.wipe()
        self.drop_unused_keys()

    def drop_unused_keys(self) -> None:
        """Delete the keys of cards that no card on this phone has and none is to be bound to (a wipe was cut short; a card has
        another key now, or is gone; a key was made and the power went). Raises PowerCut; :meth:`start` does it again."""
        try:
            needed = self.cards.keys() | Unfinished(self.vault, self.keystore).keys() if self.vault.ready else frozenset()
        except VaultRefused:  # which keys are needed cannot be said
            return
        for key in sorted(self.keystore.names()):
            if key.startswith((DEVICE, CODE)) and key.removeprefix(CODE) not in needed:
                self.keystore.delete(key)

    # -- what the holder does

    @property
    def shown(self) -> str:
        """The card that is presented: :data:`OWN`, or a ward's."""
        return self._shown

    def show(self, card: str) -> None:
        """Present another card. What was agreed to for the one before is not for this one."""
        self.end_session()
        self.consent.decline()
        self._shown = card

    def arm(self, use: Use, names: Names, now_ns: int, *, write: bool = True) -> bool:
        """Consent in advance, after a proof, for one session that begins within a minute."""
        return self.consent.arm(use, elements(names, write), now_ns)

    def approve(self, use: Use, now_ns: int) -> bool:
        """Give all that is asked, after a proof."""
        return self.consent.give(use, self.consent.asked.elements(use), now_ns)

    # -- presenting

    def engage(self, methods: list[list[Any]] | None = None, handover: Handover = None, *, legacy: bool = False) -> HolderSession:
        """A new presentation with a key of its own; the former one ends. ``legacy``: as a wallet that knows version 1.0 only."""
        key, shown = self.new_engagement(methods, legacy=legacy)
        return self.engaged(shown, key, handover)

    def new_engagement(
        self, methods: list[list[Any]] | None = None, *, legacy: bool = False,
    ) -> tuple[ec.EllipticCurvePrivateKey, Engagement]:
        """What a presentation begins with. The key is used for one session and never again."""
        self.end_session()
        key, public = ephemeral_key(self.keystore.random(32))
        return key, engagement.make(public, methods, reader_auth_all=not legacy)

    def engaged(
        self, shown: Engagement, key: ec.EllipticCurvePrivateKey, handover: Handover = None, channel: str = "ble",
    ) -> HolderSession:
        """The engagement has been shown: wait for a reader on this channel."""
        self.channel = channel
        self.session = HolderSession(shown, key, Application(PhoneHome(self, self.shown)).answer, handover)
        return self.session

    def handle(self, message: bytes, now_ns: int) -> bytes:
        """One session message and its answer. A session that has ended has used its consent up."""
        session = self.session
        if session is None:
            return TERMINATION
        answer = session.handle(message, now_ns)
        if session.state is State.ENDED:
            self.end_session()
        return answer

    def end_session(self) -> None:
        """The phone is put away, or something else begins."""
        if self.session is not None:
            if self.session.transcript is not None:
                self.consent.end(self.session.transcript.hash)
            self.session.close()
        self.session = None
        self.codes.end()

    def card_qr(self, now_ns: int, challenge: Challenge | None = None) -> str:
        """The text of the QR code of the card that is presented, for a minute; see :meth:`Codes.card` for what it raises, and
        UsageError for a ward's card when the authorization has ended or does not reach to registering a visit.

        Call it again before the minute is over: the next code needs no new consent while this one is in force.
        """
        held, clock_ns = self.cards.get(self.shown), now_ns + self.clock_error_ns
        over = held is not None and held.authorization is not None and clock_ns >= read(held.authorization)[1].expires_ns
        if over or beyond(held, NAMES, False, Use.REGISTRATION):
            raise UsageError(f"the authorization for the card {self.shown!r} has ended, or is not for showing it")
        return self.codes.card(self.shown, now_ns, clock_ns, challenge)

    def prescription_codes(self) -> list[list[str]]:
        """The codes of each prescription that was written back to the card that is presented, the oldest first: the very
        record as it was signed, in parts where one code would be too dense. They name the card and prove nothing by themselves.
        """
        records = self.records(self.shown).all()
        prescribed = [raw for raw in records if (record := read_record(raw)[0]).kind is Kind.PRESCRIPTION and not record.amends]
        return [split(to_text(raw), self.keystore.random) for raw in prescribed]

    def take_late(self, entry: Sequence[Any], now_ns: int, card: str = OWN) -> WriteOutcome:
        """Records that were signed after the holder had left, brought by the data centre: [id, records, chains of the signers,
        ? when the data centre received them, ns].

        The signers are judged at that moment, at the first and the last record's where it is not told, and not now: their
        certificates, reader certificates as in a session, may have ended since. Never raises for what is in it.
        """
        held = self.cards.get(card)
        try:
            number, records, chains, *received = entry
            parts = [read_record(raw)[0] for raw in records]
            chains = [[some_bytes(der, "a certificate") for der in chain] for chain in chains]
        except (ValueError, TypeError, MalformedMdoc):
            return WriteOutcome.BAD_SIGNATURE
        if held is None or not 1 <= len(parts) <= MAX_RECORDS or not isinstance(number, bytes) or len(number) != 16:
            return WriteOutcome.WRONG_HOLDER
        times_ns = moments(received, [p.at_ns for p in parts], now_ns + self.clock_error_ns)
        if not times_ns:
            return WriteOutcome.BAD_SIGNATURE
        readers = late_readers(chains, times_ns, self.root, self.work)
        batch = Batch(number, held.issued.auth_hash(), self.records(card).generation, tuple(records))
        home = PhoneHome(self, card)
        act = Act(readers, {}, now_ns + self.clock_error_ns, True)

        def noted(stored: bool) -> dict[str, bytes | None]:
            return home.noted(act, NETWORK) if stored else {}

        known = self.records(card).settled(number)
        if known is not None:  # of these very records: an id alone says nothing
            return known if set(records) <= set(self.records(card).all()) else WriteOutcome.CONFLICT
        return self.records(card).write(batch.to_bytes(), held.issued, readers, now_ns + self.clock_error_ns, noted).outcome

    def records(self, card: str = OWN) -> Records:
        return Records(Folder(self.vault, card), CAPACITY, self.work)


__all__ = ["CAPACITY", "Phone"]
