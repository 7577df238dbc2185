"""Patients with a virtual card: their phones, what they do with them, and the tap at a counter.

As ``CardContact`` for physical cards: a phone that was taken away too early is held to the reader again, a few times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from scenarios.runner import Steps, T
from scenarios.world import REINSERTIONS, Tally, Workplace, World, asked
from virtual_devices import vhc
from virtual_devices.card.holder import Holder
from virtual_devices.clock import Clock, to_datetime
from virtual_devices.cloud.issuer import CardHolder, CardIssuer, portrait
from virtual_devices.cloud.places import Place, Places
from virtual_devices.flow import Flow, People
from virtual_devices.link import Link
from virtual_devices.pki import Authority
from virtual_devices.radio import Bluetooth, BluetoothLink, Camera, Field, FieldLink, ScreenLink
from virtual_devices.reader.presentation import APPROVE, OPEN_APP, TAP_AGAIN
from virtual_devices.reader.transmit import Ended
from virtual_devices.status_list import Status
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace, Screen
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.phone import Phone

PHONE_PIN = "135790"
LISTS, LIST_ENTRIES = 1, 1 << 12
"""Status lists of one situation: places enough for everybody who comes."""
EVERYTHING = {space: sorted({*vhc.REGISTRATION.get(space, ()), *vhc.CONSULTATION.get(space, ())})
              for space in (vhc.BASIC, vhc.MEDICAL, vhc.RECORDS, vhc.DELEGATION)}


class PhoneShop:
    """Makes the phones of one replication, each with its holder's card. ``statuses``: how the cards stand."""

    def __init__(self, world: World, authority: Authority) -> None:
        self._world = world
        self._root = authority.root_der
        self._seed = f"{world.scenario.run.seed}/{world.replication}"
        self._issuer = CardIssuer(authority, self._seed)
        self._places = Places("urn:nhi:bench:status", world.stream("status places"), LISTS, LIST_ENTRIES)
        self.statuses: dict[Place, Status] = {}

    def status_lists(self, at_ns: int) -> dict[str, bytes]:
        """As the data centre publishes them."""
        return self._issuer.status_lists(self.statuses, at_ns, LIST_ENTRIES)

    def phone(self, key: str, card_no: str, holder: Holder) -> Phone:
        """A phone that was set up before the morning began."""
        world = self._world
        made = Phone(self._seed, key, self._root)
        made.start(world.epoch_ns)
        made.format()
        made.holder.set_pin(PHONE_PIN, world.epoch_ns)
        today = to_datetime(world.epoch_ns).date()
        age = (today - holder.birth_date).days // 365
        place = self._places.draw()
        self.statuses[place] = Status.VALID
        device_key = made.new_key()
        person = CardHolder(
            card_no, holder.name, holder.id_no, holder.birth_date, holder.sex, today - timedelta(days=200),
            today + timedelta(days=1600), portrait(holder.sex, age), medical={"allergies": [], "critical_illness": []},
        )
        issued = self._issuer.credential(person, made.keystore.public_key(device_key), place, world.epoch_ns)
        made.install(Held(OWN, issued, device_key))
        return made


@dataclass
class PhoneHolder:
    """The holder at the counter: the situation's people for how long acts take, the phone for what they do to it."""

    phone: Phone
    people: People
    clock: Clock
    use: Use = Use.REGISTRATION
    screen: Screen | None = None  # shows the code that begins a presentation over Bluetooth

    def ask(self, person: str, act: str) -> tuple[int, str]:
        duration_ns, answer = self.people.ask(person, act)
        if person != "holder":
            return duration_ns, answer
        at_ns = self.clock.now_ns() + duration_ns  # the act is done when the flow goes on
        if act == OPEN_APP:
            self.phone.holder.enter_pin(PHONE_PIN, at_ns)
            self.phone.arm(self.use, EVERYTHING, at_ns)
            if self.screen is not None:
                self.screen.text = self.phone.engage().engagement.qr_text()
        elif act == APPROVE:
            for use in sorted({use for use, _ in self.phone.consent.asked.parts}, key=lambda u: u.value):
                self.phone.holder.enter_pin(PHONE_PIN, at_ns)
                self.phone.approve(use, at_ns)
        return duration_ns, answer


@dataclass(frozen=True, slots=True)
class Air:
    """Presented by the code on the screen and Bluetooth, where there is no contactless reader."""

    camera: Camera
    bluetooth: Bluetooth


class PhoneContact:
    """A phone at a workplace's contactless reader, or before its camera, and the rule for presenting it again."""

    def __init__(self, world: World, place: Workplace, phone: Phone, field: Field | Air, visit: str, tally: Tally) -> None:
        self._world = world
        self._place = place
        self._phone = phone
        self._field = field
        self._visit = visit
        self._tally = tally

    def run(
        self, name: str, flow_of: Callable[[], Flow[T]], use: Use, ended: Callable[[T], str] = lambda _: "retried",
    ) -> Steps[T]:
        """Run ``flow_of()``, again after a phone that was taken away or fell silent, ``REINSERTIONS`` times at most.

        Raises Ended when that did not help, or the flow refuses.
        """
        world = self._world
        for number in range(REINSERTIONS + 1):
            face, links, screen = self._met(world.stream("field", self._visit, name, number))
            holder = PhoneHolder(self._phone, world.people, world.clock, use, screen)
            try:
                return (
                    yield from world.perform(
                        flow_of(), name, self._place, visit=self._visit, tally=self._tally, extra=links, ended=ended,
                        people=holder,
                    )
                )
            except Ended as e:
                if not e.torn or number == REINSERTIONS:
                    raise
                self._tally.retries += 1
            finally:
                face.power_off()  # the phone is taken out of the field
            yield from world.perform(asked("holder", TAP_AGAIN), name, self._place, visit=self._visit)
        raise AssertionError("unreachable")

    def _met(self, rng: Random) -> tuple[NfcFace | MessageFace, dict[str, Link], Screen | None]:
        """The phone as it is met this time, the links to it, and its screen where a code is shown on it."""
        clock = self._world.clock
        if isinstance(self._field, Field):
            face = NfcFace(self._phone)
            return face, {"wallet": FieldLink(face, self._field, rng, clock)}, None
        screen, far = Screen(), MessageFace(self._phone)
        links: dict[str, Link] = {
            "wallet": BluetoothLink(far, self._field.bluetooth, rng, clock),
            "screen": ScreenLink(screen, self._field.camera, rng, clock),
        }
        return far, links, screen
