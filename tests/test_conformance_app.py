"""A real phone's app under test: its codes read from a picture, what it holds and what its holder does, led or asked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bench.drivers import http, qr
from bench.duts import Dut
from bench.hands import Step, unseen
from bench.presenters.control import discover
from bench.reach import Means
from bench.reach.phone_app import ISSUERS, AskedApp, Eyes
from bench.reach.phone_line import AS, PATH, PhoneLine
from bench.reach.wallet import SAME_CODE_S, Code
from bench.stacks.bluez import PrivateBluetooth
from conformance.case import Kind
from conformance.kinds import suites
from conformance.tester import CannotShow
from conformance.vectors.pictures import png
from conformance.vectors.world import World
from conformance.verdict import Verdict
from virtual_devices.clock import VirtualClock
from virtual_devices.link import Attempt, Outcome, Provenance
from virtual_devices.qr.parts import split
from virtual_devices.qr.text import CARD, PRESCRIPTION
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import ExchangeRow, Row

from .processes import wait_until
from .test_conformance_broken import judged, tried

LIMIT_S = 60.0
CODES, WARD, LATE = "wallet.codes.", "wallet.ward.", "wallet.late-records."


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dut]:
    folder = tmp_path_factory.mktemp("app")
    code = folder / "code.png"
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        bluetooth = stack.enter_context(PrivateBluetooth())
        process = subprocess.Popen([
            sys.executable, "-m", "bench.cli", "present", "ble", "--transport", bluetooth.transport, "--engagement", "png",
            "--out", str(code), "--name", "app"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        assert wait_until(lambda: code.exists() and bool(discover()), LIMIT_S)
        means = Means(env=bluetooth.env, answers={"answer_s": 60})
        yield Dut(suites()[Kind.WALLET], f"qr:{code} + ble:", "ble", destructive=True, means=means)


def test_code_of_a_session_is_used_up_but_somebody_elses_phone_may_show_it_on() -> None:
    ours, others = Code(ours=True), Code()
    for code, shown_on in ((ours, False), (others, True)):
        assert code.seen(b"first", 0.0)
        code.opened()
        assert not code.seen(b"first", 0.0) and code.seen(b"first", 2 * SAME_CODE_S) is shown_on
        assert code.seen(b"second", 0.0)
        code.connected()  # and no session opened
        assert not code.seen(b"second", 0.0) and code.seen(b"second", 2 * SAME_CODE_S)
        code.spoken()
        assert not code.seen(b"second", 2 * SAME_CODE_S)


@pytest.mark.needs("dbus")
def test_our_presented_phone_is_filled_and_shows_its_codes(phone: Dut) -> None:
    names = [
        f"{CODES}code-answers-a-challenge", f"{CODES}challenge-has-limits[too-long]",
        f"{CODES}prescription-is-shown-as-it-was-written[sixty-orders]", f"{CODES}start-ends-every-consent",
        f"{CODES}wards-code-names-the-guardian", f"{CODES}chosen-card-is-the-one-that-is-shown",
        f"{LATE}late-records-are-settled[visit]", f"{WARD}empty-wallet-says-so", f"{CODES}code-is-as-its-rule",
        "wallet.request.request-is-answered[write-back]",
        "wallet.online.enrolment-brings-the-card", "wallet.answers.answer-with-wrong-parts-is-not-believed[no-map]",
    ]
    found = tried(replace(phone), names, {})
    assert [one.verdict for one in found] == [Verdict.PASS] * len(names), judged(found)
    rows = [row for row in found[0].rows if isinstance(row, ExchangeRow) and row.role == "screen"]
    assert rows and {row.provenance for row in rows} == {"measured"}


@dataclass
class Line:
    """Answers one message, and then no more."""

    answers: list[bytes | None]
    waits_s: list[float] = field(default_factory=list)
    channel, device, provenance = "network", "", Provenance.MODELLED

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self.waits_s.append(timeout_s)
        answer = self.answers.pop(0)
        return Attempt(Outcome.TIMED_OUT, 0) if answer is None else Attempt(Outcome.REPLIED, 0, message + answer)


def test_line_answers_as_the_case_does_and_sees_how_long_a_phone_waits() -> None:
    home, line = PhoneLine(1), Line([b" answered", None])
    told = {"VHC_BENCH_CREDENTIALS": str(home.credentials), "VHC_BENCH_CREDENTIALS_AS": AS}
    try:
        with http.open(home.url, env=told) as link:
            found: list[Attempt] = []
            for limit_s in (30.0, 0.6):
                asking = threading.Thread(target=lambda limit_s=limit_s: found.append(link.attempt(b"asked", limit_s)))
                asking.start()
                assert home.serve(line, lambda asking=asking: not asking.is_alive(), LIMIT_S)
            assert [one.reply for one in found] == [b"asked answered", None] and found[1].outcome is Outcome.TIMED_OUT
            assert line.waits_s[-1] in (0.0, 1.0)
            assert not home.serve(line, lambda: False, 0.1)
    finally:
        home.close()


def test_line_does_not_answer_for_this_case_what_a_phone_gave_up_in_the_one_before() -> None:
    home, line, said = PhoneLine(1), Line([b" answered"]), list[bytes]()

    async def asks(message: bytes, *, stays: bool) -> None:
        heard = [{"type": "http.request", "body": message}, {"type": "http.disconnect"}]

        async def receive() -> dict[str, Any]:
            if stays and len(heard) == 1:
                await asyncio.get_running_loop().create_future()
            return heard.pop(0)

        async def send(part: dict[str, Any]) -> None:
            said.append(part.get("body", b""))

        await home._hears({"type": "http", "method": "POST", "path": PATH}, receive, send)

    async def both() -> None:
        await asks(b"the case before", stays=False)
        await asks(b"this case", stays=True)

    asking = threading.Thread(target=asyncio.run, args=(both(),))
    asking.start()
    try:
        assert wait_until(lambda: home._asked.qsize() == 2, LIMIT_S)
        assert home.serve(line, lambda: not asking.is_alive(), LIMIT_S)
        assert said == [b"", b"this case answered"]
    finally:
        asking.join(LIMIT_S)
        home.close()


# -- somebody else's

@dataclass
class Shower:
    """A person who shows texts to the camera, one after the other, and says when it is done; None: shows nothing."""

    screen: Path
    shows: list[str | None]
    why_none: str = ""
    asked: list[str] = field(default_factory=list)

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        del limit_s
        self.asked.append(f"{step.value} {about}".strip())
        for text in self.shows if step is Step.SHOW_CODE else []:
            if text is not None:
                self.screen.write_bytes(png(text))
            if seen():
                return True
        return True


class Strangers:
    """A stranger's phone's app, and what was noted of it."""

    def __init__(self, folder: Path, shows: list[str | None], picture: str = "") -> None:
        screen = folder / "screen.png"
        screen.write_bytes(png("mdoc:of-before"))
        self.hands, self.rows = Shower(screen, shows), list[Row]()
        self.link = qr.open(str(screen))
        self.app = AskedApp(self.hands, 5.0, Eyes(self.link, VirtualClock(0)), picture)
        self.app.begin(World(1), "case", self.rows.append)

    def __enter__(self) -> AskedApp:
        return self.app

    def __exit__(self, *exc: object) -> None:
        self.link.close()


def test_person_shows_the_cards_code_or_the_phone_shows_none(tmp_path: Path) -> None:
    for shows, text in (([f"{CARD}ABC"], f"{CARD}ABC"), ([None], "")):
        strangers = Strangers(tmp_path, list(shows))
        with strangers as app:
            assert app.code() == text
        assert {row.outcome for row in strangers.rows if isinstance(row, ExchangeRow)} >= {"replied" if text else "timed_out"}


def test_reader_with_a_challenge_shows_it_in_a_picture(tmp_path: Path) -> None:
    with Strangers(tmp_path, [f"{CARD}ABC"]) as app, pytest.raises(CannotShow, match="'challenge' in the PIXIT"):
        app.code("VHR1:ABC")
    picture = tmp_path / "reader.png"
    strangers = Strangers(tmp_path, [f"{CARD}ABC"], str(picture))
    with strangers as app:
        assert app.code("VHR1:ABC") == f"{CARD}ABC"
    assert picture.read_bytes() == png("VHR1:ABC") and str(picture) in strangers.hands.asked[0]


def test_prescriptions_are_put_together_from_what_was_shown(tmp_path: Path) -> None:
    parts = split(PRESCRIPTION + "A" * 1500, ByteStream("parts"))
    with Strangers(tmp_path, [*parts, f"{PRESCRIPTION}B"]) as app:
        assert app.prescriptions() == [parts, [f"{PRESCRIPTION}B"]]


def test_what_its_issuer_alone_can_do_is_not_applicable(tmp_path: Path) -> None:
    with Strangers(tmp_path, []) as app:
        assert {app.lacks(act) for act in ("fill", "bring", "choose")} == {ISSUERS} and not app.lacks("code")
        for act in (lambda: app.bring(b""), lambda: app.choose("ward")):
            with pytest.raises(CannotShow, match="issuer"):
                act()


def test_person_switches_it_off_and_on(tmp_path: Path) -> None:
    strangers = Strangers(tmp_path, [])
    with strangers as app:
        app.restart()
    assert strangers.hands.asked == ["switch-off", "switch-on"]
