"""Visits: begun, rolled back, late. An institution sees and changes its own only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem, need_ok
from bench.datacentre.web.routes.people import CardNo
from bench.datacentre.web.service import ActKey, Service, iso, refusals, request_id
from virtual_devices.cloud.core import Visit
from virtual_devices.pki import Role

Identifier = Annotated[str, Path(pattern=r"^[0-9]{20}$", description="Visit identifier (就醫識別碼), 20 digits.")]


class NewVisit(BaseModel):
    """A visit that begins. ``virtual``: with a virtual card, whose sequence number is given here."""

    model_config = ConfigDict(extra="forbid")

    card_no: CardNo
    visit_type: Annotated[str, Field(pattern=r"^[0-9A-Z]{2}$", description="Visit type (就醫類別).", examples=["01"])]
    virtual: bool = False


class Begun(BaseModel):
    """A visit as the data centre knows it. Times in ISO 8601, Taiwan; ``stored`` is empty until its record is there."""

    identifier: str
    sequence: str
    same_day: bool
    begun: str
    due: str
    stored: str
    rolled_back: bool


class LateVisit(BaseModel):
    """A visit whose record came after its time, or is missing. ``identifier`` is empty for one begun offline; ``failed``: check
    codes by which a record failed that came and did not count."""

    identifier: str
    institution: str
    failed: str
    due: str
    stored: str


class LateVisits(BaseModel):
    """Late and missing ones, the earliest due first."""

    late: list[LateVisit]


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/visits", tags=["visits"])
    institution = service.allow(Role.INSTITUTION)
    centre, core = service.centre, service.centre.core

    @routes.post("", status_code=201, responses=refusals(404, 409, 422))
    def begin(new: NewVisit, key: ActKey, caller: Caller = institution) -> Begun:
        """Begin a visit: eligibility, identifier, and a virtual card's sequence number (SequelNumber/Next)."""
        now_ns = service.clock.now_ns()
        code, visit = service.act(caller, "begin-visit", new.card_no, lambda: core.begin_visit(
            request_id(caller, key), new.card_no, caller.institution, new.visit_type, now_ns, virtual=new.virtual,
        ))
        need_ok(code)
        assert visit is not None
        return _told(visit)

    @routes.get("/late", responses=refusals())
    def late(caller: Caller = service.allow(Role.INSTITUTION, Role.OFFICER)) -> LateVisits:
        """Every visit whose record is late or missing now: an institution's own; an officer is told of all."""
        now_ns = service.clock.now_ns()
        uploads = centre.uploads

        def look() -> list[LateVisit]:
            mine = [one for one in core.late(now_ns) if caller.institution in ("", one.institution)]
            return [
                LateVisit(
                    identifier=one.identifier, institution=one.institution, due=iso(one.due_ns), stored=iso(one.stored_ns),
                    failed=uploads.failed(one.identifier, one.institution) if one.stored_ns < 0 else "",
                )
                for one in sorted(mine, key=lambda one: (one.due_ns, one.identifier))
            ]

        return LateVisits(late=service.act(caller, "late", "", look))

    @routes.get("/{identifier}", responses=refusals(404))
    def visit(identifier: Identifier, caller: Caller = institution) -> Begun:
        """One visit of this institution."""
        found = _own(identifier, caller)
        service.act(caller, "visit", found.card_no, lambda: None)
        return _told(found)

    @routes.post("/{identifier}/roll-back", responses=refusals(404, 422))
    def roll_back(identifier: Identifier, caller: Caller = institution) -> Begun:
        """退掛 within 24 hours (SequelNumber/Rollback)."""
        own, now_ns = _own(identifier, caller), service.clock.now_ns()
        need_ok(service.act(caller, "roll-back", own.card_no, lambda: core.roll_back(identifier, caller.institution, now_ns)))
        return _told(_own(identifier, caller))

    def _own(identifier: str, caller: Caller) -> Visit:
        found = centre.act(lambda: core.visits.get(identifier))
        if found is None or found.institution != caller.institution:  # another's visit is not told from none
            raise Problem(404, "5150", detail="this institution has no visit of this identifier")
        return found

    return routes


def _told(visit: Visit) -> Begun:
    return Begun(
        identifier=visit.identifier, sequence=visit.sequence, same_day=visit.same_day, begun=iso(visit.begun_ns),
        due=iso(visit.due_ns), stored=iso(visit.stored_ns), rolled_back=visit.rolled_back,
    )


__all__ = ["router"]
