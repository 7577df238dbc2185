"""A counter for others' software: one desk with its reader, patient's and professional's card, and a data centre of its own.

Everything is the bench's, of the authority that follows from the seed; each card may be in a real reader, and the data centre
another service. Whoever works with it does so from one thread: it is one desk with one card.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from bench.clock import WallClock
from bench.presenters.serve import Slot
from bench.presenting import SAMPLE_DAYS, sample_authority, sample_card, sample_data, sample_epoch_ns
from bench.reader_link import ReaderLink
from virtual_devices.card.ic_card import IcCard
from virtual_devices.cloud.card_files import CardFiles
from virtual_devices.cloud.card_service import CardService
from virtual_devices.cloud.core import DataCentre, Person
from virtual_devices.cloud.cs60 import Cloud60
from virtual_devices.cloud.envelope import EnvelopeCheck
from virtual_devices.cloud.service import DATA_CENTRE_ID, DataCentreDevice
from virtual_devices.cloud.token_operations import TokenOperations
from virtual_devices.errors import UsageError
from virtual_devices.flow import Flow, PromptPeople, Session
from virtual_devices.flow import run as run_flow
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.link import Attempt, Device, DirectLink, Link, Outcome, Provenance
from virtual_devices.pki import DAY_NS, ChainVerifier, Role
from virtual_devices.qr.token import TokenOffice
from virtual_devices.randomness import digest
from virtual_devices.reader.cs60 import LocalComponent
from virtual_devices.reader.cshis import ControlSoftware, CsHis, ReaderUnit
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.sdk import VirtualCardSdk
from virtual_devices.reader.transmit import chip_status
from virtual_devices.sam.sam import Sam, SamImage

T = TypeVar("T")
INSTITUTION, SAM_ID = "9901180014", "SAM000000001"
PROFESSIONAL_ID, PROFESSIONAL_NAME, PIN, PUK = "A123456789", "王小明", "246810", "13579024"


class SlotLink:
    """The card in a slot of this process; an empty slot says so."""

    provenance = Provenance.MODELLED
    channel, device = "contact", "virtual"

    def __init__(self, slot: Slot, clock: WallClock) -> None:
        self._slot = slot
        self._clock = clock

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        began_ns = time.perf_counter_ns()
        if not self._slot.occupied:
            return Attempt(Outcome.GONE, 0)
        reply = self._slot.handle(message, self._clock.now_ns()) if message else self._slot.power_on()
        return Attempt(Outcome.REPLIED, time.perf_counter_ns() - began_ns, reply)


def _no_files(path: str) -> bytes:
    raise OSError(f"this counter reads no files: {path}")


class Counter:
    """The desk and all that it speaks to. ``slot``: where virtual cards are put; ``outside``: by role (card, sam, hpc, cloud),
    what is met elsewhere in place of the counter's own; ``files``: how a file of this computer is read. ``cloud``: the calls of
    6.0 to the counter's own data centre; None where it has none."""

    def __init__(
        self, seed: int, save: Callable[[str, bytes], None] = lambda *_: None,
        outside: Mapping[str, Link] = MappingProxyType({}), files: Callable[[str], bytes] = _no_files,
    ) -> None:
        self._seed = seed
        self.clock = WallClock()
        authority = self._authority = sample_authority(seed)
        self._root = ChainVerifier(authority.root_der)
        self.slot = Slot(save)
        self.cloud: Cloud60 | None = None
        links = dict(outside)
        self._readers = [link.inner for link in links.values() if isinstance(link, ReaderLink)]
        links.setdefault("card", SlotLink(self.slot, self.clock))
        if "cloud" not in links:
            links["cloud"] = self._direct(self._data_centre(seed), "network")
        if "sam" not in links:
            links["sam"] = self._direct(self._sam(seed))
        if "hpc" not in links:
            links["hpc"] = self._direct(self._hpc(seed))
        desk = Desk("counter", Institution(INSTITUTION), self._root, self.clock, os.urandom)
        self.software = ControlSoftware(desk, ReaderUnit(self.clock), files=files)
        self.kit = VirtualCardSdk(self.software)
        self.component = LocalComponent(self.software)
        self.cshis = CsHis(self.software, self.run)
        self._session = Session(links, self.clock, status=chip_status)
        self.people({})

    def run(self, flow: Flow[T]) -> T:
        """A flow of this desk, to its end. Where every face is closed then, chips in real readers have no power."""
        found = run_flow(flow, self._session)
        if self.software.port is None and not self.kit.is_open:
            for link in self._readers:
                link.disconnect()
        return found

    def people(self, answers: Mapping[str, str]) -> None:
        """What the people at the desk type, by what they are asked for; nothing else, and they give up what they are not told."""
        self._session.people = PromptPeople(answers)

    def _direct(self, device: Device, channel: str = "contact") -> Link:
        return DirectLink(device, self.clock, channel=channel)

    def _data_centre(self, seed: int) -> DataCentreDevice:
        data, core = sample_data(seed), DataCentre()
        identity = self._authority.issue(Role.DATA_CENTRE, DATA_CENTRE_ID, days=SAMPLE_DAYS)
        core.enrol(Person(data.card_no, expiry_date=data.expiry_date))
        self.card_no = data.card_no
        self.cards = CardService(core, CardFiles(), TokenOffice(os.urandom), os.urandom(32), os.urandom)
        self.cards.take_in(data)
        centre = DataCentreDevice(core, identity, self._authority.root_der, authority=self._authority, fresh=os.urandom)
        centre.desk.card_of = lambda id_no: self.cards.by_id.get(id_no, "")
        centre.offer(TokenOperations(self.cards, identity).all())
        self.cloud = Cloud60(self.cards, EnvelopeCheck(self._root, DATA_CENTRE_ID))
        return centre

    def _days(self) -> tuple[int, int]:
        """From yesterday on for a year, counted from the authority's epoch: readers' certificates do not live long."""
        today = (self.clock.now_ns() - sample_epoch_ns()) // DAY_NS
        return today - 1, today + 365

    def _sam(self, seed: int) -> Sam:
        identity = self._authority.issue(Role.SAM, SAM_ID, organisation=INSTITUTION, days=self._days())
        challenges = digest(seed, "counter", "sam", os.urandom(8))
        return Sam(SamImage(SAM_ID, INSTITUTION, identity, self._authority.root_der, challenges))

    def _hpc(self, seed: int) -> Hpc:
        identity = self._authority.issue(Role.PHYSICIAN, PROFESSIONAL_ID, days=self._days())
        image = HpcImage(
            PROFESSIONAL_ID, PROFESSIONAL_NAME, identity, self._authority.root_der, digest(seed, "counter", "hpc", os.urandom(8)),
            fresh_cells(PIN, PUK), english_name="WANG,HSIAO-MING",
        )
        return Hpc(image)

    # -- by hand

    def insert_sample(self) -> None:
        """The card of the seed's invented holder."""
        patient = sample_card(self._seed)
        self.slot.put(patient, patient.card_no)

    def insert(self, image: bytes, card_no: str) -> None:
        """Put this card in, in place of the one that is there. Raises UsageError for what is no card."""
        card = IcCard.from_image(image)
        if card.card_no != card_no:
            raise UsageError(f"the image is of card {card.card_no}, not of {card_no}")
        self.slot.take()
        self.slot.put(card, card_no)

    def token(self) -> str:
        """A code on the sample holder's screen now."""
        return self.cards.tokens.issue(self.card_no, self.clock.now_ns())


__all__ = ["INSTITUTION", "PIN", "PUK", "SAM_ID", "Counter", "SlotLink"]
