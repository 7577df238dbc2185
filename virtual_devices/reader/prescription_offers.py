"""Where a pharmacy has prescriptions from: the holder's device, their physical card, a code, the data centre. Each way ends in
the same: what stands of each prescription, reckoned from the signed records that this desk believes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtual_devices import vhc
from virtual_devices.card.areas import BY_NAME
from virtual_devices.flow import Flow
from virtual_devices.prescription.acts import ROOT, read_act
from virtual_devices.prescription.codes import CODES, Why
from virtual_devices.prescription.document import Entry, MalformedPrescription, read_cancellation, read_prescription
from virtual_devices.prescription.reckoning import Kept, Reckoning, reckon
from virtual_devices.prescription.signing import Chains, Filed, by_leaf
from virtual_devices.qr import prescription as qr
from virtual_devices.qr.text import PRESCRIPTION, unpack
from virtual_devices.reader.authenticate import sam_of, verify_pin
from virtual_devices.reader.calls import call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.prescribing import read_entries
from virtual_devices.reader.prescription_desk import OK, Drawer
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Ended, Handle, read_area
from virtual_devices.reader.visit import open_card
from virtual_devices.reader.wallet_visit import read_prescriptions_wallet
from virtual_devices.records import RECORDS, UnpackError
from virtual_devices.write_back import Kind

STEP = "find prescriptions"


@dataclass(frozen=True, slots=True)
class Offer:
    """One prescription before a pharmacist. ``records``: the signed records known of it; ``online``: as the data centre has it
    now, else as far as this desk knows."""

    root: bytes
    records: tuple[Filed, ...]
    standing: Reckoning
    online: bool

    @property
    def documents(self) -> tuple[Filed, ...]:
        """What others need to believe a dispensing."""
        return tuple(kept.filed for kept in self.standing.chain)


@dataclass(frozen=True, slots=True)
class OnCard:
    """What a first-generation card shows: the layout's entries, signed by nobody, each with its visit. ``offers``: the signed
    prescriptions of its holder, from the data centre; None when there was no line."""

    card_no: str
    entries: tuple[tuple[str, Entry], ...]
    offers: list[Offer] | None


def from_wallet(desk: Desk, drawer: Drawer, counter: Counter, hpc: Handle) -> Flow[tuple[str, list[Offer]]]:
    """Straight from the phone or the second-generation card (RXS-02): the card number, and its prescriptions. Raises Ended."""
    person, raws, shown = yield from read_prescriptions_wallet(desk, counter, hpc)
    value = shown.value(vhc.RECORDS, "certificates")
    chains = by_leaf([list(chain) for chain in value.values()]) if isinstance(value, Mapping) else {}
    return person.card_no, offers(desk, drawer, raws, chains, online=False)


def from_card(desk: Desk, drawer: Drawer, hpc: Handle) -> Flow[OnCard]:
    """From a first-generation card: what it shows, and the signed documents from the data centre. Raises Ended."""
    _, card, public = yield from open_card(desk, hpc)
    yield from verify_pin(card, "holder")
    area, size = BY_NAME["outpatient_rx"], RECORDS["outpatient_rx"].length
    raw = yield from read_area(card, area.sfi, "prescriptions", STEP, area.count, area.record_bytes)
    try:
        entries = read_entries(raw[at : at + size] for at in range(0, len(raw) // size * size, size))
    except (UnpackError, ValueError):
        raise Ended("the card's prescriptions are not as they should be", "5025", "card") from None
    return OnCard(public.card_no, tuple(entries), (yield from from_centre(desk, drawer, card_no=public.card_no)))


def from_code(desk: Desk, drawer: Drawer, text: str, device: bytes, authorities: Sequence[bytes]) -> Offer:
    """From a prescription's code. ``device``: SHA-256 of the key that its holder has proved; ``authorities``: certificates of
    those who issue to professionals and institutions. Raises Ended with the checker's code."""
    verdict = qr.Checker(desk.root, authorities, drawer.work, revoked=desk.revoked).check(text, device, desk.clock.now_ns())
    if not verdict.believed:
        raise Ended(f"the prescription's code: {verdict.reason.value}", str(verdict.code), "wallet")
    signed = qr.read(text)[1]
    chains = by_leaf([[*signature.chain, *authorities] for signature in signed.signatures])
    [offer] = offers(desk, drawer, [unpack(PRESCRIPTION, text)], chains, online=False)
    return offer


