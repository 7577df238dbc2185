"""The reference clinic's software under test: visits and their records, prescriptions, home visits, with and without a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.records import Pen
from conformance.references.desks import Around, DeskWithChips, Slot
from conformance.references.presented import Presented
from conformance.references.shown import status_lists, wards_card
from conformance.town import HOLDER, Place, clinic
from conformance.vectors.world import CARD_NO, World
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.home_package import MalformedPackage
from virtual_devices.institution.abnormal import obtained, situation_of, trouble_of, without_line
from virtual_devices.institution.home_bag import HomeBag
from virtual_devices.institution.home_visit import check_person, prepare, recognise
from virtual_devices.institution.told import Begun, Whom, begun_with_card, begun_with_wallet, consultation
from virtual_devices.institution.told import Done as Treated
from virtual_devices.institution.uploads import correct, drain, enqueue
from virtual_devices.link import Work
from virtual_devices.prescription.document import PrescriptionClass
from virtual_devices.reader.authenticate import insert_hpc, open_sam, sam_of
from virtual_devices.reader.calls import RENEW_AFTER_H
from virtual_devices.reader.desk import Pending
from virtual_devices.reader.dispensing import open_doubts
from virtual_devices.reader.prescribing import amendment, cancel, confirm, issue, restore
from virtual_devices.reader.prescription_desk import Drawer, RxPolicy
from virtual_devices.reader.prescription_desk import drain as drain_prescriptions
from virtual_devices.reader.prescription_offers import from_centre
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import VisitRequest, register
from virtual_devices.reader.wallet_visit import register_wallet
from virtual_devices.status_list import StatusLists
from virtual_devices.uploads.document import Encoding
from virtual_devices.uploads.facts import Allergy, Fees
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.lists import VISIT_TYPES


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an act, as the software shows it. ``code``: the field's, ``0`` when it is done; ``abnormal``: the situation
    of a visit without a number; ``for_whom``: who presented the card for whom; ``raw``: the signed record that was made."""

    code: str
    text: str = ""
    identifier: str = ""
    sequence: str = ""
    abnormal: str = ""
    for_whom: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Shelves:
    """How many records of visits wait to be sent, count, wait for another institution's, and are set aside for a person; and
    prescriptions that wait, are settled, were refused. ``findings``: what is said of those set aside."""

    queue: int
    done: int
    waiting: int
    refused: int
    findings: tuple[str, ...]
    rx_waiting: int
    rx_done: int
    rx_refused: int


class InstitutionSoftware(DeskWithChips):
    """What a clinic's software and a pharmacy's have in common: the queue, the drawer of prescriptions, the professional."""

    def __init__(self, world: World, place: Place, name: str, around: Around | None = None) -> None:
        super().__init__(world, place, name, around=around)
        self.drawer = Drawer()
        self.doctor = Handle("hpc", True, False, b"")
        self.run(self._open())
        desk = self.desk
        desk.reader_chain, desk.hpc_reader_chain = place.sam.chain, place.professional.chain
        desk.reader_until_ns = self.now_ns() + (RENEW_AFTER_H - 1) * 3600 * NS  # they were made an hour ago
        self._numbers = 0

    def _open(self) -> Flow[None]:
        sam = yield from open_sam(self.desk)
        yield from insert_hpc(self.desk, sam)

    @property
    def sam(self) -> Handle:
        assert self.desk.sam is not None
        return self.desk.sam.handle

    def number(self) -> bytes:
        self._numbers += 1
        return self._numbers.to_bytes(16, "big")

    def tell_centre(self, message: bytes) -> bytes:
        """Another institution's request to the data centre."""
        return self.centre.centre.desk_message(message, self.now_ns())

    def also_hands_out(self, record: object, chains: Sequence[Sequence[bytes]]) -> None:
        """The data centre hands out this too, with these chains, first among the records of each prescription."""
        self.line.also = record, [list(chain) for chain in chains]

    def version(self, version: str) -> None:
        """Format of uploads: 1.0 in Big5, 2.0 in UTF-8."""
        self.desk.institution.version = Version(version)
        self.desk.institution.encoding = Encoding.BIG5 if version == "1.0" else Encoding.UTF8

    def revoke(self, serials: Sequence[int]) -> None:
        """Certificates that the institution knows as revoked."""
        self.desk.revoked = frozenset(serials)

    def policy(self, *, offline: bool) -> None:
        """Whether prescriptions are issued and dispensed without a line: the institution's switch."""
        self.drawer.policy = RxPolicy(issue_offline=offline, dispense_offline=offline)

    def shelves(self) -> Shelves:
        it, drawer = self.desk.institution, self.drawer
        return Shelves(
            len(it.queue), len(it.done), len(it.waiting), len(it.refused), tuple(p.findings for p in it.refused),
            len(drawer.waiting), len(drawer.done), len(drawer.refused),
        )

    def upload(self) -> Done:
        """What waits is sent, of visits and of prescriptions."""
        try:
            self.run(drain(self.desk, self.run(sam_of(self.desk))))
            self.run(drain_prescriptions(self.desk, self.drawer))
        except Ended as e:
            return Done(e.code, e.what)
        return Done("0")


