"""A professional's card (醫事人員卡, HPC) under test: its PIN, what it signs, and to whom it proves itself."""

from __future__ import annotations

from conformance.case import Kind
from conformance.chips import IN_EVERY_CHIP, ChipTester
from conformance.kinds import Suite
from conformance.references.hpc import ENGLISH_NAME, NAME, PIN, PUK, SERIAL, reference_hpc
from conformance.vectors.world import DOCTOR_ID
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party, padded_id

SIGNATURE_BYTES = 64


class HpcTester(ChipTester):
    """The desk with a professional's card in it."""

    role = "hpc"
    who = Party.HPC
    own_id = DOCTOR_ID
    takes = Party.SAM
    probe = "00CA005A00"

    @property
    def opened(self) -> Command:
        return Command(0, 0x88, 0, 0, bytes(range(16)) + padded_id("VERIFIER1"), SIGNATURE_BYTES)

    def ready(self, *, again: bool = False) -> None:
        super().ready(again=again)
        self.must(self.pin(PIN), "PIN")

    def sign(self, message: bytes, le: int | None = SIGNATURE_BYTES) -> Command:
        """PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE."""
        return Command(0, 0x2A, 0x9E, 0x9A, message, le)

    def chain(self) -> bytes:
        return self.must(Command(0, 0xCA, 0x7F, 0x21, le=256), "certificate")


SUITE = Suite(
    Kind.HPC, ("contact", "contact-t0"), reference_hpc, HpcTester,
    (
        "virtual_devices.hpc.hpc", *IN_EVERY_CHIP, "virtual_devices.apdu:Command", "virtual_devices.apdu:Chainer",
        *(f"virtual_devices.pin:Pin.{name}" for name in ("verify", "_compare", "_change", "_unblock")),
    ), apart=frozenset({"contact-t0"}),
)

__all__ = ["ENGLISH_NAME", "NAME", "PIN", "PUK", "SERIAL", "SIGNATURE_BYTES", "SUITE", "HpcTester"]
