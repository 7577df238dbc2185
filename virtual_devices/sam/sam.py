"""The institution's security access module (安全模組卡, SAM): it vouches for the institution towards card and data centre.

It proves itself, has patient card and professional card prove themselves to it, signs what the institution sends, and
makes the 40-character signature of a prescription entry. Commands as in ``authentication.py``, and:

    00 CA 00 5A        12 bytes SAM id
    00 CA 5F 50        10 bytes institution code (醫療院所代碼)
    00 2A 9E 9A        COMPUTE DIGITAL SIGNATURE: 64 bytes over the data: a COSE Sig_structure (a message to the data
                       centre, a request to a wallet, a record written back), or the statement of a visit, before which
                       the patient card that it names must have proved itself
    00 2A 8E 80        COMPUTE CRYPTOGRAPHIC CHECKSUM: 20 bytes over the data (profile; the field's algorithm is not public)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from virtual_devices import atr, pki
from virtual_devices.apdu import SW, Command
from virtual_devices.atr import Transport
from virtual_devices.authentication import Authenticator, Party, padded_id
from virtual_devices.chip import Answer, Chip, refuse_unless
from virtual_devices.chip_image import pack, unpack
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Identity
from virtual_devices.randomness import digest
from virtual_devices.store import Store

ATR = atr.make(b"\x80\x73\xc0\x01\xc0\x53SAM", Transport.T1)
T0_ATR = atr.make(b"\x80\x73\xc0\x01\x80\x53SAM", Transport.T0)
MESSAGES, VISIT_STATEMENT = (b"\x84jSignature1", b"\x85iSignature"), b"VHC visit 1"
CHECKSUM_BYTES = 20


@dataclass(frozen=True, slots=True)
class SamImage:
    """Who a SAM is. ``sam_id``: 12 characters; ``institution``: 10 characters, also in its certificate. ``cells``: its state,
    so that one rebuilt asks no question twice."""

    sam_id: str
    institution: str
    identity: Identity
    root: bytes
    seed: bytes
    cells: Mapping[str, bytes] = field(default_factory=dict)


class Sam(Chip):
    """One security module."""

    def __init__(self, image: SamImage, transport: Transport = Transport.T1) -> None:
        work = Work()
        super().__init__(T0_ATR if transport is Transport.T0 else ATR, transport, Store(image.cells, work), work)
        self.image = image
        self._checksum_key = digest(image.seed.hex(), "prescription checksum")
        self.authenticator = Authenticator(
            self, Party.SAM, image.sam_id, image.identity, ChainVerifier(image.root),
            (Party.CARD, Party.HPC, Party.DATA_CENTRE), image.seed,
        )
        self.on(0x2A, self._perform_security_operation)
        self.on(0xCA, self._get_data)

    @staticmethod
    def from_image(raw: bytes) -> Sam:
        """A module from its image's bytes. Raises UsageError."""
        return Sam(unpack(SamImage, raw))

    def to_image(self) -> bytes:
        """The image with the store as it is now."""
        return pack(replace(self.image, cells=self.store.cells()))

    def forget(self) -> None:
        if hasattr(self, "authenticator"):
            self.authenticator.forget()

    def _get_data(self, c: Command) -> Answer:
        match c.p1 << 8 | c.p2:
            case 0x7F21:
                return Answer(self.authenticator.chain)
            case 0x005A:
                return Answer(padded_id(self.image.sam_id), exact=True)
            case 0x5F50:
                return Answer(self.image.institution.encode("ascii").ljust(10), exact=True)
            case _:
                return Answer(sw=SW.REFERENCED_DATA_NOT_FOUND)

    def _perform_security_operation(self, c: Command) -> Answer:
        match (c.p1, c.p2):
            case (0x00, 0xBE):
                return self.authenticator.perform_security_operation(c)
            case (0x9E, 0x9A):
                message = c.data.startswith(MESSAGES)
                refuse_unless(message or c.data.startswith(VISIT_STATEMENT), SW.WRONG_DATA)
                refuse_unless(message or self._names_the_card(c.data), SW.SECURITY_STATUS_NOT_SATISFIED)
                return Answer(self.authenticator.sign(c.data), exact=True)
            case (0x8E, 0x80):
                refuse_unless(Party.CARD in self.authenticator.proved, SW.SECURITY_STATUS_NOT_SATISFIED)
                refuse_unless(bool(c.data), SW.WRONG_LENGTH)
                self.work.macs += 1
                return Answer(pki.mac(self._checksum_key, c.data)[:CHECKSUM_BYTES], exact=True)
            case _:
                return Answer(sw=SW.WRONG_P1P2)

    def _names_the_card(self, statement: bytes) -> bool:
        """The statement begins with the number of the card that has proved itself."""
        card = self.authenticator.proved.get(Party.CARD)
        return card is not None and statement[len(VISIT_STATEMENT) :].startswith(padded_id(card.subject_id))
