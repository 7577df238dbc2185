"""Emergency accesses (緊急醫療): what nobody has accounted for, and the holder's view. They are opened and accounted for by
signed messages of a desk (``/v1/messages/desk``)."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from bench.datacentre.web.identity import Caller
from bench.datacentre.web.routes.people import CardQuestion
from bench.datacentre.web.service import Service, iso, refusals
from virtual_devices.cloud.emergency import Access
from virtual_devices.pki import Role


class Opened(BaseModel):
    """One access. ``accounted`` is empty until the institution has said what justified it (``said``)."""

    access: str
    institution: str
    professional: str
    reason: str
    opened: str
    due: str
    accounted: str
    said: str


class Accesses(BaseModel):
    """The oldest first."""

    accesses: list[Opened]


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/emergencies", tags=["emergencies"])
    emergencies = service.centre.desks.emergencies

    @routes.get("/unaccounted", responses=refusals())
    def unaccounted(caller: Caller = service.allow(Role.INSTITUTION, Role.OFFICER)) -> Accesses:
        """What should have been accounted for by now: an institution's own; an officer is told of all."""
        now_ns = service.clock.now_ns()
        found = service.act(caller, "unaccounted", "", lambda: emergencies.unaccounted(now_ns, caller.institution))
        return Accesses(accesses=[_told(one) for one in found])

    @routes.post("/of", responses=refusals())
    def of(question: CardQuestion, caller: Caller = service.allow(Role.OFFICER)) -> Accesses:
        """The holder's view: every access to what is theirs."""
        found = service.act(caller, "emergencies", question.card_no, lambda: emergencies.of(question.card_no))
        return Accesses(accesses=[_told(one) for one in sorted(found, key=lambda one: (one.opened_ns, one.id))])

    return routes


def _told(one: Access) -> Opened:
    return Opened(
        access=one.id.hex(), institution=one.institution, professional=one.professional, reason=one.reason.value,
        opened=iso(one.opened_ns), due=iso(one.due_ns), accounted=iso(one.accounted_ns), said=one.said,
    )


__all__ = ["router"]
