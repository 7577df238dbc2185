"""The tester: what a case has in its hands, what it notes, and how a verdict comes of it.

A case runs flows against the device and says what it expects. The first expectation that does not hold decides: FAIL, with what
was expected and what came. A flow that the device ends before the case has come to its point makes it INCONCLUSIVE; what the
bench itself does wrong is ERROR.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn, Protocol

from conformance.case import Case
from conformance.condition import Answers
from conformance.verdict import Status, Verdict
from virtual_devices.errors import BenchError, LinkError
from virtual_devices.reader.transmit import Ended
from virtual_devices.trace import ExchangeRow, Row


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation. ``expected`` and ``received`` as a person reads them; ``row``: how many rows had been written by then."""

    what: str
    holds: bool
    expected: str
    received: str
    row: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case. ``why``: what decided, for a person; empty for a PASS."""

    case: str
    verdict: Verdict
    status: Status
    why: str = ""
    checks: tuple[Check, ...] = ()
    rows: tuple[Row, ...] = field(default=(), repr=False)


class CannotShow(BenchError):
    """What a case needs, and this device or the way to it cannot give. ``open``: it might have, and did not: INCONCLUSIVE."""

    def __init__(self, why: str, *, open: bool = False) -> None:
        super().__init__(why)
        self.open = open

    @property
    def verdict(self) -> Verdict:
        return Verdict.INCONCLUSIVE if self.open else Verdict.NOT_APPLICABLE


class Decided(Exception):
    """The case has come to its verdict, before its end."""

    def __init__(self, verdict: Verdict, why: str) -> None:
        super().__init__(why)
        self.verdict = verdict
        self.why = why


class Tester:
    """What all testers have. ``role``: of the device under test in the rows. ``declared``: what its maker says that it can.
    ``masked``: somebody's own device: its bytes stay out of what is told of checks. ``doubt``: why what does not hold may be
    another case's doing; then it leaves the case open."""

    __test__ = False  # of pytest's, which goes by the name
    role = ""
    screen = ""  # the role of what the device shows to people, and is its own too
    masked = False
    doubt = ""
    declared: Answers = MappingProxyType({})

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.checks: list[Check] = []

    def expect(self, what: str, holds: bool, expected: object = "", received: object = "") -> None:
        """The point of a case: when it does not hold, the device fails."""
        check = Check(what, holds, shown(expected, self.masked), shown(received, self.masked), len(self.rows))
        self.checks.append(check)
        if not holds:
            ending = f": expected {check.expected}, received {check.received}" if check.expected or check.received else ""
            if self.doubt:
                raise Decided(Verdict.INCONCLUSIVE, f"{what}{ending}; {self.doubt}")
            raise Decided(Verdict.FAIL, f"{what}{ending}")

    def equal(self, what: str, received: object, expected: object) -> None:
        self.expect(what, received == expected, expected, received)

    def need(self, what: str, holds: bool, received: object = "") -> None:
        """What a case begins from, and which is not its point: without it there is nothing to say."""
        if not holds:
            raise Decided(Verdict.INCONCLUSIVE, f"{what}: {shown(received, self.masked)}" if received != "" else what)

    def not_applicable(self, why: str) -> NoReturn:
        raise Decided(Verdict.NOT_APPLICABLE, why)

    def review(self, what: str) -> NoReturn:
        """A person has to look at this: never PASS by itself."""
        raise Decided(Verdict.REVIEW, what)

    def close(self) -> None:
        """Leave the device as it was found."""


class Making(Protocol):
    """Makes the tester of one case: the device under test, fresh or as it is on the desk. Raises LinkError without one."""

    def __call__(self, case: Case) -> Tester: ...


_SOMEBODYS = re.compile(r"[^\x00-\x7f]|\d{6}|[A-Z][A-D\d]\d{4}")
"""What may be a person's in a text: letters that are no ASCII (a name), a long number (a card's, a birth date), an ID number."""


