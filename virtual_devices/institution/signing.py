"""Signatures that a record carries: over the visit (安全簽章), and over each order (處方簽章).

With a physical card the desk's SAM makes them, while the card that has proved itself is that of the visit. With a virtual card no
card ever proves itself to a SAM: the data centre makes them, as it does for control software 6.0 (public: its answers to the
calls SequelNumber/Next and Prescription/Write carry them). Abnormal records carry none.
"""

from __future__ import annotations

from dataclasses import replace

from virtual_devices.apdu import Command
from virtual_devices.clock import roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.calls import call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, Handle, need_ok, transmit
from virtual_devices.reader.visit import sign_prescriptions
from virtual_devices.records import RECORDS
from virtual_devices.sam.sam import VISIT_STATEMENT
from virtual_devices.uploads.facts import VisitFacts
from virtual_devices.uploads.making import order_line_10

STEP = "sign visit"


def sign_with_sam(desk: Desk, told: VisitFacts) -> Flow[VisitFacts]:
    """At the desk where the patient's card has just been. Raises Ended (5008) when the SAM knows another card."""
    sam = yield from sam_of(desk)
    signed = yield from transmit(sam, Command(0, 0x2A, 0x9E, 0x9A, visit_statement(told), le=64), STEP)
    signature = need_ok(signed, "sam", "statement of the visit", code="5008").hex()
    orders = yield from sign_prescriptions(desk, sam, [order_entry(told, index) for index in range(len(told.orders))])
    return _with(told, desk.sam_id, signature, orders)


def sign_at_centre(desk: Desk, sam: Handle, told: VisitFacts) -> Flow[VisitFacts | None]:
    """By the data centre, for a virtual card. None when the line failed. Raises Ended."""
    arguments = {
        "card_no": told.card_no, "visited_at": roc_datetime13(told.visited_ns), "sequence": told.sequence_text,
        "entries": [order_entry(told, index) for index in range(len(told.orders))],
    }
    answer = yield from call(desk, sam, "sign-visit", desk.fresh(16), arguments, STEP)
    if answer is None:
        return None
    if answer.code != "0":
        raise Ended("the data centre does not sign a visit", answer.code, "cloud")
    signature, orders = answer.body.get("signature"), answer.body.get("entries")
    if not (isinstance(signature, str) and isinstance(orders, list) and all(isinstance(one, str) for one in orders)):
        raise Ended("the data centre's signature of a visit is none", "9015", "cloud")
    return _with(told, desk.sam_id, signature, orders)


def missing(told: VisitFacts) -> bool:
    """Whether a record of it cannot be made for want of a signature."""
    return not told.abnormal and not (told.signature and all(order.signature for order in told.orders))


def _with(told: VisitFacts, sam_id: str, signature: str, orders: list[str]) -> VisitFacts:
    """Those that are there stay."""
    signed = tuple(
        order if order.signature else replace(order, signature=name) for order, name in zip(told.orders, orders, strict=False)
    )
    if told.signature:
        return replace(told, orders=signed)
    return replace(told, orders=signed, signature=signature, sam_id=sam_id)


def visit_statement(told: VisitFacts) -> bytes:
    """What is signed of a visit: card, moment, sequence number, institution."""
    card_no, sequence = told.card_no.ljust(12)[:12], told.sequence_text.ljust(4)
    return VISIT_STATEMENT + (card_no + roc_datetime13(told.visited_ns) + sequence + told.institution).encode("ascii")


def order_entry(told: VisitFacts, index: int) -> bytes:
    """An order as the card's entry of 61 bytes (門診處方箋), which is what its signature is over."""
    line = order_line_10(told, told.orders[index])
    values = {name: line[field] for name, field in _ENTRY.items()}
    whole, _, tenth = values["total_quantity"].partition(".")
    values |= {"days": values["days"].rjust(2, "0"), "total_quantity": f"{int(whole or 0):05d}.{tenth[:1] or 0}"}
    return RECORDS["outpatient_rx"].pack(values)


_ENTRY = {
    "visit_datetime": "order_visited_at", "order_type": "order_type", "item_code": "item", "body_site": "site", "usage": "usage",
    "days": "days", "total_quantity": "quantity", "delivery_mark": "order_mode",
}

__all__ = ["missing", "order_entry", "sign_at_centre", "sign_with_sam", "visit_statement"]
