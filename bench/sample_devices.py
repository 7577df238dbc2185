"""Devices of invented holders by the name under which ``present`` shows them, all of one authority."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.clock import WallClock
from bench.datacentre.credentials import pem
from bench.phone_image import KeptPhone
from bench.presenters.control import CARD, WALLET
from bench.presenters.serve import Persistent
from bench.presenting import (
    HPC_PIN,
    HPC_PUK,
    sample_authority,
    sample_card,
    sample_hpc,
    sample_sam,
    sample_second_card,
)
from bench.sample_phone import SamplePhone, phone_epoch_ns
from bench.sample_readers import write_readers
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.profiles import PROFILES
from virtual_devices.card.second import SecondCard
from virtual_devices.errors import UsageError
from virtual_devices.hpc.hpc import Hpc
from virtual_devices.link import Device
from virtual_devices.pki import Authority
from virtual_devices.sam.sam import Sam
from virtual_devices.wallet.faces import NfcFace

SECOND, SECOND_IN_FIELD = "second-card", "second-card-contactless"
SAM, HPC = "sam", "hpc"
WHAT = (CARD, SECOND, SECOND_IN_FIELD, WALLET, SAM, HPC)
_WITHOUT_PHONE = (CARD, SAM, HPC)
CHIPS: Mapping[str, Callable[[bytes], Persistent]] = {CARD: IcCard.from_image, SAM: Sam.from_image, HPC: Hpc.from_image}
"""How the image of a chip becomes one, whatever slot it is put into."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One device to be presented, and what it is, for a person."""

    device: Device
    text: str


class Samples:
    """Devices of one kind, holder by holder: the first has the seed, the next the number after it."""

    def __init__(self, what: str, seed: int, now_ns: int, profile: str = "t1") -> None:
        """Raises UsageError for a card profile that there is not."""
        self.what, self._seed, self._now_ns, self._profile = what, seed, now_ns, profile
        if profile not in PROFILES:
            raise UsageError(f"there is no card profile {profile!r}; there are {', '.join(PROFILES)}")
        self._first = None if what in _WITHOUT_PHONE else SamplePhone(seed, now_ns)
        self.authority = self._first.authority if self._first is not None else sample_authority(seed)
        if what in (SAM, HPC):  # as short-lived as a reader's: of the year, as phones' are
            self.authority = Authority(seed, phone_epoch_ns(now_ns))

    @property
    def load(self) -> Callable[[bytes], Persistent]:
        """How an image becomes a device of this kind."""
        if self.what in CHIPS:
            return CHIPS[self.what]
        match self.what:
            case "second-card":
                return lambda raw: SecondCard.from_image(raw).contact
            case "second-card-contactless":
                return lambda raw: SecondCard.from_image(raw).contactless
            case _:
                return lambda raw: KeptPhone.load(raw, NfcFace, WallClock())

    def exhibit(self, number: int) -> Exhibit:
        seed = self._seed + number
        if self.what == SAM:
            module = sample_sam(seed, self.authority)
            return Exhibit(module, f"the security module {module.image.sam_id} of institution {module.image.institution}")
        if self.what == HPC:
            return Exhibit(sample_hpc(seed, self.authority), f"a physician's card, PIN {HPC_PIN}, PUK {HPC_PUK}")
        if self._first is None:
            card = sample_card(seed, self._profile, self.authority)
            return Exhibit(card, f"card {card.card_no} ({PROFILES[self._profile].text})")
        sample = self._first if number == 0 else SamplePhone(seed, self._now_ns, self.authority)
        card_no = sample.holder.card_no
        if self.what == WALLET:
            return Exhibit(sample.kept(NfcFace, WallClock()), f"a phone with card {card_no}, whose holder agrees to everything")
        second = sample_second_card(sample, self._profile)
        chosen = second.contact if self.what == SECOND else second.contactless
        how = "by contact" if self.what == SECOND else "in the field"
        return Exhibit(chosen, f"second-generation card {card_no}, {how} ({PROFILES[self._profile].text})")

    def trust(self) -> bytes:
        """What a reader needs to believe them, in PEM."""
        return pem([self.authority.root_der]) if self._first is None else self._first.trust()

    def write_readers(self, directory: Path) -> None:
        """With what a reader may ask them. Raises UsageError, also for cards that ask a reader for no such thing."""
        if self._first is None:
            raise UsageError(f"a {self.what} knows its readers by other keys: --readers goes with a wallet or a second card")
        write_readers(directory, self.authority, self._now_ns)


__all__ = ["CARD", "CHIPS", "HPC", "SAM", "SECOND", "SECOND_IN_FIELD", "WALLET", "WHAT", "Exhibit", "Samples"]
