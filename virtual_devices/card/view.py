"""One record of an area as a reader sees it, from its cells: on the chip, and in the data centre's copy of a card."""

from __future__ import annotations

from virtual_devices.card.areas import Area
from virtual_devices.store import Store


def record(store: Store, area: Area, index: int, *, pharmacist: bool = False) -> bytes:
    """Record ``index`` (from 0); blank where nothing was written. A pharmacist sees orders of drugs only."""
    match area.name:
        case "basic":
            return public_spaced(store) + store["insurance"][:1] + store["emergency_tel.0"]
        case "register":
            return public_spaced(store) + store["insurance"]
        case "register2":
            return store["insurance"][4:13]
        case "critical_illness_period":
            return store.get(f"critical_illness.{index}").ljust(23)[9:23]
        case "outpatient_rx" if pharmacist:
            found = store.get(area.cell(index))
            return found if found[13:14] in b"12AB" and found else b" " * area.record_bytes
        case _:
            return store.get(area.cell(index)) or b" " * area.record_bytes


def public_spaced(store: Store) -> bytes:
    """The public data, the name filled with spaces on every kind of card."""
    public = store["public"]
    return public[:12] + public[12:32].rstrip(b"\0 ").ljust(20) + public[32:]


__all__ = ["record"]
