"""What the routes work with: the centre, the clock, and who may call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request

from bench.datacentre.centre import Centre
from bench.datacentre.web.identity import Caller, Gate
from bench.datacentre.web.problems import Details, Problem
from virtual_devices.clock import TAIWAN, Clock, to_datetime
from virtual_devices.cloud.audit import Who
from virtual_devices.cloud.journal import Answer, Asker
from virtual_devices.cloud.journal import Request as CounterRequest
from virtual_devices.lifecycle import Party
from virtual_devices.pki import Role

IDEMPOTENCY_KEY = Header(
    alias="Idempotency-Key", min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$",
    description="The caller's own id of this act: sent again with the same body, it finds its answer and is not done twice.",
)
ActKey = Annotated[str, IDEMPOTENCY_KEY]

Result = TypeVar("Result")


@dataclass
class Service:
    """The data centre as its routes see it."""

    centre: Centre
    clock: Clock
    revoked: Collection[int] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        self.gate = Gate(self.centre.authority, self.revoked, self.clock.now_ns)

    def act(
        self, caller: Caller, what: str, about: str | Callable[[Result], Iterable[str]], do: Callable[[], Result],
        signers: Sequence[str] = (),
    ) -> Result:
        """One act of a caller, and its entries in the audit log, committed together. ``about``: the card number of whose data it
        was, empty for nobody's; or all of them, told by what came of it. ``signers``: professionals whose cards signed, the last
        of them counts; ``do`` may fill it. The code is that of what ``do`` gives: :func:`_code`.
        """
        now_ns = self.clock.now_ns()

        def done() -> Result:
            result = do()
            code, audit = _code(result), self.centre.desks.audit
            subjects = [about] if isinstance(about, str) else sorted(set(about(result))) or [""]
            for card_no in subjects:
                if caller.organisation:
                    audit.institution(now_ns, code, caller.organisation, "https", what, card_no, signers[-1] if signers else "")
                else:
                    audit.person(now_ns, code, Who.OFFICER, caller.name, what, card_no)
            return result

        return self.centre.act(done)

    def counter(self, caller: Caller, key: str) -> CounterRequest:
        """An officer's request at the counter, by their own id for the act."""
        return CounterRequest(request_id(caller, key), Asker(Party.DATA_CENTRE, caller.name), self.clock.now_ns())

    def allow(self, *roles: Role) -> Any:
        """A dependency that gives the caller, if the role is one of these. Raises Problem 401 and 403."""

        def caller(request: Request) -> Caller:
            who = self.gate.caller(request)
            request.state.caller = who
            if who.role not in roles:
                raise Problem(403, "4029", detail=f"this is for: {', '.join(role.name.lower() for role in roles)}")
            return who

        caller.roles = roles  # type: ignore[attr-defined]  # a test tries each role on each route
        return Depends(caller)


def _code(result: object) -> str:
    """The field's code of what an act gave: text, the first of several, or an :class:`Answer`; ``0`` for anything else."""
    first = result[0] if isinstance(result, tuple) and result else result
    if isinstance(first, Answer):
        return first.code.number
    return first if isinstance(first, str) else "0"


def request_id(caller: Caller, key: str) -> bytes:
    """16 bytes that follow from who asks and their own id for the act."""
    return hashlib.sha256(f"{caller.role.name}/{caller.organisation}/{caller.name}/{key}".encode()).digest()[:16]


def iso(at_ns: int) -> str:
    """A moment in ISO 8601, Taiwan; empty for one that has not come (negative)."""
    return "" if at_ns < 0 else to_datetime(at_ns).astimezone(TAIWAN).isoformat(timespec="milliseconds")


Responses = dict[int | str, dict[str, Any]]


def refusals(*statuses: int) -> Responses:
    """The OpenAPI responses of these statuses beside those that every route has."""
    texts = {400: "not as described", 401: "no certificate that serves", 403: "not for this caller", 404: "not there",
             409: "contradicts what came before", 413: "too large", 415: "another media type is wanted",
             422: "refused by the field's rules", 429: "too many requests", 503: "out of service"}
    found = sorted({400, 401, 403, 413, 429, *statuses})
    return {code: {"model": Details, "description": texts[code], "content": {"application/problem+json": {}}} for code in found}


__all__ = ["ActKey", "Responses", "Service", "iso", "refusals", "request_id"]
