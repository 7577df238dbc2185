"""Institutions (特約醫事機構) under contract, with their security modules and professionals; taken in by an officer."""

from __future__ import annotations

from typing import Annotated

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from bench.datacentre.credentials import pem
from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem, Wrong, need_ok
from bench.datacentre.web.routes.people import IdNo
from bench.datacentre.web.service import Service, refusals
from virtual_devices.cloud.registers import Contracted
from virtual_devices.codes import Space
from virtual_devices.pki import Role
from virtual_devices.uploads.register import Trade

MOST, YEAR_H = 1000, 365 * 24
Code = Annotated[str, Field(pattern=r"^[0-9]{10}$", description="Institution code (醫事機構代碼).", examples=["9903180031"])]
SamId = Annotated[str, Field(pattern=r"^[0-9A-Z]{12}$", description="Id of a security module.", examples=["SAM000000003"])]
RocDate = Annotated[str, Field(pattern=r"^([0-9]{7})?$", description="ROC date YYYMMDD.", examples=["1130101"])]


class NewInstitution(BaseModel):
    """An institution under contract. Invented ones only. ``began_20``: since when it uploads format 2.0, empty for not at all;
    ``sams``: issued to it; ``professionals``: who practise, by national id. Both come beside those that are there already."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    trade: Trade = Trade.CLINIC
    began_20: RocDate = ""
    sams: Annotated[list[SamId], Field(max_length=MOST)] = []
    professionals: Annotated[list[IdNo], Field(max_length=MOST)] = []


class Taken(BaseModel):
    """The institution that was taken in, and how many security modules it has now."""

    code: str
    sams: int


class CertificateWanted(BaseModel):
    """For whose software. ``request``: PKCS#10 in PEM, of a key on P-256; of what it says only the key is taken."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    request: Annotated[str, Field(max_length=8192)]


class Certificate(BaseModel):
    """A client certificate with its issuer's, in PEM, good for a year."""

    certificate: str


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/institutions", tags=["institutions"])
    registers, authority = service.centre.registers, service.centre.authority

    @routes.post("", status_code=201, responses=refusals(422))
    def take_in(new: NewInstitution, caller: Caller = service.allow(Role.OFFICER)) -> Taken:
        """Take an institution in, or change what is known of it. A security module of another institution is refused (5004)."""
        def contract() -> tuple[str, int]:
            foreign = registers.contract(Contracted(new.code, new.trade, new.began_20), new.sams, new.professionals)
            return ("5004" if foreign else "0"), len(registers.sams.where(institution=new.code))

        code, sams = service.act(caller, "contract", "", contract)
        need_ok(code, "a security module of these was issued to another institution", space=Space.UPLOAD)
        return Taken(code=new.code, sams=sams)

    @routes.post("/certificates", responses=refusals(404))
    def certificate(wanted: CertificateWanted, caller: Caller = service.allow(Role.OFFICER)) -> Certificate:
        """A client certificate for an institution's software, with which it connects, for a key that it has made itself."""
        key, now_ns = _key(wanted.request), service.clock.now_ns()

        def issue() -> list[tuple[bytes, ...]]:
            if registers.institutions.get(wanted.code) is None:
                return []
            subject = f"software of {wanted.code}"
            return [authority.renew(Role.INSTITUTION, subject, key, now_ns, organisation=wanted.code, hours=YEAR_H)]

        made = service.act(caller, "certify-institution", "", issue)
        if not made:
            raise Problem(404, "9012", detail="no institution of this code is under contract")
        return Certificate(certificate=pem(made[0]).decode())

    return routes


def _key(request: str) -> ec.EllipticCurvePublicKey:
    """The key of a certificate request. Raises Problem."""
    try:
        found = x509.load_pem_x509_csr(request.encode())
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _no_request("no certificate request in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _no_request("the key is not on P-256")
    if not found.is_signature_valid:
        raise _no_request("the request is not signed by its own key")
    return key


def _no_request(why: str) -> Problem:
    return Problem(400, "9002", detail=why, errors=[Wrong(pointer="/request", detail=why)])


__all__ = ["router"]