class ReferenceClinic(InstitutionSoftware):
    """All of it follows from ``name``; there is one ``channel``. The holder's card of today is in the slot."""

    def __init__(self, world: World, channel: str, name: str, around: Around | None = None) -> None:
        super().__init__(world, clinic(world), name, around)
        if around is None:
            self.slots["card"] = Slot(self._clock, self.chips.patient({"holder": HOLDER.holder}))
        self.bag = HomeBag(self.place.institution, world.root, world.fresh("bag", name))
        self._pending: list[Pending] = []

    def certificates_over(self) -> None:
        """What it shows to wallets has to be fetched anew."""
        self.desk.reader_until_ns = 0

    def by_telephone(self, id_no: str, birth_date: str) -> Done:
        """Somebody registers by telephone. ``birth_date``: ROC YYYMMDD."""
        return Done(self.run(check_person(self.desk, self.sam, id_no, birth_date)))

    # -- visits

    def visit(
        self, how: str, visit_type: str = "01", *, upload: bool = True, fees: Mapping[str, int] | None = None,
        allergy: str = "",
    ) -> Done:
        """A whole visit: registered by ``card``, with ``nothing`` (no card can be read) or a ward's card on a guardian's phone
        (``ward``), treated, and its record sent, or kept. A refusal is shown, and nobody is treated."""
        request = VisitRequest(self.number(), self.number(), roc_datetime13(self.now_ns()), visit_type)
        for_whom = ""
        try:
            if how == "ward":
                self._show_wards_card()
                seen = self.run(register_wallet(self.desk, Counter(), request))
                for_whom = seen.person.on_behalf
                begun = begun_with_wallet(seen, without_line())
            else:
                begun = begun_with_card(self.run(register(self.desk, request)), self.place.sam_id)
                if not VISIT_TYPES[visit_type].counted:
                    begun = replace(begun, sequence="")
        except Ended as e:
            trouble = trouble_of(e)
            situation = situation_of(trouble)
            if not situation:
                return Done(e.code, e.what)
            begun = Begun(self.now_ns() // NS * NS, visit_type, situation=situation, obtained=obtained(trouble))
        whom = Whom(HOLDER.holder.id_no, HOLDER.holder.birth_date, "" if begun.situation else CARD_NO)
        paid = Fees(**dict(fees or {"outpatient": 420, "outpatient_copay": 50}))
        told = consultation(self.place.institution, self.place.professional_id, whom, begun, Treated(("J069",), paid))
        if allergy:
            told = replace(told, allergies=(Allergy(drug=allergy),))
        self._pending.append(enqueue(self.desk, "visit", told, request.request_id, self.now_ns(), self.now_ns()))
        if upload:
            self.upload()
        return Done("0", "", begun.identifier, begun.sequence, begun.situation, for_whom)

    def take_lists(self, lists: Sequence[bytes]) -> None:
        """Status lists of cards and authorizations, as they are now."""
        self.desk.institution.lists = StatusLists(self.world.root, Work())
        for raw in lists:
            self.desk.institution.lists.take(raw, self.now_ns())

    def _show_wards_card(self) -> None:
        """The holder's card on the guardian's phone is held to the reader."""
        if self._around is None:
            self.slots["wallet"] = Presented(self.world, self.name, wards_card(self.world))
            self.take_lists(status_lists(self.world))

    def correct(self, *, identity: bool = False) -> Done:
        """The person at the desk mends the first record that was set aside."""
        pending = self.desk.institution.refused[0]
        told = replace(pending.told, diagnoses=("J069",))
        if identity:
            told = replace(told, birth_date=HOLDER.holder.birth_date)
        correct(self.desk, pending, told, self.now_ns())
        return self.upload()

    def mistype(self) -> None:
        """The next record is of a wrong birth date: the person at the desk has mistyped it."""
        pending = self._pending[-1]
        pending.told = replace(pending.told, birth_date=replace_year(pending.told.birth_date))
        pending.file = b""

    # -- prescriptions

    def prescribe(self, letter: str = "A", *, days: int = 0) -> Done:
        """A prescription that is released to pharmacies, of that class."""
        kind = PrescriptionClass(letter)
        made = Pen(self.place, self.world).prescription(self.now_ns() // NS * NS, f"rx {self.number().hex()}", kind)
        if days:
            made = replace(made, days=days)
        try:
            issued = self.run(issue(self.desk, self.drawer, made, self.doctor))
        except Ended as e:
            return Done(e.code, e.what)
        return Done("0", raw=issued.filed.signed)

    def change(self, what: str) -> Done:
        """The newest prescription ``cancel``led, ``restore``d, or ``amend``ed."""
        try:
            offers = self.run(from_centre(self.desk, self.drawer))
            standing = offers[-1].standing
            if what == "cancel":
                return Done(self.run(cancel(self.desk, self.drawer, standing, self.doctor, "mistake")).code)
            if what == "restore":
                return Done(self.run(restore(self.desk, self.drawer, standing, self.doctor)).code)
            newer = amendment(self.desk, standing, standing.rx)
            issued = self.run(issue(self.desk, self.drawer, newer, self.doctor))
        except Ended as e:
            return Done(e.code, e.what)
        return Done("0", raw=issued.filed.signed)

    def answer_doubts(self) -> Done:
        """Every open doubt is answered: dispense it as it is written. ``text``: how many."""
        try:
            found = self.run(open_doubts(self.desk, self.drawer))
            for _, asked in found:
                self.run(confirm(self.desk, self.drawer, asked, self.doctor, "yes"))
        except Ended as e:
            return Done(e.code, e.what)
        return Done("0", str(len(found)))

    # -- home visits

    def take_along(self, hours: float) -> Done:
        """A package of the holder's data for a home visit."""
        until_ns = self.now_ns() + round(hours * 3600) * NS
        try:
            self.run(prepare(self.desk, self.sam, self.doctor, self.bag, CARD_NO, until_ns))
        except Ended as e:
            return Done(e.code, e.what)
        return Done("0")

    def put_in_bag(self, raw: bytes) -> Done:
        """A package that came some other way."""
        try:
            self.bag.put(raw, self.now_ns())
        except MalformedPackage as e:
            return Done(e.code or "", e.what)
        return Done("0")

    def at_home(self, identity: bytes, professional: str = "") -> Done:
        """At the patient's, without a line: the card that is here, and who has come."""
        try:
            recognise(self.bag, CARD_NO, professional or self.place.professional_id, identity, self.now_ns())
        except Ended as e:
            return Done(e.code, e.what)
        return Done("0")


def replace_year(day: Any) -> Any:
    """The same day a year later."""
    return day.replace(year=day.year + 1)


__all__ = ["Done", "InstitutionSoftware", "ReferenceClinic", "Shelves"]
