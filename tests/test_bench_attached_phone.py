"""``--wallet auto``: a phone at whatever NFC is attached, as it comes and goes, and never a card, nor another role's reader."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench.attached_phone import LEFT, AttachedPhone
from bench.clock import WallClock
from bench.drivers import nfc
from bench.monikers import for_role
from bench.phone_image import KeptPhone
from bench.presence import PCSC, Presence
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.serve import Persistent, Rows
from bench.presenters.vpcd import VpcdPresenter
from bench.presenting import sample_card
from bench.rig import Rig
from bench.run import run
from bench.sample_devices import SECOND_IN_FIELD, WALLET, Samples
from bench.sample_phone import SamplePhone
from bench.seat import Met, PcscSeat
from bench.stacks.pcscd import PrivatePcscd
from bench.taken import Taken
from reports.build import build
from scenarios.world import ModelledSeat
from virtual_devices.mdoc import type4
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import ExchangeRow, Row, SwitchRow
from virtual_devices.wallet.faces import NfcFace

from . import report_pages
from .media import running
from .processes import wait_until
from .run_directories import read_table
from .test_bench_rig import check_whole, small_morning, world_of
from .toy_card import ToyCard
from .virtual_readers import LIMIT_S, presented

unembedded, unpainted = report_pages.unembedded, report_pages.unpainted
needs_pcsc = pytest.mark.needs("pcsc")
FIRST, SECOND = "pcsc:Virtual PCD 00 00", "pcsc:Virtual PCD 00 01"


def phone(seed: int = 1) -> KeptPhone:
    clock = WallClock()
    return SamplePhone(seed, clock.now_ns()).kept(NfcFace, clock)


class Desk:
    """A private PC/SC service with two readers, who knows what lies in them, and the rows of a world."""

    def __init__(self, pcscd: PrivatePcscd, stack: ExitStack) -> None:
        self.pcscd = pcscd
        self.rows: list[Row] = []
        self.heard: list[Row] = []
        self.world = world_of(small_morning(3), self.rows.append)
        self.presence = stack.enter_context(closing(Presence(pcscd.env, (PCSC,))))
        self._stack = stack

    def put(self, what: Persistent, reader: int) -> ExitStack:
        """In the reader until it is taken out, which the PC/SC service knows, as it does when this returns. No presenter that
        others find: a stranger's."""
        made = ExitStack()
        made.callback(lambda: wait_until(lambda: name not in self.presence.atrs()))
        made.enter_context(presented(what, self.pcscd.ports[reader], rows=Rows(record=self.heard.append)))
        name = self.pcscd.readers[reader]
        assert wait_until(lambda: name in self.presence.atrs())
        self._stack.push(made)
        return made

    def phone(self, taken: Taken | None = None) -> AttachedPhone:
        made = AttachedPhone(self.presence, taken or Taken({}), self.pcscd.env, self.world)
        self._stack.callback(made.close)
        return made

    def seat(self, taken: Taken) -> PcscSeat:
        virtual = ModelledSeat(self.world.scenario.params.contact, self.world)
        made = PcscSeat("auto", self.pcscd.env, Met(), self.world, virtual, taken)
        self._stack.callback(made.close)
        return made

    def switches(self, role: str = "wallet") -> list[tuple[str, str]]:
        return [(row.was, row.now) for row in self.rows if isinstance(row, SwitchRow) and row.role == role]

    def asked(self) -> list[tuple[str, str]]:
        """Session and device, once each, in their order."""
        return list(dict.fromkeys((row.session, row.device) for row in self.rows if isinstance(row, ExchangeRow)))


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No presenter of somebody else, and a busy machine is neither taken for a silent phone nor makes the rest pass."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("bench.attached_phone.ANSWER_S", LIMIT_S)
    monkeypatch.setattr("bench.attached_phone.REST_S", math.inf)
    monkeypatch.setattr(nfc, "CONNECT_SLACK_S", LIMIT_S)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr("bench.presence.FIRST_LOOK_S", LIMIT_S)
    with PrivatePcscd() as pcscd, ExitStack() as stack:
        yield Desk(pcscd, stack)


