"""The chips of an institution's desk, made for one case: its security module, professional's cards, a patient's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.chips import MadeUp
from conformance.references.card import reference_card
from conformance.references.hpc import ENGLISH_NAME, NAME, PIN, PUK, SERIAL
from conformance.town import Place
from conformance.vectors.world import Reader, World
from virtual_devices.card.ic_card import IcCard
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.pki import DAY_NS, Identity, Role
from virtual_devices.randomness import digest
from virtual_devices.sam.sam import Sam, SamImage
from virtual_devices.uploads.register import Trade

ANOTHER_ID = "B123456789"


@dataclass(frozen=True)
class DeskChips:
    """All of them follow from ``name``. A chip's own certificate is of years, for the key of its reader certificates."""

    world: World
    place: Place
    name: str

    def sam(self) -> Sam:
        place = self.place
        own = self._identity(Role.SAM, place.sam_id, place.sam, place.institution)
        return Sam(SamImage(place.sam_id, place.institution, own, self._root, self._seed))

    def professional(self, how: str = "right") -> Hpc:
        """The place's own: one that is ``right`` (or ``revoked``, which only others know), a pharmacist's, one whose certificate
        is ``over``, ``another's`` or ``a sam's``, one ``without an id``."""
        own = Role.PHYSICIAN if self.place.trade is Trade.CLINIC else Role.PHARMACIST
        role = {"a pharmacist's": Role.PHARMACIST, "a sam's": Role.SAM}.get(how, own)
        subject = ANOTHER_ID if how == "another's" else self.place.professional_id
        days, hours = (3, 24) if how == "over" else (1, 26_280)
        identity = self._identity(role, subject, self.place.professional, days=days, hours=hours)
        said = self.place.professional_id[: 9 if how == "without an id" else 10]
        return Hpc(HpcImage(said, NAME, identity, self._root, self._seed, fresh_cells(PIN, PUK), SERIAL, ENGLISH_NAME))

    def patient(self, personal: Mapping[str, Any]) -> IcCard:
        """The card of the world's holder, personalised so where it is not as usual."""
        made = reference_card(self.world, "contact", self.name).device(MadeUp(personal=personal))
        assert isinstance(made, IcCard)
        return made

    @property
    def _root(self) -> bytes:
        return self.world.authority.root_der

    @property
    def _seed(self) -> bytes:
        return digest(self.world.seed, self.name)

    def _identity(
        self, role: Role, subject: str, reader: Reader, organisation: str = "", *, days: int = 1, hours: float = 26_280,
    ) -> Identity:
        renew, key = self.world.authority.renew, reader.key
        from_ns = self.world.now_ns - days * DAY_NS
        return Identity(key, renew(role, subject, key.public_key(), from_ns, organisation=organisation, hours=hours))


__all__ = ["DeskChips"]
