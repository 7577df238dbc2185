"""The reference pharmacy's software under test: prescriptions found, scanned, dispensed, signed for, doubted, told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.references.clinic import Done, InstitutionSoftware
from conformance.references.desks import Around, Slot
from conformance.references.presented import Presented
from conformance.references.shown import phone_with
from conformance.town import HOLDER, pharmacy
from conformance.vectors.world import CARD_NO, World
from virtual_devices.institution.told import Whom, dispensing
from virtual_devices.institution.uploads import correct, enqueue
from virtual_devices.pki import Role, hashed
from virtual_devices.prescription.recipient import Written
from virtual_devices.qr.parts import Added, Collector
from virtual_devices.qr.text import PART
from virtual_devices.reader.dispensing import Dispensed, dispense, give_back, query, receive, withdraw
from virtual_devices.reader.prescription_offers import Offer, from_card, from_centre, from_code, from_wallet
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Ended
from virtual_devices.uploads.facts import Fees
from virtual_devices.write_back import holder_of


@dataclass(frozen=True, slots=True)
class Found:
    """Prescriptions as the software shows them: code, and of each its id and state."""

    code: str
    states: tuple[tuple[bytes, str], ...] = ()
    text: str = ""


class ReferencePharmacy(InstitutionSoftware):
    """All of it follows from ``name``; there is one ``channel``."""

    def __init__(self, world: World, channel: str, name: str, around: Around | None = None) -> None:
        super().__init__(world, pharmacy(world), name, around)
        self._offers: dict[bytes, Offer] = {}
        self._dispensed: list[Dispensed] = []

    # -- where prescriptions come from

    def find(self, **what: str | bytes) -> Found:
        """At the data centre."""
        try:
            offers = self.run(from_centre(self.desk, self.drawer, **what))
        except Ended as e:
            return Found(e.code, text=e.what)
        return Found("4061") if offers is None else self._keep(offers)

    def scan(self, texts: Sequence[str], device: bytes = b"") -> Found:
        """One code, or several parts in the order in which they are scanned. ``device``: the card that its holder has proved."""
        text = texts[0]
        if text.startswith(PART):
            parts = Collector()
            for one in texts:
                if parts.add(one) in (Added.CONTRADICTS, Added.CORRUPT, Added.MALFORMED):
                    return Found("1520", text="the parts contradict each other")
            if parts.whole is None:
                return Found("1520", text=f"{len(parts.missing)} parts are missing")
            text = parts.whole
        authorities = [self.world.authority.issuer(role) for role in (Role.PHYSICIAN, Role.SAM)]
        holder = device or holder_of(self.world.device_key)
        try:
            return self._keep([from_code(self.desk, self.drawer, text, holder, authorities)])
        except Ended as e:
            return Found(e.code, text=e.what)

    def card(self, personal: Mapping[str, Any]) -> Found:
        """From a card of today in the slot, personalised so where it is not as usual. ``text``: how many entries it shows."""
        if self._around is None:
            self.slots["card"] = Slot(self._clock, self.chips.patient(personal))
        try:
            shown = self.run(from_card(self.desk, self.drawer, self.doctor))
        except Ended as e:
            return Found(e.code, text=e.what)
        return replace(self._keep(shown.offers or ()), text=str(len(shown.entries)))

    def phone(self, records: Sequence[bytes], chains: Sequence[Sequence[bytes]]) -> Found:
        """From the holder's phone, which shows these records and certificates of their signers."""
        if self._around is None:
            self.slots["wallet"] = Presented(self.world, self.name, phone_with(records, chains))
        try:
            return self._keep(self.run(from_wallet(self.desk, self.drawer, Counter(), self.doctor))[1])
        except Ended as e:
            return Found(e.code, text=e.what)

    def _keep(self, offers: Sequence[Offer]) -> Found:
        self._offers |= {offer.root: offer for offer in offers}
        return Found("0", tuple((o.root, o.standing.state(self.now_ns()).value) for o in offers))

    # -- what is done with one

    def dispense(self, root: bytes) -> Done:
        """The next issue of one that was found. A controlled one is not handed over before :meth:`signed_on_paper`."""
        try:
            made = self.run(dispense(self.desk, self.drawer, self._offers[root], self.doctor))
        except Ended as e:
            return Done(e.code, e.what)
        self._dispensed.append(made)
        return Done("0", "recipient" if made.needs_recipient else "", raw=made.filed.signed)

    def signed_on_paper(self) -> Done:
        """The recipient has signed for what was dispensed last."""
        evidence = Written(HOLDER.holder.name, hashed(b"paper"), "self").evidence()
        return self._last(lambda made: self.run(receive(self.desk, self.drawer, made, evidence, self.doctor)).code)

    def no_paper(self) -> Done:
        """Somebody types what is no signature."""
        return self._last(lambda made: self.run(receive(self.desk, self.drawer, made, {1: "written"}, self.doctor)).code)

    def give_back(self) -> Done:
        """What was dispensed last did not leave."""
        return self._last(lambda made: self.run(give_back(self.desk, self.drawer, made, self.doctor, "back")).code)

    def _last(self, act) -> Done:  # type: ignore[no-untyped-def]
        try:
            return Done(act(self._dispensed[-1]) or "0")
        except Ended as e:
            return Done(e.code, e.what)

    def doubt(self, root: bytes) -> Done:
        """The pharmacist doubts it."""
        try:
            self._asked = self.run(query(self.desk, self.drawer, self._offers[root], self.doctor, "dose?", (0,)))
        except Ended as e:
            return Done(e.code, e.what)
        return Done("0")

    def settle(self) -> Done:
        """The doubt is the pharmacist's own mistake."""
        try:
            return Done(self.run(withdraw(self.desk, self.drawer, self._asked, self.doctor)).code)
        except Ended as e:
            return Done(e.code, e.what)

    # -- its records

    def record(self, *, upload: bool = True) -> Done:
        """The record of what was dispensed last."""
        given = self._dispensed[-1]
        whom = Whom(HOLDER.holder.id_no, HOLDER.holder.birth_date, CARD_NO)
        told = dispensing(self.place.institution, self.place.professional_id, whom, given.act.at_ns, given, Fees(outpatient=300))
        self._pending = enqueue(self.desk, "dispensing", told, self.number(), self.now_ns(), self.now_ns())
        return self.upload() if upload else Done("0")

    def mistype(self) -> None:
        """The record made last is of a wrong birth date: the person at the desk has mistyped it."""
        told = self._pending.told
        self._pending.told = replace(told, birth_date=told.birth_date.replace(year=told.birth_date.year + 1))

    def correct(self) -> Done:
        """The first record that was set aside, mended."""
        pending = self.desk.institution.refused[0]
        correct(self.desk, pending, replace(pending.told, birth_date=HOLDER.holder.birth_date), self.now_ns())
        return self.upload()


__all__ = ["Found", "ReferencePharmacy"]
