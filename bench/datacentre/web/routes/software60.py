"""The data centre's calls of control software 6.0, by the field's own paths: a JSON object in, one with ``statusCode`` out.

Each carries a signature envelope of the desk's SAM, which is good once: again, it is 66008. What is refused by the envelope or
the call is HTTP 200 with its code, as the field's clients expect; the connection's certificate is judged as everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from pydantic import RootModel

from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem
from bench.datacentre.web.service import Service, refusals
from virtual_devices.pki import Role


class Call(RootModel[dict[str, Any]]):
    """Fields of the call, with ``clientRandom``, ``hospitalId``, ``samId`` and ``signature`` of the envelope."""


class Said(RootModel[dict[str, Any]]):
    """``statusCode``, and what the call gives."""


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["control software 6.0"])
    for path in service.centre.software_60.paths:
        name = "6.0 " + path.strip("/").replace("/", " ")
        routes.add_api_route(
            path, _call(service, path), methods=["POST"], name=name, responses=refusals(), response_model=Said,
        )
    return routes


def _call(service: Service, path: str) -> Callable[..., Said]:
    institution, centre = service.allow(Role.INSTITUTION), service.centre

    def call(body: Call, caller: Caller = institution) -> Said:
        if body.root.get("hospitalId", caller.institution) != caller.institution:
            raise Problem(403, "4029", detail="an institution acts for itself: hospitalId is not that of the connection")

        def about(said: dict[str, Any]) -> list[str]:
            if said["statusCode"] != "0":
                return []
            card_no, id_no = body.root.get("hcId"), body.root.get("patientId")
            return [card_no] if card_no else [centre.registers.card_of(str(id_no))] if id_no else []

        signers: list[str] = []

        def answer() -> dict[str, Any]:
            centre.software_60.signed_by = signers.append  # acts are done one after another
            return centre.software_60.answer(path, body.root, service.clock.now_ns())

        return Said(service.act(caller, path.rsplit("/api/", 1)[-1], about, answer, signers))

    call.__doc__ = f"{path.rsplit('/', 2)[-2]}/{path.rsplit('/', 1)[-1]}, as one vendor's client calls it (public)."
    return call


__all__ = ["router"]
