"""Prescriptions as institutions see them: found, with the records as they were signed, and as documents of FHIR R4.

What changes a prescription is a signed message of a desk (``rx-store``, ``rx-dispense`` ... by ``/v1/messages/desk``), or a FHIR
document that carries the record as it was signed: what nobody signed is no prescription.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from bench.datacentre.web.bodies import body_of, gives, wants
from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem, Wrong
from bench.datacentre.web.routes.people import CardNo
from bench.datacentre.web.service import Service, iso, refusals
from virtual_devices.codes import Space
from virtual_devices.cose import Sign
from virtual_devices.fhir.prescription import from_fhir, to_fhir
from virtual_devices.fhir.reading import MalformedFhir
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import Role
from virtual_devices.prescription.codes import CODES, Why
from virtual_devices.prescription.document import MalformedPrescription, Prescription, read_prescription
from virtual_devices.prescription.reckoning import Doubt, Supply
from virtual_devices.prescription.signing import by_leaf
from virtual_devices.write_back import read_record, thumbprint

FHIR = "application/fhir+json"
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="Id of a signed record, hexadecimal.")]
STRICT = ConfigDict(extra="forbid")


class Which(BaseModel):
    """By one of them; by none: all that the institution prescribed or served."""

    model_config = STRICT

    card_no: CardNo | None = None
    number: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    id: Id | None = None


class One(BaseModel):
    """One prescription, by the id of a record of it."""

    model_config = STRICT

    id: Id


class Prescribed(BaseModel):
    """``records``: everything signed about it, in the order of coming, base64 of COSE_Sign. ``state`` is empty while the
    prescription itself has not come."""

    id: str
    state: str
    dispensed: int
    issues: int
    records: list[str]


class Found(BaseModel):
    """``chains``: of all signers, leaf first, base64 of DER. ``more``: how many there are beyond those told."""

    prescriptions: list[Prescribed]
    chains: list[list[str]]
    more: int = 0


class Unsigned(BaseModel):
    """A controlled drug (管制藥品) dispensed whose recipient has not signed in time. ``prescription``: id of its first record."""

    code: str
    dispensing: str
    prescription: str
    institution: str
    dispensed: str
    due: str


class Unanswered(BaseModel):
    """A query (疑義) that nobody has answered in time. ``institution``: which asked; ``prescribed_by``: which has to answer."""

    code: str
    query: str
    prescription: str
    institution: str
    prescribed_by: str
    asked: str
    due: str


class Overdue(BaseModel):
    """The oldest first."""

    unsigned: list[Unsigned]
    unanswered: list[Unanswered]


class Stored(BaseModel):
    """``again``: it had come before."""

    state: str
    again: bool


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/prescriptions", tags=["prescriptions"])
    institution, centre = service.allow(Role.INSTITUTION), service.centre

    def asked(caller: Caller, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """An operation of a desk, by the institution that is connected. Raises Problem when it is refused."""
        seen: list[str] = []
        signers: list[str] = []
        operation = centre.prescription_operations(service.revoked, seen.append, signers.append)[name]
        code, body = service.act(
            caller, name, lambda _: seen, lambda: operation(caller.verified, b"", arguments, service.clock.now_ns()), signers,
        )
        if code != "0":
            raise _refused(next((why for why in Why if why.value == body.get("why")), Why.MALFORMED))
        return body

    @routes.post("/find", responses=refusals(404, 422))
    def find(which: Which, caller: Caller = institution) -> Found:
        """Those of a holder or of a number that are released to pharmacies, or were prescribed or served here; by id: whoever
        holds the document may ask."""
        said = which.model_dump(exclude_none=True)
        if "id" in said:
            said["id"] = bytes.fromhex(said["id"])
        body = asked(caller, "rx-find", said)
        return Found(
            prescriptions=[_prescribed(one) for one in body["prescriptions"]],
            chains=[[_text(der) for der in chain] for chain in body["chains"]], more=body.get("more", 0),
        )

    @routes.get("/overdue", responses=refusals())
    def overdue(caller: Caller = service.allow(Role.INSTITUTION, Role.OFFICER)) -> Overdue:
        """Controlled drugs without their recipient's signature, and queries without an answer, when their time is over: what an
        institution dispensed, asked or prescribed; an officer is told of all."""
        now_ns, domain = service.clock.now_ns(), centre.desks.prescriptions
        unsigned, unanswered = service.act(caller, "overdue", "", lambda: (domain.unsigned(now_ns), domain.unanswered(now_ns)))
        return Overdue(
            unsigned=[_unsigned(one) for one in unsigned if caller.institution in ("", one.institution)],
            unanswered=[_unanswered(rx, doubt) for rx, doubt in unanswered
                        if caller.institution in ("", doubt.query.institution, rx.institution)],
        )

    @routes.post("/fhir", response_class=Response, responses=gives(FHIR, "a Bundle of FHIR R4") | refusals(404, 422))
    def fhir(one: One, caller: Caller = institution) -> Response:
        """The newest version as a document of FHIR R4, with the signed record in it."""
        now_ns, domain, about = service.clock.now_ns(), centre.desks.prescriptions, []

        def look() -> bytes | None:
            root = domain.root_of(bytes.fromhex(one.id))
            standing = None if root is None else domain.standing(root)
            if standing is None or not standing.versions:
                return None
            about.append(standing.rx.card_no)
            filed = standing.document
            document = to_fhir(standing.rx, filed.signer, standing.state(now_ns), filed.signed)
            return json.dumps(document, ensure_ascii=False).encode()

        made = service.act(caller, "rx-fhir", lambda _: about, look)
        if made is None:
            raise _refused(Why.NOT_HERE)
        return Response(made, media_type=FHIR)

    @routes.post("/documents", responses=refusals(404, 409, 415, 422), openapi_extra=wants(FHIR))
    async def store(request: Request, caller: Caller = institution) -> Stored:
        """A document of FHIR R4 that carries the record as the physician and the SAM signed it; both have to say the same. Their
        certificates stand in the signatures' headers (x5chain), or are known here."""
        raw, signed = _agreed(await body_of(request, FHIR))
        carried = centre.completed(one.chain for one in signed.signatures if one.chain)
        names = [thumbprint(one) for one in signed.signatures]

        def kept() -> Stored:
            chains = by_leaf(centre.act(lambda: centre.registers.chains(names))) | by_leaf(carried)
            body = asked(caller, "rx-store", {"record": raw, "chains": [list(chain) for chain in chains.values()]})
            return Stored(state=body.get("state", ""), again=body["again"])

        return await run_in_threadpool(kept)

    return routes


