"""A phone with the card of an invented holder, for people to try: what ``vhc-bench present`` shows on a screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bench.phone_image import KeptPhone, PhoneImage
from virtual_devices import pki
from virtual_devices.card.holder import Holder, make_holder
from virtual_devices.clock import TAIWAN, Clock, from_datetime, to_datetime
from virtual_devices.cloud.issuer import CardHolder, CardIssuer, portrait
from virtual_devices.link import Device
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import Authority, Role
from virtual_devices.qr.challenge import Challenge
from virtual_devices.qr.parts import split
from virtual_devices.qr.prescription import Entry, Prescription, SigningParty, sign, to_text
from virtual_devices.qr.token import TokenOffice
from virtual_devices.randomness import ByteStream, digest, stream
from virtual_devices.wallet.codes import NAMES
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.keystore import KeyDenied
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import holder_of

PIN, INSTITUTION = "2580", "9901180014"
STATUS_URI = "urn:nhi:bench:status/0"


class SamplePhone:
    """Holder, card and keys follow from the seed, and the certificates from the year of ``now_ns`` besides. ``authority``: of
    another sample, where several are to be believed together."""

    def __init__(self, seed: int, now_ns: int, authority: Authority | None = None) -> None:
        self._seed = seed
        self._epoch_ns = phone_epoch_ns(now_ns)
        self.authority = authority or Authority(seed, self._epoch_ns)
        self.issuer = CardIssuer(self.authority, seed)
        on = to_datetime(self._epoch_ns).astimezone(TAIWAN).date()
        self.person = make_holder(stream(seed, "sample holder"), on)
        self.holder = _card_holder(seed, self.person, on)
        self.phone = Phone(seed, "sample phone", self.authority.root_der)
        self.phone.start(now_ns)
        self.phone.format()
        self.phone.holder.set_pin(PIN, now_ns)
        self._bind()
        self._shown = ByteStream(seed, "sample phone", now_ns)  # what must never come twice
        self._office = TokenOffice(self._shown)

    def _bind(self) -> None:
        phone = self.phone
        key = phone.new_key()
        device, code = phone.keystore.public_key(key), phone.keystore.public_key(phone.codes.key_for(key))
        place = StatusReference(STATUS_URI, int.from_bytes(digest(self._seed, "place")[:4], "big") % (1 << 20))
        issued = self.issuer.credential(self.holder, device, place, self._epoch_ns)
        phone.install(Held(OWN, issued, key, qr=self.issuer.qr(self.holder, device, code, place, self._epoch_ns)))

    def kept(self, face: Callable[[Phone], Device], clock: Clock) -> KeptPhone:
        """It behind this face, with its holder, as a presenter shows it."""
        image = PhoneImage(self._seed, self.phone.name, self.authority.root_der, self.holder.card_no, PIN)
        return KeptPhone(image, self.phone, face, clock)

    def trust(self) -> bytes:
        """What a reader needs to believe it, in PEM: the root, the root of those who sign cards, and who signs them."""
        chain = (self.authority.root_der, self.authority.iaca_der, *self.issuer.signer.chain)
        return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)

    # -- what is on the screen; each a list of the texts that belong together

    def card(self, now_ns: int, challenge: Challenge | None = None) -> list[str]:
        """The invented holder agrees, again and again."""
        try:
            return [self.phone.card_qr(now_ns, challenge)]
        except KeyDenied:
            self.phone.end_session()
            self.phone.holder.enter_pin(PIN, now_ns)
            self.phone.arm(Use.REGISTRATION, NAMES, now_ns, write=False)
            return [self.phone.card_qr(now_ns, challenge)]

    def engagement(self, now_ns: int) -> list[str]:
        """For retrieval over BLE, in both modes."""
        options = BleOptions(UUID(bytes=self._shown(16), version=4), UUID(bytes=self._shown(16), version=4))
        return [self.phone.engage([options.method()]).engagement.qr_text()]

    def token(self, now_ns: int) -> list[str]:
        """The deployed card's kind of code: it says nothing by itself."""
        return [self._office.issue(self.holder.card_no, now_ns)]

    def prescription(self, now_ns: int) -> list[str]:
        """Three lines, signed by a physician and an institution that are invented too; in parts, for a single code is dense."""
        physician, sam = self.authority.issue(Role.PHYSICIAN, "A123456789"), self.authority.issue(
            Role.SAM, "SAM000000001", organisation=INSTITUTION
        )
        held = self.phone.cards.get(OWN)
        assert held is not None
        lines = tuple(Entry("1", f"AC{n}4917100", "", usage, 28, total, "01")
                      for n, (usage, total) in enumerate((("1T QD PO", 280), ("1T BID PC PO", 560), ("0.5T HS PO", 140))))
        last = to_datetime(now_ns).astimezone(TAIWAN).date() + timedelta(days=84)
        made = Prescription(self._shown(16), holder_of(held.mso.device_key), now_ns, INSTITUTION, lines, last)
        parties = [SigningParty(who.chain[0], lambda message, who=who: pki.sign(who.key, message)) for who in (physician, sam)]  # type: ignore[misc]
        return split(to_text(sign(made, parties[0], parties[1])), self._shown)


def phone_epoch_ns(now_ns: int) -> int:
    """Since when the authority of sample phones exists: the new year, so that presenter and reader agree."""
    year = to_datetime(now_ns).astimezone(TAIWAN).year
    return from_datetime(datetime(year, 1, 1, tzinfo=TAIWAN))


def _card_holder(seed: int, person: Holder, on: date) -> CardHolder:
    number = f"{int.from_bytes(digest(seed, 'sample card')[:5], 'big') % 10**12:012d}"
    return CardHolder(
        number, person.name, person.id_no, person.birth_date, person.sex, on, on.replace(year=on.year + 5),
        portrait(person.sex, (on - person.birth_date).days // 365), emergency_tel="0912345678",
        medical={"allergies": ["PENICILLIN"], "critical_illness": [], "inoculations": [], "donation_mark": "A"},
    )
