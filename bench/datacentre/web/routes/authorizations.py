"""Authorizations of guardians (代理人), entered, listed and withdrawn by an officer; wards and guardians do it by phone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import need_ok
from bench.datacentre.web.routes.people import CardNo, IdNo
from bench.datacentre.web.service import ActKey, Service, iso, refusals
from virtual_devices.authorization import Purpose, Relation, Scope
from virtual_devices.clock import from_datetime
from virtual_devices.cloud.guardians import Grant, Ground, Wish
from virtual_devices.cloud.identification import Given
from virtual_devices.cloud.journal import Answer
from virtual_devices.pki import Role

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="Id of an authorization, hexadecimal.")]
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2199, 1, 1, tzinfo=UTC))]
ScopeName = Annotated[str, Field(pattern=r"^(basic|medical|write|collect|log)$")]
STRICT = ConfigDict(extra="forbid")


class Wanted(BaseModel):
    """Who may do what for whom, from when to when. ``order``: the court's, by its number; ``id_no``: of the ward or parent who
    stands at the counter and grants it."""

    model_config = STRICT

    ward: CardNo
    guardian: CardNo
    relation: Relation
    ground: Ground
    scope: Annotated[set[ScopeName], Field(min_length=1)]
    purpose: Purpose = Purpose.CARE
    begins: Moment
    ends: Moment
    order: Annotated[str, Field(max_length=60)] = ""
    id_no: IdNo | None = None


class Granted(BaseModel):
    """The authorization's id."""

    authorization: str


class Whose(BaseModel):
    """Of a ward, or of a guardian."""

    model_config = STRICT

    ward: CardNo | None = None
    guardian: CardNo | None = None


class Named(BaseModel):
    """One authorization."""

    model_config = STRICT

    authorization: Id


class Standing(BaseModel):
    """An authorization in force, or that will be. Nobody is named: whoever asks knows who they asked about."""

    authorization: str
    relation: str
    ground: str
    scope: list[str]
    purpose: str
    granted: str
    begins: str
    ends: str


class Standings(BaseModel):
    """As they were granted."""

    authorizations: list[Standing]


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/authorizations", tags=["authorizations"])
    officer, guardians = service.allow(Role.OFFICER), service.centre.guardians

    @routes.post("", status_code=201, responses=refusals(404, 409, 422))
    def grant(wanted: Wanted, key: ActKey, caller: Caller = officer) -> Granted:
        """Grant one: by a court's order, or by the ward or parent who stands at the counter."""
        wish = Wish(
            wanted.ward, wanted.guardian, wanted.relation, wanted.ground, frozenset(Scope[one.upper()] for one in wanted.scope),
            wanted.purpose, from_datetime(wanted.begins), from_datetime(wanted.ends),
            Given(id_no=wanted.id_no or "", officer=caller.name), wanted.order,
        )
        answer = service.act(caller, "grant", wanted.ward, lambda: guardians.grant(service.counter(caller, key), wish))
        need_ok(answer.code, answer.text)
        return Granted(authorization=answer.authorization.hex())

    @routes.post("/list", responses=refusals(422))
    def listed(whose: Whose, caller: Caller = officer) -> Standings:
        """What is in force or will be, of a ward or of a guardian; of everybody when neither is named."""
        now_ns, ward, guardian = service.clock.now_ns(), whose.ward or "", whose.guardian or ""
        found = service.act(
            caller, "authorizations", ward or guardian, lambda: guardians.listed(now_ns, ward=ward, guardian=guardian),
        )
        return Standings(authorizations=[_told(one) for one in found])

    @routes.post("/withdraw", responses=refusals(404, 409, 422))
    def withdraw(named: Named, key: ActKey, caller: Caller = officer) -> Granted:
        """Withdraw one: online at once, and in the status list."""
        cti = bytes.fromhex(named.authorization)

        def about(_: Answer) -> list[str]:
            known = guardians.grants.get(cti)
            return [] if known is None else [known.ward]

        answer = service.act(caller, "withdraw", about, lambda: guardians.withdraw(service.counter(caller, key), cti))
        need_ok(answer.code, answer.text)
        return Granted(authorization=named.authorization)

    return routes


def _told(one: Grant) -> Standing:
    return Standing(
        authorization=one.cti.hex(), relation=one.relation.value, ground=one.ground.value,
        scope=sorted(scope.name.lower() for scope in one.scope), purpose=one.purpose.value, granted=iso(one.granted_ns),
        begins=iso(one.begins_ns), ends=iso(one.ends_ns),
    )


__all__ = ["router"]
