"""What an institution sends: each visit's record as soon as the visit ends, each prescription's record as soon as it is signed;
while the line is down, again from time to time, until everybody has left and nothing waits."""

from __future__ import annotations

from collections.abc import Callable

import simpy

from scenarios.runner import Steps
from scenarios.site import Site
from scenarios.trail import Trail
from scenarios.world import Workplace
from virtual_devices.clock import seconds
from virtual_devices.flow import Flow
from virtual_devices.institution.uploads import correct, drain
from virtual_devices.reader import prescription_desk
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.desk import Pending
from virtual_devices.reader.prescription_desk import Drawer
from virtual_devices.reader.transmit import Ended
from virtual_devices.trace import UploadRow
from virtual_devices.uploads.facts import VisitFacts


class Outbox:
    """Of one institution, sent from its ``office``; without one nothing is sent. ``over``: whether nothing more will come;
    ``drawer``: its prescriptions; ``mend``: what a person makes of a record that a check refused, and after how long."""

    def __init__(
        self, site: Site, office: Workplace | None, retry_s: float, over: Callable[[], bool], drawer: Drawer | None = None,
        trail: Trail | None = None, mend: Callable[[Pending], tuple[VisitFacts, int] | None] = lambda _: None,
    ) -> None:
        self.world, self.site, self.office = site.world, site, office
        self.drawer, self._trail = drawer, trail
        self._retry_s, self._over = retry_s, over
        self._something: simpy.Event = self.world.env.event()
        self._mend = mend
        self._mending: list[Pending] = []
        self._again_ns = 0  # when what waits for another institution's record is sent again
        self._settled: set[bytes] = set()  # batches of the uploads whose rows are written

    def wake(self) -> None:
        """There is something to send, or somebody has left."""
        if not self._something.triggered:
            self._something.succeed()

    @property
    def empty(self) -> bool:
        """Nothing waits to be sent, and nobody has anything to mend."""
        return not self._unsent and not self._mending

    @property
    def _unsent(self) -> bool:
        institution = self.site.institution
        return bool(institution.queue or institution.waiting or (self.drawer is not None and self.drawer.waiting))

    def to_the_end(self) -> Steps[None]:
        """Until it is over and nothing waits, or the horizon is reached."""
        world = self.world
        while True:
            if self.office is not None:
                yield from self._sent(self.office)
                self.tell(self.office)
            if self._over() and (self.empty or world.clock.now_ns() >= world.horizon_ns):
                break
            self._something = world.env.event()
            yield self._something
        self._settle()
        for pending in [*self.site.institution.queue, *self.site.institution.waiting, *self._mending]:
            world.record(self._upload_row(pending))

    def _sent(self, office: Workplace) -> Steps[None]:
        """Everything that waits, while the line is there; in between, the line is left alone."""
        world, institution = self.world, self.site.institution
        while self._unsent and world.clock.now_ns() < world.horizon_ns:
            again = bool(institution.waiting) and world.clock.now_ns() >= self._again_ns
            if institution.queue or again:
                yield from self._uploads(office, again)
            if self.drawer is not None and self.drawer.waiting:
                yield from self._prescriptions(self.drawer, office)
            if institution.queue or (self.drawer is not None and self.drawer.waiting):
                yield world.env.timeout(seconds(self._retry_s))
            elif institution.waiting:  # the line is there: what else comes need not wait for it
                self._something = world.env.event()
                yield world.env.timeout(max(0, self._again_ns - world.clock.now_ns())) | self._something

    def _uploads(self, office: Workplace, again: bool) -> Steps[None]:
        world, institution = self.world, self.site.institution
        queue, waited = institution.queue, bool(institution.waiting)
        try:
            yield from world.perform(
                _drain(office, again), "upload", office, ended=lambda _: "settled-later" if queue else "retried"
            )
        except Ended as e:
            if not e.torn:
                institution.refused.append(queue.popleft())
        if again or not waited:
            self._again_ns = world.clock.now_ns() + seconds(self._retry_s)
        for pending in [one for one in institution.refused if one.findings and one not in self._mending]:
            mended = self._mend(pending)
            if mended is not None:
                self._mending.append(pending)
                world.env.process(self._corrected(office, pending, *mended))
        self._settle()

    def _corrected(self, office: Workplace, pending: Pending, told: VisitFacts, after_ns: int) -> Steps[None]:
        """Somebody has looked at the check report, and sends the record again."""
        yield self.world.env.timeout(after_ns)
        self._mending.remove(pending)
        correct(office.desk, pending, told, self.world.clock.now_ns())
        self.wake()

    def _prescriptions(self, drawer: Drawer, office: Workplace) -> Steps[None]:
        try:
            yield from self.world.perform(
                prescription_desk.drain(office.desk, drawer), "send prescriptions", office,
                ended=lambda _: "settled-later" if drawer.waiting else "retried",
            )
        except Ended:  # the SAM fell silent: the next time
            pass

    def tell(self, office: Workplace) -> None:
        """Rows of the prescription records that are settled by now."""
        if self.drawer is None or self._trail is None:
            return
        for one in [*self.drawer.done, *self.drawer.refused]:
            self._trail.settled(one, office.desk.name)

    def _settle(self) -> None:
        """Write the rows of the uploads that are settled by now, in the order of their queue: a run may be broken off."""
        institution = self.site.institution
        settled = [
            p for p in [*institution.done, *institution.refused] if p.batch not in self._settled and p not in self._mending
        ]
        for pending in sorted(settled, key=lambda p: p.queued_ns):
            self.world.record(self._upload_row(pending))
        self._settled |= {p.batch for p in settled}

    def _upload_row(self, pending: Pending) -> UploadRow:
        return UploadRow(
            self.world.replication, pending.visit, pending.batch.hex(), pending.ended_ns, pending.due_ns,
            pending.first_try_ns, pending.stored_ns, pending.tries, "stored" if pending.stored_ns >= 0 else "missing",
            pending.waited,
        )


def _drain(place: Workplace, again: bool) -> Flow[int]:
    sam = yield from sam_of(place.desk)
    return (yield from drain(place.desk, sam, again=again))


__all__ = ["Outbox"]