def shown(value: object, masked: bool = False) -> str:
    """A value for a person: bytes in hex, an enum by its name, long ones cut. ``masked``: of bytes, and of a text that may
    name somebody, only how many."""
    if isinstance(value, bytes):
        text = f"{len(value)} bytes, masked" if masked and value else value.hex()
    elif isinstance(value, frozenset | set):
        text = "{" + ", ".join(sorted(shown(one, masked) for one in value)) + "}"
    elif masked and isinstance(value, list | tuple | dict):
        text = f"{len(value)} values, masked"
    elif type(value) in (list, tuple, dict):
        text = _written(value)
    else:
        text = str(getattr(value, "name", value))
    if masked and _SOMEBODYS.search(text):
        text = f"{len(text)} characters, masked"
    return text if len(text) <= 200 else f"{text[:160]}... ({len(text)} characters)"


def _written(value: object) -> str:
    """As Python writes it, but sets in it in order: theirs is another in each process, and reports are compared byte by byte."""
    match value:
        case set() | frozenset():
            return "{" + ", ".join(sorted(map(_written, value))) + "}"
        case dict():
            return "{" + ", ".join(f"{key!r}: {_written(each)}" for key, each in value.items()) + "}"
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case tuple() if type(value) is tuple:
            return f"({', '.join(map(_written, value))}{',' * (len(value) == 1)})"
        case _:
            return repr(value)


def perform(case: Case, make: Making, *, real: bool = False) -> Result:
    """Try one case. ``real``: the device is no virtual one; then steps that a virtual stand-in did never make its PASS."""
    try:
        tester = make(case)
    except CannotShow as e:
        return Result(case.id, e.verdict, Status.NOT_RUN, str(e))
    except BenchError as e:  # no way to the device: it is not there, or what was said of it cannot be
        return Result(case.id, Verdict.ERROR, Status.NOT_RUN, str(e))
    verdict, status, why = _tried(case, tester)
    try:
        tester.close()
    except LinkError:
        pass  # the verdict stands: what is out of reach now is met by the next case
    except Exception as e:  # as in the case itself
        verdict, status, why = Verdict.ERROR, Status.ABORTED, f"afterwards: {type(e).__name__}: {e}"
    rows = tuple(tester.rows)
    if verdict is Verdict.PASS and not tester.checks:
        verdict, why = Verdict.ERROR, "the case expected nothing"
    if verdict is Verdict.PASS and real and (stand_in := _stand_in(rows, (tester.role, tester.screen))):
        verdict, why = Verdict.ERROR, stand_in
    return Result(case.id, verdict, status, why, tuple(tester.checks), rows)


def _tried(case: Case, tester: Tester) -> tuple[Verdict, Status, str]:
    try:
        case.call(tester)
    except Decided as e:
        return e.verdict, Status.RAN, e.why
    except CannotShow as e:
        return e.verdict, Status.ABORTED, str(e)
    except Ended as e:
        return Verdict.INCONCLUSIVE, Status.ABORTED, f"before its point: {e}"
    except LinkError as e:
        return Verdict.ERROR, Status.ABORTED, str(e)
    except BenchError as e:
        return Verdict.ERROR, Status.ABORTED, f"{type(e).__name__}: {e}"
    except Exception as e:  # whatever the bench did wrong, the next case must run
        return Verdict.ERROR, Status.ABORTED, f"{type(e).__name__}: {e}"
    return Verdict.PASS, Status.RAN, ""


def _stand_in(rows: tuple[Row, ...], roles: tuple[str, str]) -> str:
    """Which step of the device's was none of its own; empty when all were."""
    own = [row for row in rows if isinstance(row, ExchangeRow) and row.role in roles]
    for row in own:
        if row.provenance not in ("measured", "presented"):
            return f"{row.step}: a {row.provenance} stand-in answered, not the device"
    return "" if own else "no row is the device's own"


__all__ = ["CannotShow", "Check", "Decided", "Making", "Result", "Tester", "perform", "shown"]
