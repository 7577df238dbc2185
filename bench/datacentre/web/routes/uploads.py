"""Uploads of visit records (健保卡資料上傳): a file in, the report of its checks out, once and whole."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from bench.datacentre.web.bodies import body_of, wants
from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem
from bench.datacentre.web.service import Service, iso, refusals
from virtual_devices.cloud.upload_office import Taken
from virtual_devices.codes import Space
from virtual_devices.pki import Role
from virtual_devices.uploads.document import Finding
from virtual_devices.uploads.results import RecordResult

XML = ("application/xml", "text/xml")
Sam = Annotated[str, Query(pattern=r"^[A-Za-z0-9]{12}$", description="The SAM with which the institution sends it.")]
Opcode = Annotated[str, Path(pattern=r"^[0-9]{20}[A-Za-z0-9]{22}$", description="Key of an upload, 42 characters.")]
Month = Annotated[str, Field(pattern=r"^([0-9]{5})?$", description="Month of the ROC calendar, YYYMM; empty for all.")]


class UploadKind(Enum):
    """What is asked for: ``formal`` counts (A1), ``pre-check`` only checks and tells later (A2), ``test`` only checks (ZZ)."""

    FORMAL = "formal"
    PRE_CHECK = "pre-check"
    TEST = "test"

    @property
    def field_code(self) -> str:
        return {"formal": "A1", "pre-check": "A2", "test": "ZZ"}[self.value]


class Found(BaseModel):
    """One thing that is wrong. ``record`` 0: the file itself; ``order`` 0: header and visit; ``field``: its id in the format."""

    code: str
    en: str
    zh: str
    stage: str
    effect: str
    record: int
    order: int
    field: str
    line: int
    detail: str


class RecordReport(BaseModel):
    """One record, in the order of the file. Accepted ones count."""

    number: int
    line: int
    orders: int
    accepted: bool
    findings: list[Found]


class Report(BaseModel):
    """What became of a file. ``again``: these very bytes had come before, and this is what was told then. ``returned``: the whole
    file is returned and nothing of it counts. A pre-check's ``results`` are there from ``available`` on."""

    opcode: str
    again: bool
    available: str
    until: str
    version: str
    bytes: int
    returned: bool
    valid_visits: int
    valid_orders: int
    invalid_visits: int
    error_codes: list[str]
    findings: list[Found]
    results: list[RecordReport]


class Claims(BaseModel):
    """A month, and the identifiers of the visits for which fees are claimed."""

    model_config = ConfigDict(extra="forbid")

    month: Month = ""
    claimed: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=100_000)] = []


class Figures(BaseModel):
    """An institution's figures beside the bars: in time, matched with claims, in error."""

    records: int
    timely: int
    timely_share: float
    timely_enough: bool
    matched: int
    matched_share: float
    matched_enough: bool
    failed: int
    error_share: float
    error_band: int


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/uploads", tags=["uploads"])
    institution = service.allow(Role.INSTITUTION)
    office, registers = service.centre.uploads, service.centre.registers

    @routes.post("", responses=refusals(415, 422), openapi_extra=wants(*XML))
    async def upload(request: Request, sam: Sam, kind: UploadKind = UploadKind.FORMAL, caller: Caller = institution) -> Report:
        """A file of format 1.0 or 2.0. Sent again, it is known by its bytes: nothing is stored twice."""
        raw = await body_of(request, *XML)

        def people(taken: Taken) -> list[str]:
            return [registers.card_of(one.national_id) for one in taken.result.records]

        def take() -> Taken:
            if registers.sam_institution(sam) != caller.institution:
                raise Problem(422, "5004", Space.UPLOAD, "this SAM was not issued to the institution that sends")
            return office.take(raw, caller.institution, sam, service.clock.now_ns(), kind.field_code)

        taken = await run_in_threadpool(service.act, caller, f"upload-{kind.value}", people, take)
        return told(taken, service.clock.now_ns())

    @routes.get("/{opcode}", responses=refusals(404, 409))
    def result(opcode: Opcode, caller: Caller = institution) -> Report:
        """The report of an upload of this institution, as long as it is kept."""
        now_ns = service.clock.now_ns()
        found = service.act(caller, "upload-result", "", lambda: office.find(opcode, caller.institution))
        if found is None or now_ns >= found.until_ns:
            raise Problem(404, "9999", Space.UPLOAD, "this institution has no upload of this Opcode, or its time is over")
        if now_ns < found.available_ns:
            raise Problem(409, "9999", Space.UPLOAD, f"the result of this pre-check is there from {iso(found.available_ns)} on")
        return told(found, now_ns)

    @routes.post("/figures/of-month", responses=refusals())
    def acceptance(claims: Claims, caller: Caller = institution) -> Figures:
        """The institution's own figures, as reviews of claims look at them."""
        do = lambda: office.acceptance(caller.institution, claims.claimed, claims.month)  # noqa: E731
        return Figures.model_validate(service.act(caller, "acceptance", "", do), from_attributes=True)

    return routes


def told(taken: Taken, now_ns: int) -> Report:
    """As JSON. Of a pre-check whose time has not come, only that it came."""
    result, ready = taken.result, now_ns >= taken.available_ns
    summary: dict[str, Any] = result.summary if ready else {
        "valid_visits": 0, "valid_orders": 0, "invalid_visits": 0, "error_codes": [],
    }
    return Report(
        opcode=taken.opcode, again=taken.again, available=iso(taken.available_ns), until=iso(taken.until_ns),
        version=result.version.value if result.version else "", bytes=result.size_bytes, returned=ready and result.returned,
        findings=[_found(one) for one in result.findings] if ready else [],
        results=[_record(one) for one in result.records] if ready else [],
        **{name: summary[name] for name in ("valid_visits", "valid_orders", "invalid_visits", "error_codes")},
    )


def _record(one: RecordResult) -> RecordReport:
    return RecordReport(
        number=one.number, line=one.line, orders=one.orders, accepted=one.accepted, findings=[_found(f) for f in one.findings],
    )


def _found(one: Finding) -> Found:
    return Found(
        code=one.code, en=one.en, zh=one.zh, stage=one.stage.value, effect=one.effect.value, record=one.record, order=one.order,
        field=one.field, line=one.line, detail=one.detail,
    )


__all__ = ["router", "told"]
