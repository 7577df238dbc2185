"""The way of each prescription, as rows: signed, put on the phone, stored, read, doubted, dispensed, told."""

from __future__ import annotations

from scenarios.world import World
from virtual_devices.prescription.acts import ROOT
from virtual_devices.reader.prescription_desk import Waiting
from virtual_devices.trace import PrescriptionRow
from virtual_devices.write_back import Record


class Trail:
    """Of all prescriptions in one replication."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._root_of: dict[bytes, bytes] = {}  # of amendments and cancellations
        self._settled: set[bytes] = set()

    def note(
        self, rx: bytes, event: str, place: str, person: str, *, visit: str = "", online: bool = True, code: str = "0",
    ) -> None:
        """Something happened to a prescription, by the id of one of its documents."""
        root = self.root(rx)
        self._world.record(
            PrescriptionRow(
                self._world.replication, root.hex()[:12], event, self._world.clock.now_ns(), place, person, visit, online, code,
            )
        )

    def follows(self, document: bytes, other: bytes) -> None:
        """A document that takes another's place belongs to the same prescription."""
        self._root_of[document] = self.root(other)

    def root(self, document: bytes) -> bytes:
        return self._root_of.get(document, document)

    def settled(self, one: Waiting, place: str) -> None:
        """A record that waited has reached the data centre, which took it or refused it; told once."""
        record = one.filed.record
        if record.id in self._settled:
            return
        self._settled.add(record.id)
        event = {"rx-store": "stored", "rx-tell": "told"}.get(one.operation, one.operation)
        self.note(about(record), event, place, "desk", code=one.code)
        for found in one.found:
            self.note(about(record), "found", "data centre", "data centre", code=found)


def about(record: Record) -> bytes:
    """The document that a record is, or is about."""
    root = record.fields.get(ROOT)
    return root if isinstance(root, bytes) else record.amends or record.id


__all__ = ["Trail", "about"]
