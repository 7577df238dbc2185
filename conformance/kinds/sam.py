"""A security module (安全模組卡, SAM) under test: what a desk has it sign, and what it must refuse to sign."""

from __future__ import annotations

from conformance.case import Kind
from conformance.chips import IN_EVERY_CHIP, ChipTester
from conformance.kinds import Suite
from conformance.references.sam import reference_sam
from conformance.vectors.world import CARD_NO, INSTITUTION, SAM_ID
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party, padded_id
from virtual_devices.cose import PROTECTED_ES256, sig_structure
from virtual_devices.sam.sam import VISIT_STATEMENT

CHECKSUM_BYTES, SIGNATURE_BYTES = 20, 64
MESSAGE = sig_structure(PROTECTED_ES256, b"a message to the data centre")
"""What a SAM signs without a card: a COSE Sig_structure."""
ENTRY = b"x" * 61
"""As long as a prescription entry."""


class SamTester(ChipTester):
    """The desk with its security module."""

    role = "sam"
    who = Party.SAM
    own_id = SAM_ID
    takes = Party.CARD
    probe = "00CA005A00"

    @property
    def opened(self) -> Command:
        return self.checksum(ENTRY)

    def sign(self, message: bytes, le: int | None = SIGNATURE_BYTES) -> Command:
        """PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE."""
        return Command(0, 0x2A, 0x9E, 0x9A, message, le)

    def checksum(self, entry: bytes, le: int | None = CHECKSUM_BYTES) -> Command:
        """PERFORM SECURITY OPERATION: COMPUTE CRYPTOGRAPHIC CHECKSUM."""
        return Command(0, 0x2A, 0x8E, 0x80, entry, le)

    def statement(self, card_no: str = CARD_NO) -> bytes:
        """A visit's, of the card with that number."""
        return VISIT_STATEMENT + padded_id(card_no) + b"1150302080000" + b"0001" + INSTITUTION.encode()

    def chain(self) -> bytes:
        return self.must(Command(0, 0xCA, 0x7F, 0x21, le=256), "certificate")


SUITE = Suite(
    Kind.SAM, ("contact", "contact-t0"), reference_sam, SamTester,
    (
        "virtual_devices.sam.sam", *IN_EVERY_CHIP, "virtual_devices.apdu:Command", "virtual_devices.apdu:Chainer",
    ), apart=frozenset({"contact-t0"}),
)

__all__ = ["CHECKSUM_BYTES", "ENTRY", "MESSAGE", "SIGNATURE_BYTES", "SUITE", "SamTester"]