def from_centre(desk: Desk, drawer: Drawer, **what: Any) -> Flow[list[Offer] | None]:
    """By ``card_no``, ``number`` or ``id``, or without any what this institution prescribed or dispensed. None: no line."""
    return (yield from ask_centre(desk, drawer, "rx-find", what))


def ask_centre(desk: Desk, drawer: Drawer, operation: str, arguments: Mapping[str, Any]) -> Flow[list[Offer] | None]:
    """The prescriptions in an answer of the data centre, believed by their signers. Raises Ended for a refusal."""
    sam = yield from sam_of(desk)
    answer = yield from call(desk, sam, operation, desk.fresh(16), arguments, STEP)
    if answer is None:
        return None
    if answer.code != OK:
        raise Ended(f"the data centre refuses: {answer.body.get('why', answer.code)}", answer.code, "cloud")
    told = _listed(answer.body.get("prescriptions"))
    raws = [raw for one in told if isinstance(one, Mapping) for raw in _listed(one.get("records"))]
    return offers(desk, drawer, raws, by_leaf(_listed(answer.body.get("chains"))), online=True)


def _listed(value: object) -> Sequence[Any]:
    """What is no list has nothing in it."""
    return value if isinstance(value, (list, tuple)) else ()


def refresh(desk: Desk, drawer: Drawer, offer: Offer) -> Flow[Offer]:
    """As the data centre has it now; without a line, or when the data centre does not have it, by all that is known here, this
    institution's own dispensings among it."""
    found = yield from from_centre(desk, drawer, id=offer.root)
    now = next((one for one in found or () if one.root == offer.root), None)
    return now or _reckoned(desk, drawer, offer.root, online=False) or offer


def offers(desk: Desk, drawer: Drawer, raws: Iterable[object], chains: Chains, *, online: bool) -> list[Offer]:
    """What stands of each prescription in these records and in what this institution knows itself. Records that are not believed,
    or are not of a prescription, are left out; one without its first document is none."""
    believed = [
        filed for raw in raws if isinstance(raw, bytes)
        and isinstance(filed := drawer.believe(desk, raw, chains), Filed) and _readable(filed)
    ]
    found = []
    for root, records in _by_root(believed).items():
        drawer.keep(root, records)
        one = _reckoned(desk, drawer, root, online=online)
        if one is not None:
            found.append(one)
    return found


def _reckoned(desk: Desk, drawer: Drawer, root: bytes, *, online: bool) -> Offer | None:
    """What stands of a prescription by all that is known of it here; None without its first document."""
    records = drawer.keep(root, ())
    kept = [Kept(filed, desk.clock.now_ns(), number) for number, filed in enumerate(_in_order(records))]
    standing = reckon(kept, drawer.policy.rules)
    return Offer(root, tuple(records), standing, online) if standing.chain else None


def _readable(filed: Filed) -> bool:
    kind = filed.record.kind
    try:
        if kind is Kind.CANCEL:
            read_cancellation(filed.record)
        elif kind in (Kind.PRESCRIPTION, Kind.AMEND):
            read_prescription(filed.record)
        else:
            read_act(filed.record)
    except MalformedPrescription:
        return False
    return True


def _by_root(records: list[Filed]) -> dict[bytes, list[Filed]]:
    """By the first document. What amends or cancels something that is not here is left out."""
    root_of: dict[bytes, bytes] = {}
    found: dict[bytes, list[Filed]] = {}
    for _ in range(2):  # an amendment may stand before what it amends
        for filed in records:
            record = filed.record
            root = record.id if record.kind is Kind.PRESCRIPTION else \
                root_of.get(record.amends or b"") if record.amends else record.fields.get(ROOT)
            if root is not None and record.id not in root_of:
                root_of[record.id] = root
    for filed in records:
        if filed.record.id in root_of:
            found.setdefault(root_of[filed.record.id], []).append(filed)
    return found


def _in_order(records: list[Filed]) -> list[Filed]:
    """As they are dated: how they came here says nothing."""
    return sorted(records, key=lambda filed: (filed.record.at_ns, filed.record.kind is not Kind.PRESCRIPTION))


def refused(why: Why) -> Ended:
    """What a desk itself has against it."""
    return Ended(why.value, str(CODES[why]), "his")


__all__ = [
    "Offer", "OnCard", "ask_centre", "from_card", "from_centre", "from_code", "from_wallet", "offers", "refresh", "refused",
]
