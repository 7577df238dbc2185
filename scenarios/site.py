"""An institution in one replication: its desks with the cards that stay there, and its line to the data centre."""

from __future__ import annotations

from datetime import date

from scenarios.town import PROFESSIONAL_PIN, Patient, Town
from scenarios.world import Workplace
from virtual_devices.card.holder import make_holder
from virtual_devices.cloud.registers import Contracted
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.link import Link
from virtual_devices.network import Contact, ContactMedium, ModelledLink
from virtual_devices.pki import Role
from virtual_devices.randomness import ByteStream, digest
from virtual_devices.reader.desk import Desk, Institution, Policy
from virtual_devices.sam.sam import Sam, SamImage
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.register import Trade


class Site:
    """One institution. ``line``: its own to the data centre; the world's, when left out. ``name`` tells the desks of several
    apart; empty for the only one. ``upload_format``: of the records that it uploads."""

    def __init__(
        self, town: Town, code: str, policy: Policy, contact: Contact, line: Link | None = None, name: str = "", *,
        trade: Trade = Trade.CLINIC, upload_format: str = "2.0",
    ) -> None:
        self.town = town
        self.world = town.world
        self.institution = Institution(code, Version(upload_format))
        self._contracted = Contracted(code, trade)
        self.line = line
        self._policy = policy
        self._contact = contact
        self.name = name
        self._root = town.authority.verifier()

    def workplace(self, name: str, professional: Role | None = None) -> Workplace:
        """A desk with its own SAM, and with a professional's card when somebody treats patients there."""
        code, authority, name = self.institution.code, self.town.authority, f"{self.name} {name}".strip()
        sam_id = f"SAM{int.from_bytes(digest(code, name)[:4], 'big') % 10**9:09d}"
        self.town.centre.registers.contract(self._contracted, [sam_id])
        sam = Sam(
            SamImage(
                sam_id, code, authority.issue(Role.SAM, sam_id, organisation=code), authority.root_der,
                self.town.drawn("sam", name),
            )
        )
        fresh = ByteStream(self.world.scenario.run.seed, self.world.replication, "desk", name)
        desk = Desk(name, self.institution, self._root, self.world.clock, fresh, self._policy)
        place = Workplace(desk, sam, self._chip_link(sam, name), cloud_link=self.line)
        if professional is not None:
            place.hpc = self._professional(name, professional)
            place.hpc_link = self._chip_link(place.hpc, name)
        return place

    def _professional(self, name: str, role: Role) -> Hpc:
        rng = self.world.stream("professional", name)
        holder = make_holder(rng, date(1980, 1, 1))
        identity = self.town.authority.issue(role, holder.id_no)
        self.town.centre.registers.contract(self._contracted, professionals=[holder.id_no])
        cells = fresh_cells(PROFESSIONAL_PIN, "13579024")
        root, seed = self.town.authority.root_der, self.town.drawn("hpc", name)
        return Hpc(HpcImage(holder.id_no, holder.name, identity, root, seed, cells))

    def _chip_link(self, chip: Sam | Hpc, name: str) -> ModelledLink:
        rng = self.world.stream("contact", name, type(chip).__name__)
        return ModelledLink(chip, ContactMedium(self._contact, rng), self.world.clock)

    def visits_on(self, patient: Patient) -> list[tuple[str, str]]:
        """Time and sequence number of each visit to this institution on the patient's physical card, in order of time."""
        card = patient.card
        if card is None:
            return []
        card.power_on()  # a torn card settles its journal
        card.power_off()
        visits = [card.store.get(f"visit.{i}").decode("ascii", "replace") for i in range(6)]
        return sorted((v[3:16], v[17:21]) for v in visits if v[21:31].strip() == self.institution.code)


__all__ = ["Site"]
