"""The health professional's card (醫事人員卡, HPC): a physician, pharmacist or nurse proves who they are, and signs.

Nothing leaves it before its PIN has been verified: no proof, no signature; and it proves itself only in the reader of a
SAM that has proved itself to it. Three wrong PINs lock it, the PUK unlocks it.
Commands as in ``authentication.py`` and ``pin.py``, and:

    00 CA 00 5A        10 bytes: the professional's national id
    00 CA 5F 20        the professional's name, Big5
    00 CA 00 51        12 bytes: the card's serial number
    00 CA 5F 51        the professional's name in Latin letters
    00 2A 9E 9A        COMPUTE DIGITAL SIGNATURE: 64 bytes over the data (a prescription, an amendment)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from virtual_devices import atr
from virtual_devices.apdu import SW, Command
from virtual_devices.atr import Transport
from virtual_devices.authentication import PROOF_LABEL, Authenticator, Party
from virtual_devices.chip import Answer, Chip, refuse_unless
from virtual_devices.chip_image import pack, unpack
from virtual_devices.link import Work
from virtual_devices.pin import Pin, pin_cells
from virtual_devices.pki import ChainVerifier, Identity
from virtual_devices.records import BIG5
from virtual_devices.store import Store

ATR = atr.make(b"\x80\x73\xc0\x01\xc0\x53HPC", Transport.T1)
T0_ATR = atr.make(b"\x80\x73\xc0\x01\x80\x53HPC", Transport.T0)
PROFESSIONAL_ID, NAME, SERIAL, ENGLISH_NAME = 0x005A, 0x5F20, 0x0051, 0x5F51
TRIES = 3  # the card locks after three wrong PINs (manual 3.3)


@dataclass(frozen=True, slots=True)
class HpcImage:
    """Who a professional's card is. ``cells``: its PIN state, so that a locked card stays locked."""

    professional_id: str
    name: str
    identity: Identity
    root: bytes
    seed: bytes
    cells: Mapping[str, bytes] = field(default_factory=dict)
    serial: str = "HPC000000001"  # 12 characters
    english_name: str = ""


def fresh_cells(pin: str, puk: str) -> dict[str, bytes]:
    """The PIN state of a new card."""
    return pin_cells("pin", pin, TRIES, puk)


class Hpc(Chip):
    """One professional's card."""

    def __init__(self, image: HpcImage, transport: Transport = Transport.T1) -> None:
        work = Work()
        super().__init__(T0_ATR if transport is Transport.T0 else ATR, transport, Store(image.cells, work), work)
        self.image = image
        self.pin = Pin(self, "pin", 0x81, optional=False)
        self.authenticator = Authenticator(
            self, Party.HPC, image.professional_id, image.identity, ChainVerifier(image.root), (Party.SAM,), image.seed,
            may_prove=lambda: self.pin.verified and Party.SAM in self.authenticator.proved,
        )
        self.on(0x2A, self._perform_security_operation)
        self.on(0xCA, self._get_data)

    @staticmethod
    def from_image(raw: bytes) -> Hpc:
        """A card from its image's bytes. Raises UsageError."""
        return Hpc(unpack(HpcImage, raw))

    def to_image(self) -> bytes:
        """The image with the store as it is now."""
        return pack(replace(self.image, cells=self.store.cells()))

    def forget(self) -> None:
        if hasattr(self, "authenticator"):
            self.authenticator.forget()
            self.pin.forget()

    def _get_data(self, c: Command) -> Answer:
        match c.p1 << 8 | c.p2:
            case 0x7F21:
                return Answer(self.authenticator.chain)
            case 0x0051:
                return Answer(self.image.serial.encode("ascii").ljust(12), exact=True)
            case 0x5F51:
                return Answer(self.image.english_name.encode("ascii", "replace"), exact=True)
            case 0x005A:
                return Answer(self.image.professional_id.encode("ascii").ljust(10), exact=True)
            case 0x5F20:
                return Answer(self.image.name.encode(BIG5, "replace"), exact=True)
            case _:
                return Answer(sw=SW.REFERENCED_DATA_NOT_FOUND)

    def _perform_security_operation(self, c: Command) -> Answer:
        if (c.p1, c.p2) == (0x00, 0xBE):
            return self.authenticator.perform_security_operation(c)
        refuse_unless((c.p1, c.p2) == (0x9E, 0x9A), SW.WRONG_P1P2)
        refuse_unless(self.pin.verified, SW.SECURITY_STATUS_NOT_SATISFIED)
        refuse_unless(bool(c.data), SW.WRONG_LENGTH)
        refuse_unless(not c.data.startswith(PROOF_LABEL), SW.WRONG_DATA)
        return Answer(self.authenticator.sign(c.data), exact=True)
