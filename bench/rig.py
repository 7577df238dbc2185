"""The rig: which device stands behind each role, from monikers (:mod:`bench.monikers`), or names of a laboratory file.

For the card: a real slot is one for the whole clinic. Where our own presenter stands behind the reader, each patient's own card
is put in over its control channel; a foreign card is nobody's here: it is read once a visit as a latency probe, masked, and the
visit runs on the reference card; so it is with every other real device (:mod:`bench.probe`). For the data centre there is
``virtual``, or a recorded one: virtual time and a service's own clock do not go together. :mod:`bench.seat` has what happens when
one comes or goes, :mod:`bench.replayed` how a run is played again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.attached_phone import AttachedPhone
from bench.drivers.replay import Recording
from bench.laboratory import Laboratory, resolved
from bench.libraries import require
from bench.monikers import JOINED, OWN_PHONES, ROLES, Kind, Moniker
from bench.presence import NFC, PCSC, Presence
from bench.probe import Probe, Probes, met
from bench.replayed import Replay
from bench.seat import Met, PcscSeat, somebody
from bench.taken import Taken
from scenarios.files import Scenario
from scenarios.world import Around, CardSeat, ModelledSeat, World
from virtual_devices.clock import TAIWAN, from_datetime
from virtual_devices.errors import UsageError
from virtual_devices.link import Link
from virtual_devices.network import Contact

if TYPE_CHECKING:
    from bench.own_phones import OwnPhones


@dataclass
class Rig:
    """The monikers of a run, and what follows from them. ``env`` is laid over the environment of drivers (a private pcscd's
    address). Raises UsageError for a moniker that is none, or none for its role; LinkError for a run that cannot be replayed."""

    card: str = "virtual"
    env: Mapping[str, str] | None = None
    met: Met = field(default_factory=Met, repr=False, compare=False)
    cloud: str = "virtual"
    wallet: str = "virtual"
    sam: str = "virtual"
    hpc: str = "virtual"
    laboratory: Laboratory | None = None
    monikers: dict[str, tuple[Moniker, ...]] = field(init=False, repr=False)
    says: dict[str, str] = field(init=False, repr=False)
    """Role -> make, model, firmware, where the laboratory file says them."""
    recordings: dict[str, Recording] = field(init=False, repr=False, compare=False)
    taken: Taken = field(init=False, repr=False, compare=False)
    presence: Presence | None = field(default=None, init=False, repr=False, compare=False)
    """Where a phone may lie, kept from one replication to the next; None where none is looked for."""

    def __post_init__(self) -> None:
        self.monikers, self.says = resolved(self.laboratory, {role: getattr(self, role) for role in ROLES})
        self.taken = Taken(self.monikers)
        replayed = {role: found[0] for role, found in self.monikers.items() if found[0].kind is Kind.REPLAY}
        self.recordings = {role: Recording(Path(moniker.where), role) for role, moniker in replayed.items()}
        if self.may_be_real and self.recordings:
            raise UsageError("a recorded role lives in the time that was recorded, a real device in today's: not both")

    @classmethod
    def of(cls, monikers: Mapping[str, str], laboratory: Laboratory | None = None) -> Rig:
        """``monikers``: role -> what was given for it."""
        card, wallet, sam, hpc, cloud = (monikers.get(role, "virtual") for role in ("card", "wallet", "sam", "hpc", "cloud"))
        return cls(card, cloud=cloud, wallet=wallet, sam=sam, hpc=hpc, laboratory=laboratory)

    @property
    def may_be_real(self) -> bool:
        return any(one.real for found in self.monikers.values() for one in found)

    @property
    def _card(self) -> Moniker:
        return self.monikers["card"][0]

    def check(self, scenario: Scenario | None = None) -> None:
        """Whether named devices are there and answer, and a record fits the scenario, before a run begins. Raises LinkError with
        what was found, UsageError for a record of another run."""
        if self._card.kind is Kind.PCSC:
            real = somebody(self._card.where, self.env)
            real.close()
            self.met.reader, self.met.ours = real.link.reader, real.behind is not None
        if self._own_phones:
            require("nfc")
        for found in self._probed().values():
            for one in found:
                met(one, self.env)
        for recording in self.recordings.values():
            if scenario is not None:
                _check_recorded(recording, scenario)

    def epoch_ns(self, moment: datetime) -> int:
        """When a replication begins: the scenario's moment; with a real device that time of today; with a record, its moment."""
        for recording in self.recordings.values():
            return int(recording.manifest["epoch_ns"])
        if self.may_be_real:
            today = datetime.now(TAIWAN)
            moment = moment.astimezone(TAIWAN).replace(year=today.year, month=today.month, day=today.day)
        return from_datetime(moment)

    def table(self) -> dict[str, str]:
        """Role -> moniker, for the manifest."""
        return {role: JOINED.join(map(str, self.monikers[role])) for role in ("card", "sam", "hpc", "cloud", "wallet")}

    def detail(self, role: str, reference: str) -> str:
        """What stands behind a role, for the manifest. ``reference``: what the bench's own device is called. No word of a foreign
        one's is kept."""
        first = self.monikers[role][0]
        if self.says.get(role) or first.kind is Kind.VIRTUAL:
            return self.says.get(role) or reference
        if first.kind is Kind.REPLAY:
            return "recorded answers"
        if first.kind is Kind.AUTO and role == "wallet":
            return f"whatever phone is attached: latency probe only; visits by {reference}"
        if first.kind is Kind.AUTO:
            return f"whatever is attached; {reference} meanwhile"
        if role == "wallet" and self._own_phones:
            return "patients' own phones, by our presenter"
        if role == "card" and self.met.ours:
            return "patients' own cards, by our presenter"
        return f"foreign device: latency probe only; visits by {reference}"

    def seat(self, world: World, contact: Contact) -> CardSeat:
        """Where this run's cards are put."""
        virtual = ModelledSeat(contact, world)
        if self._card.kind in (Kind.PCSC, Kind.AUTO):
            return PcscSeat(str(self._card), self.env, self.met, world, virtual, self.taken)
        recorded = self.recordings.get("card")
        virtual.shared = recorded is not None and recorded.manifest["rig"]["card"].startswith("pcsc:")
        return virtual

    def around(self, world: World) -> Around:
        """What is done round each session of a replication: roles out of a record, probes of foreign devices."""
        if self.recordings:
            return Replay(self.recordings, world)
        named = {role: Probe(role, found, self.env, world) for role, found in self._probed().items()}
        probes = Probes(named | self._attached(world))
        if not self._own_phones:
            return probes
        from bench.own_phones import OwnPhones  # it needs nfcpy, which a run of virtual devices does without

        return _Both(OwnPhones(world, self.env), probes)

    def close(self) -> None:
        """The run is over: nothing is watched any longer."""
        if self.presence is not None:
            self.presence.close()
            self.presence = None

    def _attached(self, world: World) -> dict[str, Probe]:
        """The phone that is looked for wherever one can lie."""
        if self.monikers["wallet"][0].kind is not Kind.AUTO:
            return {}
        if self.presence is None:
            self.presence = Presence(self.env, (PCSC, NFC))
        return {"wallet": AttachedPhone(self.presence, self.taken, self.env, world)}

    @property
    def _own_phones(self) -> bool:
        return self.monikers["wallet"] == (OWN_PHONES,)

    def _probed(self) -> dict[str, tuple[Moniker, ...]]:
        """The roles behind which a named device stands that is nobody's here."""
        return {role: found for role, found in self.monikers.items()
                if found[0].real and found[0].kind is not Kind.AUTO
                and not (role == "card" and found[0].kind is Kind.PCSC)
                and not (role == "wallet" and self._own_phones)}


class _Both:
    """Patients' own phones, and probes of the other roles' devices."""

    def __init__(self, phones: OwnPhones, probes: Probes) -> None:
        self._phones, self._probes = phones, probes

    def place(self, links: dict[str, Link]) -> dict[str, Link]:
        return self._phones.place(links)

    def links(self, links: dict[str, Link], desk: str, flow: str, visit: str) -> dict[str, Link]:
        return self._probes.links(links, desk, flow, visit)

    def close(self) -> None:
        self._probes.close()
        self._phones.close()


def _check_recorded(recording: Recording, scenario: Scenario) -> None:
    """The reader's challenges and keys follow from the seed and the situation: with others nothing would fit."""
    was, now = recording.manifest, {"situation": scenario.situation, "seed": scenario.run.seed}
    for name, value in now.items():
        if was.get(name) != value:
            raise UsageError(
                f"replay:{recording.directory} was recorded with {name} {was.get(name)!r}, and this run has {value!r}: its "
                "challenges and keys would be others, so no exchange could be the same"
            )
    if scenario.run.replications > was["replications"]:
        raise UsageError(
            f"replay:{recording.directory} has {was['replications']} of the {scenario.run.replications} replications: "
            f"give -n {was['replications']}"
        )
