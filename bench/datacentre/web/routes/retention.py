"""The end of retention: prescriptions kept for 3 or 5 years are deleted in the night, each with a statement that the data centre
signs; here an officer has it done at once, and whoever kept a signed record fetches the proof that it was deleted."""

from __future__ import annotations

import base64

from fastapi import APIRouter
from pydantic import BaseModel

from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem
from bench.datacentre.web.routes.prescriptions import One
from bench.datacentre.web.service import Service, iso, refusals
from virtual_devices.cloud.prescription_retention import proof_of
from virtual_devices.cloud.prescription_rows import GoneRow
from virtual_devices.pki import Role


class Deleted(BaseModel):
    """Ids of the prescriptions that were deleted, hexadecimal."""

    prescriptions: list[str]


class ProofOfDeletion(BaseModel):
    """``digest``: SHA-256 of the record as it was signed, hexadecimal; ``statement``: COSE_Sign1 of the data centre, base64."""

    prescription: str
    digest: str
    deleted: str
    statement: str


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/retention", tags=["prescriptions"])
    centre = service.centre

    @routes.post("", responses=refusals())
    def delete(caller: Caller = service.allow(Role.OFFICER)) -> Deleted:
        """Delete every prescription whose time of retention is over, as every night does. Each is an entry of the audit log."""
        now_ns = service.clock.now_ns()
        done = service.act(caller, "retention", "", lambda: [centre.desks.delete_due(now_ns)])
        return Deleted(prescriptions=[one.root.hex() for one in done[0]])

    @routes.post("/proof", responses=refusals(404))
    def proof(one: One, caller: Caller = service.allow(Role.INSTITUTION, Role.OFFICER)) -> ProofOfDeletion:
        """That a record was deleted, by its id: nobody can make the record again from it."""
        record = bytes.fromhex(one.id)
        found: GoneRow | None = service.act(caller, "proof-of-deletion", "", lambda: proof_of(centre.books, record))
        if found is None:
            raise Problem(404, "9012", detail="no record of this id was deleted here")
        return ProofOfDeletion(
            prescription=found.root.hex(), digest=found.digest.hex(), deleted=iso(found.deleted_ns),
            statement=base64.b64encode(found.statement).decode("ascii"),
        )

    return routes


__all__ = ["router"]
