"""The audit log, for whoever shall check it from outside: signed heads, the log as `vhc-bench audit verify` reads it, proofs,
and the holder's view of who touched what is theirs. It has pseudonyms of people, and no personal field."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from bench.datacentre.audit_files import export, export_about
from bench.datacentre.web.bodies import gives
from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem
from bench.datacentre.web.routes.people import CardQuestion
from bench.datacentre.web.service import Service, refusals
from virtual_devices.cloud.audit import sign_head
from virtual_devices.pki import Role

LINES = "application/x-ndjson"
MOST_ENTRIES = 1 << 53
Number = Annotated[int, Query(ge=0, le=MOST_ENTRIES)]
Size = Annotated[int, Query(ge=1, le=MOST_ENTRIES)]


class Proof(BaseModel):
    """Hashes of subtrees (RFC 9162), hexadecimal. ``root``: of the log at ``size``."""

    size: int
    root: str
    proof: list[str]


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/audit", tags=["audit"])
    both, officer = service.allow(Role.INSTITUTION, Role.OFFICER), service.allow(Role.OFFICER)
    log, identity = service.centre.desks.audit, service.centre.issuer.data_centre

    @routes.get("/head", response_class=Response, responses=gives("application/cose", "a signed head") | refusals())
    def head(caller: Caller = both) -> Response:
        """How long the log is now, and its root: COSE_Sign1 of the data centre. Keep it: later logs must continue it."""
        now_ns = service.clock.now_ns()
        signed = service.act(caller, "audit-head", "", lambda: sign_head(log.head(now_ns), identity))
        return Response(signed, media_type="application/cose")

    @routes.get("/log", response_class=Response, responses=gives(LINES, "the log, one JSON object a line") | refusals(404))
    def whole(since: Number = 0, caller: Caller = officer) -> Response:
        """The whole log under a head of now; ``since``: the size of an older head, with the proof that it is continued."""
        now_ns = service.clock.now_ns()

        def read() -> str | None:
            return "".join(export(log, identity, now_ns, [since] if since else [])) if since <= log.size else None

        return _lines(service.act(caller, "audit-log", "", lambda: [read()])[0])

    @routes.post("/about", response_class=Response, responses=gives(LINES, "entries with proofs") | refusals())
    def about(question: CardQuestion, caller: Caller = officer) -> Response:
        """The holder's view: every entry that touched what is theirs, each with its proof."""
        now_ns, card_no = service.clock.now_ns(), question.card_no
        found = service.act(caller, "audit-about", card_no, lambda: ["".join(export_about(log, identity, now_ns, card_no))])
        return _lines(found[0])

    @routes.get("/proofs/inclusion", responses=refusals(404))
    def inclusion(number: Number, size: Size, caller: Caller = both) -> Proof:
        """That the entry of this number stands under the head of that size."""
        def prove() -> Proof | None:
            if not number < size <= log.size:
                return None
            proof = log.tree.inclusion(number, size)
            return Proof(size=size, root=log.tree.root(size).hex(), proof=[one.hex() for one in proof])

        return _there(service.act(caller, "audit-inclusion", "", prove))

    @routes.get("/proofs/consistency", responses=refusals(404))
    def consistency(old: Size, size: Size, caller: Caller = both) -> Proof:
        """That the head of this size continues the older one."""
        def prove() -> Proof | None:
            if not old <= size <= log.size:
                return None
            proof = log.tree.consistency(old, size)
            return Proof(size=size, root=log.tree.root(size).hex(), proof=[one.hex() for one in proof])

        return _there(service.act(caller, "audit-consistency", "", prove))

    return routes


def _lines(text: str | None) -> Response:
    if text is None:
        raise Problem(404, "9012", detail="the log is not as long as that")
    return Response(text, media_type=LINES)


def _there(proof: Proof | None) -> Proof:
    if proof is None:
        raise Problem(404, "9012", detail="the log has no such entry, or is not as long as that")
    return proof


__all__ = ["router"]
