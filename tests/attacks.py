"""Attacks on presentation and write-back as data: what is tried, how it ends, and the code that the field has for that.

Four classes. The table promises nothing beyond them, and a test asserts each one's class and code:

* REFUSED: one of the honest parties says no, with that code.
* WHEN_BOUND: refused only by a reader that asked a question of its own (QR codes alone: a session is bound by itself).
* RECONCILED: it succeeds now; what was written down by those who were there tells it later.
* NOT_DETECTABLE: it succeeds, and nothing that the protocol carries tells it. That is stated, not promised away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from virtual_devices import vhc
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.codes import Space
from virtual_devices.flow import Ask, Flow
from virtual_devices.reader.presentation import OPEN_APP, Counter, Medium, open_at
from virtual_devices.reader.proximity import ReaderSession, Shown, ask, end, refusal
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.wallet_visit import Person, identify
from virtual_devices.wallet.access_log import Deed
from virtual_devices.wallet.consent import Use

from .wallets import WalletBench


class Kind(Enum):
    """How an attack ends."""

    REFUSED = "refused"
    WHEN_BOUND = "refused only when bound to a reader"
    RECONCILED = "found at reconciliation"
    NOT_DETECTABLE = "not detectable"


class Mark(Enum):
    """Where the rule stands that decides it."""

    STANDARD = "standard"
    PUBLIC = "public"
    PROFILE = "profile"
    INFERRED = "inferred"


@dataclass(frozen=True)
class Result:
    """``succeeded``: the attacker has what was wanted. ``code``: what the desk's control software is told, "" where no desk is.
    ``evidence``: something in the honest parties' own rows tells of it afterwards."""

    succeeded: bool
    code: str = ""
    evidence: bool = False


@dataclass(frozen=True)
class Attack:
    """One row. ``what``: the attacker's act. ``seen``: what the honest parties see. ``clause``: the rule that decides."""

    id: str
    what: str
    kind: Kind
    code: str
    seen: str
    clause: str
    mark: Mark
    run: Callable[[], Result] = field(repr=False)
    space: Space = Space.CSHIS


class Table:
    """The rows of one subject. ``@rows.add(...)`` above a function makes it one."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.rows: list[Attack] = []

    def add(
        self, what: str, kind: Kind, code: str, seen: str, clause: str, mark: Mark = Mark.STANDARD, space: Space = Space.CSHIS,
    ) -> Callable[[Callable[[], Result]], Callable[[], Result]]:
        def decorate(run: Callable[[], Result]) -> Callable[[], Result]:
            name = getattr(run, "__name__", "").replace("_", "-")
            self.put(Attack(name, what, kind, code, seen, clause, mark, run, space))
            return run

        return decorate

    def put(self, row: Attack) -> None:
        self.rows.append(row)


# -- how they are tried

ALLERGIES: Mapping[str, Mapping[str, bool]] = {
    vhc.BASIC: {"name": False, "card_no": False, vhc.HELD_UNDER: True}, vhc.MEDICAL: {"allergies": False},
    vhc.RECORDS: {"generation": False}, vhc.DELEGATION: {"authorization": True, "proof": True},
}
"""What the attacker is after, most of the time."""


def tried(act: Callable[[], Any], code: str = "") -> Result:
    """An act that succeeds unless it ends; then with its code. ``code``: of success, "0" at a desk."""
    try:
        act()
    except Ended as e:
        return Result(False, e.code)
    return Result(True, code or "0")


def desk_for(use: Use = Use.TREATMENT, medium: Medium = Medium.NFC, **more: Any) -> WalletBench:
    """A desk with SAM open and physician's card in, and a holder who consents to that use."""
    bench = WalletBench(counter=Counter(medium), **more)
    bench.sam_handle, _ = bench.ready()
    bench.people.use = use
    return bench


def presented(bench: WalletBench, body: Callable[[ReaderSession, Handle], Flow[Any]], **links: Any) -> Any:
    """One presentation at that desk, by whatever links; then the phone is taken away."""

    def flow() -> Flow[Any]:
        yield Ask("holder", OPEN_APP)
        opened = yield from open_at(bench.desk, bench.counter)
        result = yield from body(opened, bench.sam_handle)
        yield from end(opened)
        return result

    try:
        return bench.run(flow(), **links)
    finally:
        bench.phone.end_session()


def consult(bench: WalletBench, *, hpc: bool = True, wanted: Any = ALLERGIES, **links: Any) -> Shown:
    """The physician asks, and what is shown. Raises Ended."""
    shown: Shown = presented(
        bench, lambda opened, sam: ask(bench.desk, opened, wanted, sam, hpc=bench.doctor if hpc else None), **links,
    )
    return shown


def identified(bench: WalletBench, scope: frozenset[Scope] = frozenset({Scope.BASIC}), **links: Any) -> Person:
    """The same, and who it is as the desk takes it. Raises Ended."""

    def body(opened: ReaderSession, sam: Handle) -> Flow[Person]:
        shown = yield from ask(bench.desk, opened, ALLERGIES, sam, hpc=bench.doctor)
        return identify(bench.desk, opened, shown, scope, Purpose.OUTPATIENT)

    person: Person = presented(bench, body, **links)
    return person


def medical(shown: Shown) -> Result:
    """Whether medical data were shown; if not, what the desk is told."""
    number = shown.errors.get(vhc.MEDICAL, {}).get("allergies")
    return Result(shown.value(vhc.MEDICAL, "allergies") is not None, "0" if number is None else refusal(number).code)


def nothing_moved(bench: WalletBench, before: Any) -> None:
    """The phone's data are as they were."""
    assert state_of(bench) == before


def state_of(bench: WalletBench) -> Any:
    """What a phone holds, as far as an attack could change it."""
    made = bench.phone
    shown = sum(entry.deed is not Deed.DECLINED for entry in made.log.entries())
    return shown, made.records().generation, made.records().all(), made.keystore.names(), made.cards.names()


def later(bench: WalletBench, by_ns: int) -> None:
    """Time passes, for everybody."""
    bench.clock.advance_to(bench.clock.now_ns() + by_ns)


def refused_unless_medical(bench: WalletBench, **links: Any) -> Result:
    """A consultation by these links: whether it shows medical data; nothing but the holder's log of it has changed."""
    before = state_of(bench)
    try:
        return medical(consult(bench, **links))
    except Ended as e:
        after = state_of(bench)
        assert after[1:] == before[1:] and (after[0] == before[0] or bench.phone.log.entries()[0].deed is Deed.SHOWN)
        return Result(False, e.code)
