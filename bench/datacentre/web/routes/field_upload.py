"""The field's own upload over HTTP (健保卡資料上傳介接), version V2000: JSON in, ``RtnCode`` and ``Opcode`` out.

Field names and codes are public, the path is the bench's **profile**, and so is the form of ``sSignature``: the envelope of
control software 6.0 by the SAM alone, service type 30, which is good once and an hour long (``vhc-bench sign`` makes one). The
report is at ``/v1/uploads/{Opcode}``.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, RootModel

from bench.datacentre.web.identity import Caller
from bench.datacentre.web.service import Service, refusals
from virtual_devices.cloud.envelope import REPLAYED, TOO_OLD, Kind
from virtual_devices.cloud.upload_office import Taken
from virtual_devices.pki import Role
from virtual_devices.uploads.envelope import (
    OK,
    STALE_SIGNATURE,
    WRONG_SAM,
    Refused,
    SamStanding,
    UploadRequest,
    check_request,
    read_request,
)

SERVICE_TYPE = "30"


class Fields(RootModel[dict[str, Any]]):
    """``sSamId``, ``sHospId``, ``sClientRandom``, ``sSignature``, ``sType`` (A1, A2, ZZ), ``sPatData``, ``sUploadDT``, each a
    text; names are taken in any case."""


class Told(BaseModel):
    """``RtnCode``: of the space upload-api, 0000 for taken; 66008 (space vhc) for a request that came before."""

    RtnCode: str
    Opcode: str


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/upload", tags=["uploads"])
    office, registers, envelopes = service.centre.uploads, service.centre.registers, service.centre.envelopes

    @routes.post("/V2000", responses=refusals())
    def upload(fields: Fields, caller: Caller = service.allow(Role.INSTITUTION)) -> Told:
        """One upload, signed by a SAM of the institution that is connected."""
        now_ns = service.clock.now_ns()
        request = read_request(fields.root)

        def take() -> tuple[str, Taken | None]:
            if isinstance(request, Refused):
                return request.code, None
            if request.institution != caller.institution:
                return WRONG_SAM, None
            said = "0"

            def holds(one: UploadRequest) -> bool:
                nonlocal said
                envelope = {"clientRandom": one.client_random, "hospitalId": one.institution, "samId": one.sam_id}
                found = envelopes.check(envelope | {"signature": one.signature}, Kind.SAM, now_ns)
                said = found if isinstance(found, str) else "0" if found.service_type == SERVICE_TYPE else "3100"
                return said == "0"

            issued_to = registers.sam_institution(request.sam_id)
            known = registers.institutions.get(request.institution) is not None
            refused = check_request(request, SamStanding(issued_to) if issued_to else None, known, now_ns, holds)
            if refused is not None:
                return {REPLAYED: REPLAYED, TOO_OLD: STALE_SIGNATURE}.get(said, refused.code), None
            return OK, office.take(request.file, request.institution, request.sam_id, now_ns, request.operation.value)

        def people(found: tuple[str, Taken | None]) -> list[str]:
            return [] if found[1] is None else [registers.card_of(one.national_id) for one in found[1].result.records]

        code, taken = service.act(caller, "upload-V2000", people, take)
        return Told(RtnCode=code, Opcode=taken.opcode if taken else "")

    return routes


__all__ = ["router"]