def record_of(body: bytes) -> bytes:
    """The signed record in a document of FHIR R4. Raises Problem when there is none, or it says something else."""
    return _agreed(body)[0]


def _agreed(body: bytes) -> tuple[bytes, Sign]:
    """The signed record in a document, when it says what the document says. Raises Problem otherwise."""
    try:
        said = from_fhir(json.loads(body))
    except MalformedFhir as e:
        raise Problem(422, "9002", detail="no prescription in FHIR R4", errors=[Wrong(pointer=e.path, detail=str(e))]) from None
    except (ValueError, RecursionError):
        raise Problem(400, "9002", detail="the body is no JSON") from None
    if said.signed is None:
        raise _refused(Why.NO_CERTIFICATE)
    try:
        record, signed = read_record(said.signed.raw)
        rx = read_prescription(record)
    except (MalformedPrescription, MalformedMdoc):
        raise _refused(Why.MALFORMED) from None
    if rx != said.prescription:
        raise _refused(Why.PHYSICIAN_FORGED)
    return said.signed.raw, signed


def _refused(why: Why) -> Problem:
    code = CODES[why]
    space = next((one for one in Space if one.value == code.table.value), code.table)
    return Problem(404 if why in (Why.NOT_HERE, Why.UNKNOWN_HOLDER) else 422, code.number, space, why.value)


def _prescribed(one: Mapping[str, Any]) -> Prescribed:
    return Prescribed(
        id=one["id"].hex(), state=one["state"], dispensed=one["dispensed"], issues=one["issues"],
        records=[_text(raw) for raw in one["records"]],
    )


def _unsigned(supply: Supply) -> Unsigned:
    return Unsigned(
        code=str(CODES[Why.NO_RECIPIENT]), dispensing=supply.act.id.hex(), prescription=supply.act.about.root.hex(),
        institution=supply.institution, dispensed=iso(supply.act.at_ns), due=iso(supply.sign_by_ns),
    )


def _unanswered(rx: Prescription, doubt: Doubt) -> Unanswered:
    return Unanswered(
        code=str(CODES[Why.LATE_ANSWER]), query=doubt.query.id.hex(), prescription=doubt.query.about.root.hex(),
        institution=doubt.query.institution, prescribed_by=rx.institution, asked=iso(doubt.query.at_ns),
        due=iso(doubt.answer_by_ns),
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


__all__ = ["record_of", "router"]
