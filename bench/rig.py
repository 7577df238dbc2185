"""The rig: which device stands behind each role, from monikers.

For the card: ``virtual`` (the default), ``auto``, ``pcsc:NAME``. A real slot is one for the whole clinic. Where our own
presenter stands behind the reader, each patient's own card is put in over its control channel; a foreign card is nobody's
here: it is read once a visit as a latency probe, masked, and the visit runs on the reference card. For the data centre there is
``virtual`` alone: virtual time and a service's own clock do not go together. :mod:`bench.seat` has
what happens when one comes or goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.seat import Met, PcscSeat, somebody
from scenarios.world import CardSeat, ModelledSeat, World
from virtual_devices.errors import UsageError
from virtual_devices.network import Contact


@dataclass(frozen=True, slots=True)
class Rig:
    """The monikers of a run. ``env`` is laid over the environment of drivers (a private pcscd's address)."""

    card: str = "virtual"
    env: Mapping[str, str] | None = None
    met: Met = field(default_factory=Met, repr=False, compare=False)
    cloud: str = "virtual"

    def __post_init__(self) -> None:
        if self.card not in ("virtual", "auto") and not self.card.startswith("pcsc:"):
            hint = "'vhc-bench devices' lists the names"
            raise UsageError(f"--card {self.card!r}: give 'virtual', 'auto', or 'pcsc:NAME' ({hint})")

        if self.cloud != "virtual":
            raise UsageError(
                f"--cloud {self.cloud!r}: a scenario has its own data centre ('virtual'). Its day passes in seconds, and a "
                "served one believes no request a quarter of an hour off its clock; its cards are of its own authority; its "
                "laws look into the books. A served one is for your own software: "
                "docs/how-to/point-your-software-at-the-data-centre.md"
            )

    @property
    def may_be_real(self) -> bool:
        return self.card != "virtual"

    def check(self) -> None:
        """Whether a named device is there, and somebody in it, before a run begins. Raises LinkError with what was found."""
        if self.card.startswith("pcsc:"):
            real = somebody(self.card.removeprefix("pcsc:"), self.env)
            real.link.close()
            self.met.reader, self.met.ours = real.link.reader, real.behind is not None

    def table(self) -> dict[str, str]:
        """Role -> moniker, for the manifest."""
        return {"card": self.card, "sam": "virtual", "hpc": "virtual", "cloud": self.cloud, "wallet": "virtual"}

    def seat(self, world: World, contact: Contact) -> CardSeat:
        """Where this run's cards are put."""
        virtual = ModelledSeat(contact, world)
        return virtual if self.card == "virtual" else PcscSeat(self.card, self.env, self.met, world, virtual)
