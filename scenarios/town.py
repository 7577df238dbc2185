"""What the situations of one replication share: the people with their cards and phones, and the data centre that knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Literal, Protocol

from scenarios.phones import PhoneShop
from scenarios.stations import Service
from scenarios.world import World
from virtual_devices.card.holder import Holder, make_holder
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.image import Personalisation, personalise
from virtual_devices.clock import roc_date7, to_datetime
from virtual_devices.cloud.core import DataCentre, Insurance, Person
from virtual_devices.cloud.registers import Identity
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.network import Contact, Line, ModelledLink, Network
from virtual_devices.pki import DAY_NS, Authority, Role
from virtual_devices.randomness import ByteStream, digest
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import holder_of

HOLDER_PIN, PROFESSIONAL_PIN, WRONG = "135790", "246810", "000000"
Carrier = Literal["ic-card", "virtual-card"]


@dataclass(slots=True)
class Patient:
    """A person on the way to the clinic: with a ``card``, with a ``phone``, or with neither, for queues alone."""

    key: str
    holder: Holder
    card_no: str
    carrier: Carrier
    card: IcCard | None
    phone: Phone | None = None


class Town:
    """The people, the authority that their cards are of, and the data centre."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._seed = world.scenario.run.seed
        self.authority = Authority(self._seed, world.epoch_ns)
        self.shop = PhoneShop(world, self.authority)
        self.core = DataCentre()
        identity = self.authority.issue(Role.DATA_CENTRE, "IDC reference")
        self.centre = DataCentreDevice(
            self.core, identity, self.authority.root_der, authority=self.authority, lists=self.shop.status_lists,
        )

    def line(self, network: Network, *name: object) -> ModelledLink:
        """An institution's line to the data centre; each has its own losses."""
        return ModelledLink(self.centre, Line(network, self.world.stream("line", *name)), self.world.clock)

    def fresh(self, *names: object) -> ByteStream:
        """Bytes that never come twice, from a stream of this replication."""
        return ByteStream(self._seed, self.world.replication, *names)

    def drawn(self, *names: object) -> bytes:
        """32 bytes that follow from the replication and the names."""
        return digest(self._seed, self.world.replication, *names)

    def patient(self, key: str, carrier: Carrier, mix: CardMix) -> Patient:
        """A new patient with a card of their own, known to the data centre."""
        world = self.world
        rng = world.stream("patient", key, "card")
        epoch_ns = world.epoch_ns
        card_no = f"{int.from_bytes(self.drawn('card number', key)[:5], 'big') % 10**12:012d}"
        holder = self._registered(world.stream("patient", key, "holder"), card_no)
        uninsured, elsewhere, cancelled, expired = (
            rng.random() < share
            for share in (mix.not_insured_share, mix.restricted_share, mix.cancelled_share, mix.expired_share)
        )
        self.core.enrol(
            Person(
                card_no, Insurance.NOT_INSURED if uninsured else Insurance.INSURED, cancelled,
                roc_date7(epoch_ns + 1000 * DAY_NS), only_at="0000000000" if elsewhere else "",
            )
        )
        card = None
        if carrier == "ic-card":
            expiry_ns = epoch_ns + (-30 if expired else 700) * DAY_NS
            data = Personalisation(
                card_no, holder, roc_date7(epoch_ns - 1500 * DAY_NS), roc_date7(expiry_ns), rng.choices(*_VISITS_LEFT)[0],
                cancelled, last_sequence=f"{roc_date7(epoch_ns)[:3]}{rng.randrange(0, 12):04d}",
                pin=HOLDER_PIN if rng.random() < mix.pin_share else "", profile=_profile(rng.random(), mix.profiles),
                last_seen_ns=epoch_ns - 40 * DAY_NS,
            )
            identity = self.authority.issue(Role.PATIENT_CARD, card_no)
            card = IcCard(personalise(data, identity, self.authority.root_der, self.drawn("card", key)))
        phone = self.shop.phone(key, card_no, holder) if carrier == "virtual-card" else None
        return Patient(key, holder, card_no, carrier, card, phone)

    def _registered(self, rng: Random, card_no: str) -> Holder:
        """Somebody new in the data centre's registers: nobody has another's national ID."""
        on = to_datetime(self.world.epoch_ns).date()
        while True:
            holder = make_holder(rng, on)
            if self.centre.registers.take_in(Identity(holder.id_no, card_no, holder.name, holder.birth_roc, holder.sex)):
                return holder

    def device_of(self, patient: Patient) -> bytes:
        """Whom records for the patient's card name (``write_back.holder_of``)."""
        if patient.phone is not None:
            held = patient.phone.cards.get(OWN)
            assert held is not None
            return holder_of(held.mso.device_key)
        return holder_of(self.authority.issue(Role.PATIENT_CARD, patient.card_no).key.public_key())

    def nobody(self, key: str) -> Patient:
        """A patient without any card, for queues alone."""
        return Patient(key, Holder("", "", date(1980, 1, 1), "F"), "", "ic-card", None)


_VISITS_LEFT = ((0, 1, 2, 3, 4, 5, 6), (2, 6, 12, 18, 20, 20, 22))  # visits left on a card that comes in, and weights


@dataclass(frozen=True, slots=True)
class CardMix:
    """What cards and holders are like: shares of 1, and the kinds of physical card with their weights."""

    profiles: tuple[tuple[str, float], ...]
    pin_share: float
    not_insured_share: float
    restricted_share: float
    cancelled_share: float
    expired_share: float


def _profile(drawn: float, profiles: tuple[tuple[str, float], ...]) -> str:
    total = sum(weight for _, weight in profiles)
    for name, weight in profiles:
        drawn -= weight / total
        if drawn < 0:
            return name
    return profiles[-1][0]


class ActTimes(Protocol):
    """How long people's acts at a reader take."""

    def by_name(self) -> Mapping[str, Service]:
        """Act, as flows name it -> its time."""
        ...


class TownPeople:
    """Holders, clerks and professionals: how long their acts take, and what they answer.

    A holder asked for a PIN enters a wrong one with the stated chance.
    """

    def __init__(self, world: World, acts: Mapping[str, Service], wrong_pin_share: float) -> None:
        self._acts = acts
        self._wrong = wrong_pin_share
        self._rng = world.stream("people")

    def ask(self, person: str, act: str) -> tuple[int, str]:
        service = self._acts.get(act)
        duration_ns = service.draw_ns(self._rng) if service is not None else 0
        if act != "enter PIN":
            return duration_ns, ""
        if person != "holder":
            return duration_ns, PROFESSIONAL_PIN
        return duration_ns, WRONG if self._rng.random() < self._wrong else HOLDER_PIN


def equipped(world: World, acts: ActTimes, wrong_pin_share: float, contact: Contact) -> Town:
    """A town, and the world equipped with its people and the scenario's line to its data centre."""
    town = Town(world)
    world.equip(TownPeople(world, acts.by_name(), wrong_pin_share), town.line(world.scenario.network), contact)
    return town


__all__ = ["HOLDER_PIN", "PROFESSIONAL_PIN", "Carrier", "CardMix", "Patient", "Town", "TownPeople", "equipped"]
