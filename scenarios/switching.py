"""How a desk begins its day."""

from __future__ import annotations

from scenarios.world import Workplace
from virtual_devices.flow import Flow
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.calls import get_reader_certificates, get_status_lists, verify_sam
from virtual_devices.reader.transmit import Handle


def switch_on(place: Workplace) -> Flow[None]:
    """The SAM proves itself to the data centre, the professional inserts their card, certificates and lists are fetched."""
    sam = yield from open_sam(place.desk)
    yield from verify_sam(place.desk, sam)
    if place.hpc is not None:
        yield from insert_hpc(place.desk, sam)
        place.hpc_handle = Handle("hpc", True, False, place.hpc.atr)
    if place.desk.institution.lists is None:
        yield from get_status_lists(place.desk, sam)
    yield from get_reader_certificates(place.desk, sam)


__all__ = ["switch_on"]
