"""A real phone over Bluetooth value by value: by bleak and the emulated BlueZ it is the server, by bumble it is either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.drivers import ble
from bench.duts import Dut
from conformance.case import Kind
from conformance.tester import Result
from conformance.verdict import Verdict
from virtual_devices.trace import ExchangeRow

from .broken_devices import Fault, There, place
from .test_conformance_broken import BUSY_S, dut, judged, tried

pytestmark = pytest.mark.needs("dbus")
PREFIX = "wallet.ble."
BREACH = f"{PREFIX}reader-that-breaks-a-rule-is-let-go"
READY = f"{PREFIX}connection-is-made-ready"
FAIL, OPEN = Verdict.FAIL, Verdict.INCONCLUSIVE


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("values")
    (folder / "vhc-bench").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        with place("ble", folder) as made:
            yield made


def by(there: There, stack: str, *, answer_s: int = BUSY_S) -> Dut:
    """The phone, met by ``bleak`` or by ``bumble``."""
    found = dut(there, Kind.WALLET, "ble", answer_s=answer_s)
    moniker = f"{there.moniker}bumble:{there.command[1]}" if stack == "bumble" else there.moniker
    return replace(found, moniker=moniker)


def values(result: Result) -> list[ExchangeRow]:
    return [row for row in result.rows if isinstance(row, ExchangeRow) and row.step == "values"]


@pytest.mark.parametrize(("stack", "names"), [
    ("bleak", [f"{READY}[peripheral]", f"{BREACH}[peripheral-no-first-byte]", f"{BREACH}[peripheral-unsubscribed]",
               f"{BREACH}[peripheral-data-first]"]),
    ("bumble", [f"{PREFIX}chunks-are-full[peripheral-185]", f"{READY}[central]",
                f"{PREFIX}another-ident-is-another-reader[short]", f"{BREACH}[central-first-byte]",
                f"{PREFIX}reader-without-a-characteristic-is-left[state-notify]"]),
])
def test_phone_passes_value_by_value_by_its_own_rows(there: There, stack: str, names: list[str]) -> None:
    there.mend()
    found = tried(by(there, stack), names, {})
    assert [one.verdict for one in found] == [Verdict.PASS] * len(names), judged(found)
    assert all(values(one) for one in found)
    assert {row.provenance for one in found for row in values(one)} == {"measured"}


@pytest.mark.parametrize(("stack", "case", "why"), [
    ("bleak", f"{READY}[central]", "bumble:usb:0"), ("bleak", f"{PREFIX}chunks-are-full[peripheral-185]", "ATT_MTU of 515"),
    ("bumble", f"{BREACH}[peripheral-chunk-too-long]", "above 512 bytes"),
    ("bumble", f"{BREACH}[central-wrong-characteristic-of-server]", "no property for it"),
    ("bumble", f"{BREACH}[central-operation-failed]", "between two Bluetooth stacks"),
])
def test_what_stacks_keep_to_themselves_is_not_applicable(there: There, stack: str, case: str, why: str) -> None:
    there.mend()
    (found,) = tried(by(there, stack), [case], {})
    assert found.verdict is Verdict.NOT_APPLICABLE and why in found.why, judged([found])


@pytest.mark.parametrize(("fault", "verdict", "why"), [
    (Fault.SILENCE, FAIL, "answers registration"), (Fault.NOISE, FAIL, "SessionData"), (Fault.ENDLESS, FAIL, "chunk"),
    (Fault.DEATH, OPEN, "is there"),
])
def test_broken_phone_is_judged_where_it_breaks_and_spoils_no_other(
    there: There, fault: Fault, verdict: Verdict, why: str,
) -> None:
    there.mend()
    names = [f"{READY}[peripheral]", f"{PREFIX}chunks-are-full[peripheral-515]", f"{BREACH}[peripheral-first-byte]"]
    found = tried(by(there, "bleak", answer_s=4 if fault is Fault.SILENCE else BUSY_S), names, {
        names[1]: lambda: there.break_by(fault), names[2]: there.mend,
    })
    assert [one.verdict for one in found] == [Verdict.PASS, verdict, Verdict.PASS], judged(found)
    assert why in found[1].why


def test_phone_that_lets_no_breach_end_it_fails(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen from outside: what the peer says wrongly never comes to the phone, and so it stays."""
    there.mend()
    whole = ble.BleLink.asked

    def deaf(link: ble.BleLink, op: ble.Op, limit_s: float, **more: object) -> object:
        if more.get("value") == b"\2x":
            return {"events": [], "trouble": "", "outcome": "replied"}
        return whole(link, op, limit_s, **more)

    monkeypatch.setattr(ble.BleLink, "asked", deaf)
    (found,) = tried(by(there, "bleak", answer_s=1), [f"{BREACH}[peripheral-first-byte]"], {})
    assert found.verdict is FAIL and "the device disconnects" in found.why, judged([found])
