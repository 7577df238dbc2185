"""How a verdict comes of a case: what decides, what is the bench's own fault, and what a stand-in may not do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from conformance.case import Case, Each, Kind, Nature, case, cases_of
from conformance.tester import Tester, perform, shown
from conformance.verdict import Status, Verdict, roll_up
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Outcome
from virtual_devices.reader.transmit import Ended
from virtual_devices.trace import ExchangeRow


def nothing(tester: Tester) -> None:
    return


def made(run: Callable[[Tester], None]):  # type: ignore[no-untyped-def]
    def test_something(wallet: Tester) -> None:
        """Something is shown."""
        run(wallet)

    (found,) = cases_of(case("P-SES-01", nature=Nature.VALID, zh="某事")(test_something), "somewhere.test_wallet_things")
    return found


@pytest.mark.parametrize(
    ("value", "masked"), [("王小明", True), ("A123456789", True), ("000012345678", True), (19580704, True), ("AC01234567", True),
                          ("6A88", False), ("1022", False), ("-2", False), ("believed", False), (True, False)],
)
def test_text_that_may_name_somebody_is_masked(value: object, masked: bool) -> None:
    assert ("characters, masked" in shown(value, masked=True)) is masked
    assert "masked" not in shown(value)


def test_sets_within_values_are_told_in_order() -> None:
    letters = set("hgfedcba")
    told = "{" + ", ".join(repr(letter) for letter in "abcdefgh") + "}"
    assert shown((True, letters)) == f"(True, {told})" and shown([letters, 7]) == f"[{told}, 7]"
    assert shown({"names": frozenset(letters)}) == f"{{'names': {told}}}" and shown((letters,)) == f"({told},)"
    plain = ([1, "two"], (b"3",), {"four": None}, Verdict.PASS)
    assert shown(plain) == str(plain)


def verdict_of(run: Callable[[Tester], None], **more: bool) -> tuple[Verdict, Status, str]:
    result = perform(made(run), lambda _: Tester(), **more)
    return result.verdict, result.status, result.why


def test_case_is_named_after_its_place_and_what_it_tries() -> None:
    found = made(nothing)
    assert (found.id, found.kind, found.says) == ("wallet.things.something", Kind.WALLET, "Something is shown.")


def test_expectations_that_hold_are_a_pass() -> None:
    assert verdict_of(lambda t: t.equal("one", 1, 1)) == (Verdict.PASS, Status.RAN, "")


def test_first_expectation_that_does_not_hold_decides() -> None:
    def run(tester: Tester) -> None:
        tester.equal("one", b"\x01", b"\x02")
        raise AssertionError("never here")

    assert verdict_of(run) == (Verdict.FAIL, Status.RAN, "one: expected 02, received 01")


def test_case_without_an_expectation_is_the_benchs_error() -> None:
    assert verdict_of(nothing)[0] is Verdict.ERROR


def test_what_had_to_come_before_and_did_not_leaves_it_open() -> None:
    assert verdict_of(lambda t: t.need("a card", False, "none"))[:2] == (Verdict.INCONCLUSIVE, Status.RAN)

    def ended(tester: Tester) -> None:
        raise Ended("the phone has gone", "4013", "wallet", outcome=Outcome.GONE)

    assert verdict_of(ended)[:2] == (Verdict.INCONCLUSIVE, Status.ABORTED)


@pytest.mark.parametrize("error", [LinkError("no reader"), ZeroDivisionError("division"), UsageError("wrong")])
def test_what_the_bench_does_wrong_is_no_fail(error: Exception) -> None:
    def run(tester: Tester) -> None:
        raise error

    verdict, status, why = verdict_of(run)
    assert (verdict, status) == (Verdict.ERROR, Status.ABORTED)
    assert str(error) in why


@pytest.mark.parametrize("error", [LinkError("no reader"), UsageError("'nfc:/dev/tty' names no reader")])
def test_device_that_cannot_be_reached_is_the_benchs_error(error: Exception) -> None:
    def make(case: Case) -> Tester:
        raise error

    result = perform(made(nothing), make)
    assert (result.verdict, result.status, result.why) == (Verdict.ERROR, Status.NOT_RUN, str(error))


def test_review_is_never_a_pass() -> None:
    def run(tester: Tester) -> None:
        tester.equal("one", 1, 1)
        tester.review("ask the maker where the key lives")

    assert verdict_of(run)[0] is Verdict.REVIEW


def row(provenance: str) -> ExchangeRow:
    return ExchangeRow(0, "", "s", "conform", "step", "wallet", "nfc", "nfc:usb", provenance, 0, 1, -1, "replied", b"", b"", 0, 0,
                       "", "")


@pytest.mark.parametrize(("provenances", "verdict"), [
    (["measured"], Verdict.PASS), (["measured", "modelled"], Verdict.ERROR), ([], Verdict.ERROR), (["replayed"], Verdict.ERROR),
])
def test_stand_in_never_makes_a_real_devices_pass(provenances: list[str], verdict: Verdict) -> None:
    class Wallet(Tester):
        role = "wallet"

    def run(tester: Tester) -> None:
        tester.rows += [row(p) for p in provenances]
        tester.equal("one", 1, 1)

    assert perform(made(run), lambda _: Wallet(), real=True).verdict is verdict


def test_worst_verdict_decides_whatever_the_order() -> None:
    for some in permutations(Verdict, 3):
        assert roll_up(some) is next(v for v in (
            Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.REVIEW, Verdict.PASS, Verdict.NOT_APPLICABLE,
        ) if v in some)
    assert roll_up([]) is Verdict.NOT_APPLICABLE


def test_case_with_values_is_several() -> None:
    @case("P-SES-01", nature=Nature.VALID, zh="某事", each=lambda: {"a": Each(1), "b": Each(2, "B", "乙", ("P-SES-02",))})
    def test_something(wallet: Tester, value: int) -> None:
        """Something is shown."""
        wallet.equal("value", value, 1)

    found = cases_of(test_something, "test_wallet_things")
    assert [(c.id, c.says, c.clauses) for c in found] == [
        ("wallet.things.something[a]", "Something is shown.", ("P-SES-01",)), ("wallet.things.something[b]", "B", ("P-SES-02",)),
    ]
    assert [perform(c, lambda _: Tester()).verdict for c in found] == [Verdict.PASS, Verdict.FAIL]


def test_function_that_is_no_case_is_told() -> None:
    @case("P-SES-01", nature=Nature.VALID, zh="某事")
    def test_nothing(somebody: Tester) -> None:
        """Nothing."""

    with pytest.raises(UsageError, match="is no case"):
        cases_of(test_nothing, "test_wallet_things")
