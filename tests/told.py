"""What the clinic of the tests' desk tells of a visit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from virtual_devices.clock import NS
from virtual_devices.uploads.document import Encoding
from virtual_devices.uploads.facts import Fees, Order, OrderKind, VisitFacts
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.xml_writer import write

from .desk import CARD_NO, DOCTOR_ID, HOLDER, INSTITUTION, NOW_NS, SAM_ID


def a_visit(number: int = 0, orders: int = 1, **more: Any) -> VisitFacts:
    """An ordinary visit, so many seconds before the tests' now, with signatures."""
    drug = Order(OrderKind.DRUG, "AC00000000", Decimal(9), prescription_class="A", usage="TID", days=3, route="PO")
    drugs = tuple(replace(drug, item=f"AC{one:08d}", signature="7" * 40) for one in range(orders))
    facts: dict[str, Any] = {
        "sam_id": SAM_ID, "card_no": CARD_NO, "sequence": f"{number + 1:04d}", "signature": "5" * 128, "diagnoses": ("J069",),
        "fees": Fees(outpatient=420, outpatient_copay=50), "benefit_type": "4", "service_class": "11",
        "dispensing_mode": "0" if orders else "2", "days_supplied": 3 if orders else 0, "orders": drugs, **more,
    }
    who = {"national_id": HOLDER.id_no, "birth_date": HOLDER.birth_date, "visit_type": "01", "visited_ns": NOW_NS - number * NS}
    return VisitFacts(**{"institution": INSTITUTION, "professional_id": DOCTOR_ID, **who, **facts})


def a_file(*visits: VisitFacts, version: Version = Version.V10) -> bytes:
    """An upload file of them; of format 1.0, which wants no identifier."""
    return write([make(visit, version) for visit in visits], Encoding.BIG5)
