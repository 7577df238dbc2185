"""The physical IC card (健保IC卡) as a device: today's public read byte for byte, and the rest by the bench's profile.

What readers in the field send, and what comes back:

    00A4040010 D1580000010000000000000000001100   9000 (also with the 15-byte form and Le)
    00CA110002 0000                               57 bytes of public basic data, with or without a trailing Le
    00CA000002 0000                               12 bytes: card number

Everything else needs a proved SAM, medical areas a proved professional card besides (``areas.py``), by the commands of
``authentication.py`` and ``pin.py``. VERIFY with P2 82 compares the holder's ID number and birth date (17 bytes): then the
critical illness marks are read without the holder's PIN (hisGetCriticalIllnessID, profile). Writing is one command,
80 DA 01 00, with everything of one act in it (``writes.py``): it is stored whole or not at all.
"""

from __future__ import annotations

from dataclasses import replace

from virtual_devices.apdu import SW, Command
from virtual_devices.authentication import CERTIFICATE, Authenticator, Party
from virtual_devices.card.areas import BY_SFI, Access, Area
from virtual_devices.card.draft import Draft
from virtual_devices.card.image import CardImage
from virtual_devices.card.profiles import PROFILES
from virtual_devices.card.view import record
from virtual_devices.card.writes import apply
from virtual_devices.chip import OK, Answer, Chip, Refusal, refuse_unless
from virtual_devices.link import Work
from virtual_devices.pin import Pin
from virtual_devices.pki import ChainVerifier, Role
from virtual_devices.store import Store

AID = bytes.fromhex("D1580000010000000000000000001100")
AID_SHORT = AID[:-1]  # one public program sends 15 bytes, and means the last 00 as Le
PUBLIC_DATA, CARD_NUMBER = 0x1100, 0x0000
IDENTITY_QUALIFIER = 0x82
PHARMACIST_DENIED = 0x9700  # stands for code 9100


class IcCard(Chip):
    """One patient card."""

    def __init__(self, image: CardImage) -> None:
        work = Work()
        profile = PROFILES[image.profile]
        super().__init__(profile.atr, profile.transport, Store(image.cells, work), work)
        self.profile = profile
        self.image = image
        self.card_no = image.card_no
        self.authenticator = Authenticator(
            self, Party.CARD, image.card_no, image.identity, ChainVerifier(image.root),
            (Party.SAM, Party.HPC, Party.DATA_CENTRE), image.seed,
        )
        self.pin = Pin(self, "pin", 0x81, may_change=lambda: Party.SAM in self.authenticator.proved)
        self._identity_matched = False
        self.on(0x20, self._verify)
        self.on(0xA4, self._select)
        self.on(0xCA, self._get_data)
        self.on(0xB2, self._read_record)
        self.on(0xDA, self._write)

    @staticmethod
    def from_image(raw: bytes) -> IcCard:
        """A card from its image's bytes. Raises UsageError."""
        return IcCard(CardImage.from_bytes(raw))

    def to_image(self) -> bytes:
        """The image with the store as it is now."""
        return replace(self.image, cells=self.store.cells()).to_bytes()

    def forget(self) -> None:
        if hasattr(self, "authenticator"):  # the base class powers off before it is built
            self.authenticator.forget()
            self.pin.forget()
            self._identity_matched = False

    # -- reading

    def _verify(self, c: Command) -> Answer:
        """The PIN; or what stands on the card's face anyway, which is why no tries are counted."""
        if c.p2 != IDENTITY_QUALIFIER:
            return self.pin.verify(c)
        refuse_unless(c.p1 == 0 and Party.SAM in self.authenticator.proved, SW.SECURITY_STATUS_NOT_SATISFIED)
        self._identity_matched = c.data == self.store["public"][32:49]
        refuse_unless(self._identity_matched, 0x9420)
        return OK

    def _select(self, c: Command) -> Answer:
        refuse_unless(self.profile.answers_select, SW.INS_NOT_SUPPORTED)
        refuse_unless(c.p1 == 0x04, SW.FILE_NOT_FOUND)
        refuse_unless(c.data in (AID, AID_SHORT), SW.FILE_NOT_FOUND)
        self.forget()
        return OK

    def _get_data(self, c: Command) -> Answer:
        tag = c.p1 << 8 | c.p2
        if tag == CERTIFICATE:
            return Answer(self.authenticator.chain)
        refuse_unless(tag in (PUBLIC_DATA, CARD_NUMBER), SW.REFERENCED_DATA_NOT_FOUND)
        refuse_unless(len(c.data) == 2, SW.WRONG_LENGTH)  # an offset, as far as can be seen: always 0000
        refuse_unless(c.data == b"\0\0", SW.WRONG_DATA)
        public = self.store["public"]
        return Answer(public if tag == PUBLIC_DATA else public[:12], exact=True)

    def _read_record(self, c: Command) -> Answer:
        area = BY_SFI.get(c.p2 >> 3)
        mode = c.p2 & 0x07
        refuse_unless(not c.data, SW.WRONG_LENGTH)
        refuse_unless(area is not None, SW.FILE_NOT_FOUND)
        assert area is not None
        refuse_unless(mode in (4, 5), SW.WRONG_P1P2)  # this record; all from this one on
        self._need(area)
        refuse_unless(1 <= c.p1 <= area.count, SW.RECORD_NOT_FOUND)
        last = area.count if mode == 5 else c.p1
        pharmacist = self._pharmacist_reads()
        found = (record(self.store, area, i, pharmacist=pharmacist) for i in range(c.p1 - 1, last))
        return Answer(b"".join(found), exact=True)

    def _need(self, area: Area) -> None:
        if area.access is Access.ALWAYS:
            return
        proved = self.authenticator.proved
        allowed = Party.SAM in proved
        if area.access is not Access.SAM:
            by_identity = self._identity_matched and area.name.startswith("critical_illness")
            allowed = allowed and (self.pin.satisfied or by_identity)
        if area.access is Access.PROFESSIONAL:
            allowed = allowed and Party.HPC in proved
        refuse_unless(allowed, SW.SECURITY_STATUS_NOT_SATISFIED)
        if area.pharmacist_denied and proved[Party.HPC].role is Role.PHARMACIST:
            raise Refusal(PHARMACIST_DENIED)

    def _pharmacist_reads(self) -> bool:
        professional = self.authenticator.proved.get(Party.HPC)
        return professional is not None and professional.role is Role.PHARMACIST

    # -- writing

    def _write(self, c: Command) -> Answer:
        refuse_unless(c.cla & 0x80 == 0x80, SW.CLA_NOT_SUPPORTED)
        refuse_unless((c.p1, c.p2) == (0x01, 0x00), SW.WRONG_P1P2)
        refuse_unless(Party.SAM in self.authenticator.proved, SW.SECURITY_STATUS_NOT_SATISFIED)
        draft = Draft(self.store)
        answer = apply(draft, c.data, self.authenticator)
        self.store.commit(draft.changes)
        return Answer(answer)
