"""The reference control software under test: the calls of manual 3.3, the kit of the virtual card and the local face of 6.0, at a
desk whose slots, line and people a case moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.x509 import load_der_x509_certificate

from conformance.references.desks import DeskWithChips, Slot
from conformance.town import clinic
from conformance.vectors.world import World
from virtual_devices.hpc.hpc import Hpc
from virtual_devices.link import Device
from virtual_devices.reader import cs60, sdk
from virtual_devices.reader.cs60.state import LocalComponent
from virtual_devices.reader.cshis import ControlSoftware, ReaderUnit, Reply, perform
from virtual_devices.reader.sdk import VirtualCardSdk


class ReferenceControlSoftware(DeskWithChips):
    """All of it follows from ``name``; there is one ``channel``. A patient card is in its slot."""

    def __init__(self, world: World, channel: str, name: str) -> None:
        super().__init__(world, clinic(world), name)
        self.slots["card"] = Slot(self._clock, None)
        self.put_in({})
        self._software = ControlSoftware(self.desk, ReaderUnit(self._clock))
        self._software.files = self._file
        self._files: dict[str, bytes | None] = {}
        self._kit = VirtualCardSdk(self._software)
        self._local = LocalComponent(self._software)

    def put_in(self, personal: Mapping[str, Any]) -> None:
        """A patient card, personalised so where it is not as usual."""
        self.slots["card"].chip = self.chips.patient(personal)
        self.slots["card"].struck = None

    def put_in_another(self) -> None:
        """Something that is no patient card: the professional's."""
        chip: Device | None = self.slots["hpc"].chip
        self.slots["card"].chip = chip

    def put_in_professional(self, how: str) -> None:
        """A professional's card: the one that is ``right``, a pharmacist's, one whose certificate is ``over``, ``revoked``,
        ``another's`` or ``a sam's``, one ``without an id``; or ``a patient card``."""
        chip: Device | None = self.slots["card"].chip if how == "a patient card" else self.chips.professional(how)
        if how == "revoked":
            assert isinstance(chip, Hpc)
            serial = load_der_x509_certificate(chip.image.identity.chain[0]).serial_number
            self.desk.revoked = frozenset({serial})
        self.slots["hpc"].chip = chip

    def without_rights(self) -> None:
        """The institution may write nothing that not everybody may."""
        self._software.rights = frozenset()

    def put_file(self, name: str, content: bytes | None) -> None:
        """A file on the computer; None: of more than its memory holds."""
        self._files[name] = content

    def _file(self, path: str) -> bytes:
        if path not in self._files:
            raise OSError(path)
        content = self._files[path]
        if content is None:
            raise MemoryError
        return content

    # -- the faces

    def call(self, name: str, arguments: Mapping[str, Any]) -> Reply:
        """A call of manual 3.3."""
        reply: Reply = self.run(perform(self._software, name, arguments))
        return reply

    def kit(self, path: str, body: object) -> dict[str, str]:
        """A request to the virtual card's software kit."""
        found: dict[str, str] = self.run(sdk.answer(self._kit, path, body))
        return found

    def local(self, method: str, path: str, body: object) -> dict[str, Any]:
        """A request to the local component of 6.0."""
        found: dict[str, Any] = self.run(cs60.answer(self._local, method, path, body))
        return found

    def token(self, card_no: str) -> str:
        """The code on the patient's phone."""
        return self.centre.officer.token(card_no)


__all__ = ["ReferenceControlSoftware"]