@needs_pcsc
@pytest.mark.usefixtures("unpainted")
def test_phone_comes_goes_and_comes_again_during_a_run(tmp_path: Path) -> None:
    with PrivatePcscd() as pcscd, ExitStack() as stack:
        rig = Rig(wallet="auto", env=pcscd.env)

        def holds() -> bool:
            return rig.presence is not None and bool(rig.presence.atrs())

        def come() -> None:
            there = stack.enter_context(ExitStack())
            there.enter_context(presented(phone(), pcscd.ports[0]))
            acts[3] = lambda: go(there)
            assert wait_until(holds)

        def go(there: ExitStack) -> None:
            there.close()
            assert wait_until(lambda: not holds())

        acts: dict[int, Callable[[], None]] = {1: come, 5: come}

        def progress(_: int, visits: int) -> None:
            acts.pop(visits, lambda: None)()

        rig.check()
        result = run(small_morning(12, **{"params.cards.virtual_share": "1.0"}), tmp_path / "run", rig, progress)
    assert set(acts) == {3}, f"the run was too short: {result.visits} visits"
    check_whole(result)
    switches = read_table(result.directory, "switches")
    assert [(row["role"], row["was"], row["now"]) for row in switches] == [
        ("wallet", "virtual", FIRST), ("wallet", FIRST, "virtual"), ("wallet", "virtual", FIRST)]
    assert (switches[0]["reason"], switches[1]["reason"]) == ("foreign device: latency probe only", LEFT)
    probes = [row for row in read_table(result.directory, "exchanges") if row["flow"] == "probe"]
    assert {(row["device"], row["provenance"], row["outcome"]) for row in probes} == {(FIRST, "measured", "replied")}
    assert all(row["request"] == b"" and row["reply"] == b"" for row in probes)
    asked = {row["session"].rpartition("/")[2] for row in probes}
    visits = {row["visit"]: row["provenance"] for row in read_table(result.directory, "visits")}
    assert len(asked) > 1 and asked < visits.keys() and set(visits.values()) == {"modelled"}
    manifest = json.loads((result.directory / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rig"]["wallet"] == "auto"
    (said,) = [device["detail"] for device in manifest["devices"] if device["role"] == "wallet"]
    assert said == "whatever phone is attached: latency probe only; visits by reference wallet on a phone"
    page = build(result.directory).read_text(encoding="utf-8")
    assert FIRST in page and LEFT in page


@needs_pcsc
def test_card_and_phone_are_each_found_in_their_reader_and_neither_hears_what_is_for_the_other(desk: Desk) -> None:
    card = sample_card(5)
    taken = Taken({})
    desk.put(card, 0)
    desk.phone(taken).ask("v1")
    assert desk.rows == [] and not any(isinstance(row, ExchangeRow) for row in desk.heard)  # nobody asked the card anything
    desk.put(phone(), 1)
    wallet, seat = desk.phone(taken), desk.seat(taken)
    wallet.ask("v2")
    seat.shared  # noqa: B018
    assert desk.switches() == [("virtual", SECOND)] and desk.switches("card") == [("virtual", FIRST)]
    assert not taken.free("card", SECOND) and not taken.free("wallet", FIRST)
    seat.close()
    assert taken.free("wallet", FIRST)


@needs_pcsc
def test_phone_alone_is_no_card(desk: Desk) -> None:
    desk.put(phone(), 0)
    assert not desk.seat(Taken({})).shared
    assert desk.switches("card") == []


@needs_pcsc
def test_card_in_a_field_is_no_phone_and_is_asked_once_until_something_changes(desk: Desk) -> None:
    taken = Taken({})
    there = desk.put(ToyCard(), 0)
    wallet = desk.phone(taken)
    for visit in ("v1", "v2", "v3"):
        wallet.ask(visit)
    assert desk.rows == []
    assert [row.request for row in desk.heard if isinstance(row, ExchangeRow)] == [type4.select(type4.AID).to_bytes()]
    seat = desk.seat(taken)
    seat.shared  # noqa: B018
    assert desk.switches("card") == [("virtual", FIRST)]
    there.close()
    before = len(desk.heard)
    desk.put(ToyCard(), 1)
    wallet.ask("v4")
    assert len(desk.heard) == before + 1 and desk.switches() == []


@needs_pcsc
def test_what_one_role_has_taken_up_the_other_leaves_alone_whatever_lies_there_now(desk: Desk) -> None:
    taken = Taken({})
    wallet, seat = desk.phone(taken), desk.seat(taken)
    there = desk.put(ToyCard(), 0)
    seat.shared  # noqa: B018
    there.close()
    there = desk.put(phone(), 0)
    wallet.ask("v1")
    assert (desk.switches(), desk.switches("card")) == ([], [("virtual", FIRST)])
    seat.close()
    wallet.ask("v1")
    there.close()
    desk.put(ToyCard(), 0)
    again = desk.seat(taken)
    again.shared  # noqa: B018
    assert (desk.switches(), desk.switches("card")) == ([("virtual", FIRST)], [("virtual", FIRST)])
    wallet.ask("v2")
    again.shared  # noqa: B018
    assert desk.switches() == [("virtual", FIRST), (FIRST, "virtual")]
    assert desk.switches("card") == [("virtual", FIRST), ("virtual", FIRST)]


@needs_pcsc
def test_our_presenters_phone_is_one_and_its_second_generation_card_in_the_field_is_none(desk: Desk) -> None:
    for what, found in ((SECOND_IN_FIELD, []), (WALLET, [("virtual", FIRST)])):
        samples, name = Samples(what, 1, WallClock().now_ns()), desk.pcscd.readers[0]
        device = samples.exhibit(0).device
        presenter = VpcdPresenter(
            lambda device=device: device, port=desk.pcscd.ports[0], control=ControlServer("shown"), load=samples.load,
            reader=name,
        )
        presenter.takes = what
        with running(presenter):
            assert wait_until(lambda name=name: name in desk.presence.atrs())
            desk.phone().ask(what)
        assert wait_until(lambda name=name: name not in desk.presence.atrs())
        assert desk.switches() == found


@needs_pcsc
def test_first_phone_by_name_is_kept_until_it_goes_and_the_next_takes_over(desk: Desk) -> None:
    wallet = desk.phone()
    second = desk.put(phone(2), 1)
    wallet.ask("v1")
    first = desk.put(phone(1), 0)
    wallet.ask("v2")
    second.close()
    wallet.ask("v3")
    assert desk.switches() == [("virtual", SECOND), (SECOND, "virtual"), ("virtual", FIRST)]
    assert desk.asked() == [("probe/wallet/v1", SECOND), ("probe/wallet/v2", SECOND), ("probe/wallet/v3", FIRST)]
    first.close()


@needs_pcsc
def test_another_thing_in_the_phones_place_is_told_and_is_no_phone(desk: Desk) -> None:
    wallet = desk.phone()
    there = desk.put(phone(), 0)
    wallet.ask("v1")
    there.close()
    desk.put(ToyCard(), 0)
    wallet.ask("v2")
    assert desk.switches() == [("virtual", FIRST), (FIRST, "virtual")]
    assert desk.asked() == [("probe/wallet/v1", FIRST)]


@needs_pcsc
def test_reader_that_another_role_is_given_by_name_is_left_alone(desk: Desk) -> None:
    desk.put(phone(), 0)
    named = desk.phone(Taken({"card": for_role("card", "pcsc:Virtual*00 00")}))
    named.ask("v1")
    assert desk.rows == []
    desk.phone(Taken({"card": for_role("card", "pcsc:Virtual*00 01")})).ask("v1")
    assert desk.switches() == [("virtual", FIRST)]
    desk.put(sample_card(5), 1)
    assert not desk.seat(Taken({"sam": for_role("sam", SECOND)})).shared and desk.switches("card") == []
    assert not desk.seat(Taken({"sam": for_role("sam", FIRST)})).shared and desk.switches("card") == [("virtual", SECOND)]


def test_phone_at_an_nfc_device_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """nfcpy on both sides, over UDP, in place of USB."""
    rows: list[Row] = []
    radio = UdpRadio("127.0.0.1", 0)
    place = f"udp:localhost:{radio.port}"
    shown = phone()
    with ExitStack() as stack:
        air = stack.enter_context(ExitStack())
        air.enter_context(running(NfcPresenter(lambda: shown, radio, ByteStream("attached"), clock=WallClock())))
        presence = stack.enter_context(closing(Presence(None, (lambda env: nfc.source(named=(place,), env=env),))))
        assert wait_until(lambda: presence.others() == {f"nfc:{place}"})
        wallet = AttachedPhone(presence, Taken({}), None, world_of(small_morning(3), rows.append))
        stack.callback(wallet.close)
        wallet.ask("v1")
        air.close()
        monkeypatch.setattr("bench.probe.CONNECT_S", 0.5)
        wallet.ask("v2")
        wallet.ask("v3")
    assert [(row.was, row.now) for row in rows if isinstance(row, SwitchRow)] == [
        ("virtual", f"nfc:{place}"), (f"nfc:{place}", "virtual")]
    exchanges = [row for row in rows if isinstance(row, ExchangeRow)]
    assert {(row.session, row.device) for row in exchanges if row.outcome == "replied"} == {("probe/wallet/v1", f"nfc:{place}")}
    assert "probe/wallet/v3" not in {row.session for row in exchanges}  # it is left alone a while


@pytest.mark.parametrize(
    ("given", "device", "free"),
    [
        ({"card": "pcsc:ACS*"}, "pcsc:ACS ACR1252 PICC", False), ({"card": "pcsc:ACS*;T=1"}, "pcsc:acs x", False),
        ({"card": "pcsc:ACS*"}, "pcsc:Alcor", True), ({"sam": "pcsc:Alcor", "hpc": "pcsc:Identiv*"}, "pcsc:Identiv 1", False),
        ({"card": "nfc:usb"}, "nfc:usb:072f:2200", False), ({"card": "nfc:usb:072F:2200"}, "nfc:usb:072f:2200", False),
        ({"card": "nfc:usb:054c:06c1"}, "nfc:usb:072f:2200", True), ({"card": "auto", "wallet": "pcsc:*"}, "pcsc:x", True),
    ],
)
def test_device_is_free_when_no_other_role_has_it_or_a_name_for_it(given: dict[str, str], device: str, free: bool) -> None:
    taken = Taken({role: for_role(role, text) for role, text in given.items()})
    assert taken.free("wallet", device) == free
    taken.take("hpc", device)
    assert not taken.free("wallet", device) and (taken.free("hpc", device) or not free or "wallet" in given)
    taken.let_go("hpc")
    assert taken.free("wallet", device) == free
