"""Soaking: presentations over a real stack in which things go wrong again and again, at random moments that follow from a seed.

    ./bench.sh soak --channel pcsc --n 10000 [--seed 1] [--json FILE] [--trouble 0.05] [--lanes 4]

A visit is two presentations of a phone: registration, then a record written back. What failed is tried again, as people do.
After each :data:`VISITS` visits the books are closed: the data centre has each visit once, the phone each record once, with the
receipt that the desk was given. It must hold besides: every exchange ends within its limit; no process, thread, descriptor or
file is left; the heap has grown by at most 5 MiB since the first 1,000 presentations. Exit code 0; 1 when something does not
hold; 3 when the machine lacks something; 130 after Ctrl-C or SIGTERM, with the figures of the days that were closed.

Most of the time is waiting: for a frame that was lost, for a peer that starts. So lanes may run side by side, each a process with
a stack, a presenter and a seed of its own (``tests/soak_lanes.py``).
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast
from unittest.mock import patch

from bench.exits import ENVIRONMENT, INTERRUPTED, PASS
from virtual_devices.cloud.issuer import CardIssuer
from virtual_devices.errors import LinkError
from virtual_devices.link import RESET, AddressedLink, Attempt, Link, Outcome
from virtual_devices.randomness import stream
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.wallet_visit import VirtualRegistered, register_wallet, write_wallet
from virtual_devices.write_back import Kind, Receipt, Record, read_record

from . import wallets
from .conftest import TOOLS
from .desk import AUTHORITY, INSTITUTION, NOW_NS
from .far_device import Home
from .soak_figures import Figures, Left
from .soak_lanes import side_by_side
from .soak_ways import WAYS, Way
from .wallets import HolderOf, WalletBench

VISITS = 25
"""So many visits make a day: then the books are closed, and another holder comes with another phone."""
TRIES = 20
"""Of one presentation. People give up sooner; here nothing may be lost."""
PORTRAIT_BYTES = 1000
"""Less than a photograph has: here many presentations count, not long ones."""
LATE_S = 2.0
"""How much later than its limit an exchange may end: a killed process has to be waited for, on a machine that others use too."""


STARTING_S = 10.0
"""What the start of a worker takes is added to a limit: seconds at most, also here. The driver itself gives up later still."""


class Stuck(Exception):
    """A presentation that cannot be had."""


class Troubled:
    """The link of a soak: it keeps to limits of its own, counts, and has trouble begin at the exchange that was drawn."""

    def __init__(self, way: Way, figures: Figures) -> None:
        self.inner, self._way, self._figures = way.link, way, figures
        self.channel, self.device, self.provenance = self.inner.channel, self.inner.device, self.inner.provenance
        self._at, self._what, self._rng = -1, "", Random(0)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._pid: int | None = None

    def arm(self, at: int, what: str, rng: Random) -> None:
        """The trouble comes with exchange number ``at`` from now on."""
        self._at, self._what, self._rng = at, what, rng

    def settle(self) -> None:
        """Wait until what went wrong is right again. Raises what the trouble itself ran into."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            raise self._failure

    def _next(self) -> None:
        if self._at == 0 and self._thread is None:
            self._thread = threading.Thread(target=self._trouble, name=self._what)
            self._thread.start()
        self._at -= 1

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self._next()
        if message:
            attempt = self._timed(lambda limit_s: self.inner.attempt(message, limit_s), self._way.exchange_s)
            if attempt.reply == b"":  # the good-bye: a phone waits for the reader to let it go
                self.inner.disconnect()
            return attempt
        self.inner.disconnect()
        return self._timed(self.inner.connect, self._way.connect_s)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        """Over a medium on which the phone is found by its engagement."""
        self._next()
        inner = self.inner
        if not isinstance(inner, AddressedLink):
            return self.attempt(RESET, timeout_s)
        inner.disconnect()
        return self._timed(lambda limit_s: inner.connect_to(address, limit_s), self._way.connect_s)

    def _timed(self, act: Callable[[float], Attempt], limit_s: float) -> Attempt:
        began = time.monotonic()
        starting_s = 0.0 if self.inner.worker_pid else STARTING_S
        attempt = act(limit_s)
        self._note(attempt, time.monotonic() - began - limit_s - starting_s)
        return attempt

    def _note(self, attempt: Attempt, late_s: float) -> None:
        figures, said = self._figures, self.inner.last_error
        figures.exchanges += 1
        figures.outcomes[attempt.outcome.value] += 1
        figures.latest_s = max(figures.latest_s, late_s)
        if late_s > LATE_S:
            figures.broken.append(f"an exchange ended {late_s:.1f} s after its limit: {attempt.outcome.value}, {said}")
        if attempt.outcome is not Outcome.REPLIED and not said:
            figures.broken.append(f"{attempt.outcome.value} without a word for a person")
        if self.inner.worker_pid not in (None, self._pid):
            self._pid = self.inner.worker_pid
            figures.workers += 1

    def _trouble(self) -> None:
        try:
            time.sleep(self._rng.expovariate(1 / 0.002))  # in the middle of it, or after
            self._way.troubles[self._what](self._rng)
        except BaseException as e:  # who waits for the end of it hears of it
            self._failure = e


class Day:
    """One holder with a phone, one data centre, and the visits of a day."""

    def __init__(self, number: int, counter: Counter) -> None:
        self.number = number
        issuer = CardIssuer(AUTHORITY, f"soak {number}")
        with patch.object(wallets, "ISSUER", issuer), patch.object(wallets, "portrait", lambda *_: bytes(PORTRAIT_BYTES)):
            self.bench = WalletBench(counter=counter)
        self.bench.rows = _Nothing()
        self.bench.ready()
        self.written: dict[bytes, tuple[VirtualRegistered, Receipt]] = {}

    def visit(self, number: int, present: Callable[[Callable[[], Any]], Any], links: Mapping[str, Link]) -> None:
        """Register, and write one record."""
        bench, counter = self.bench, self.bench.counter
        request, record, act = bench.request(f"visit {number}"), bench.act(f"record {number}"), bench.act(f"write {number}")

        def records(holder: bytes) -> Sequence[Record]:
            return [Record(Kind.VISIT, record, holder, NOW_NS, {1: registered.sequence, 2: "01", 3: INSTITUTION})]

        def write() -> Receipt:
            flow = write_wallet(bench.desk, counter, registered, records, act, bench.doctor)
            return cast(Receipt, bench.run(flow, **links))

        registered: VirtualRegistered = present(lambda: bench.run(register_wallet(bench.desk, counter, request), **links))
        self.written[record] = (registered, present(write))

    def close(self, figures: Figures) -> None:
        """Nothing lost, nothing doubled: data centre, phone and desk say the same."""
        bench, day = self.bench, f"day {self.number}"
        begun = sorted(visit.request_id for visit in bench.core.visits)
        if begun != sorted(registered.request.request_id for registered, _ in self.written.values()):
            figures.broken.append(f"{day}: {len(begun)} visits at the data centre for {len(self.written)} at the desk")
        held = [read_record(raw)[0].id for raw in bench.phone.records().all()]
        if sorted(held) != sorted(self.written):
            figures.broken.append(f"{day}: {len(held)} records on the phone, {len(set(held))} different, of {len(self.written)}")
        generations = [receipt.generation for _, receipt in self.written.values()]
        if generations != list(range(1, len(generations) + 1)):
            figures.broken.append(f"{day}: receipts of generations {generations}")
        if bench.desk.batches:
            figures.broken.append(f"{day}: {len(bench.desk.batches)} batches without a receipt")
        for _, receipt in self.written.values():
            figures.stored[receipt.outcome.name.lower()] += 1


class _Nothing(list[Any]):
    """Rows that nobody reads."""

    def append(self, row: Any) -> None:
        return


class Soak:
    """One run over one channel. ``trouble``: the share of presentations in which something goes wrong."""

    def __init__(self, channel: str, seed: int, trouble: float, folder: Path) -> None:
        self.figures = Figures(channel, seed)
        self._folder, self._trouble = folder, trouble
        self._rng = stream("soak", channel, seed)

    def run(self, presentations: int, say: Callable[[str], None] = lambda _: None) -> Figures:
        """Raises LinkError when the channel cannot be made here. It ends early when a presentation cannot be had."""
        figures, before, began = self.figures, Left.now(), time.monotonic()
        make = WAYS[figures.channel][0]
        day, way = Day(0, make.counter), make(self._folder, figures.seed)
        home = Home(way.face(day.bench.phone), self._folder / "home", day.bench.clock)
        try:
            way.begin(day.bench.phone, home)
            with way:
                link = Troubled(way, figures)
                try:
                    self._days(way, home, day, presentations, link, say)
                finally:
                    link.settle()
        except KeyboardInterrupt:
            figures.interrupted = True
        except Stuck as e:
            figures.broken.append(str(e))
        finally:
            home.close()
        figures.spent_s = time.monotonic() - began
        figures.broken += Left.now().more_than(before)
        left = [path.name for path in self._folder.iterdir() if path.name != "peer.state"]  # where an image would be kept
        if left:
            figures.broken.append(f"files left behind: {', '.join(sorted(left))}")
        figures.judge_heap()
        return figures

    def _days(
        self, way: Way, home: Home, day: Day, presentations: int, link: Troubled, say: Callable[[str], None],
    ) -> None:
        figures = self.figures

        def present(flow: Callable[[], Any]) -> Any:
            return self._present(flow, way, link)

        while True:
            day.bench.people = _Holder(way, home, day.bench)  # type: ignore[assignment]
            for number in range(min(VISITS, (presentations - figures.presentations + 1) // 2)):
                day.visit(number, present, {way.role: link})
                figures.visits += 1
            day.close(figures)
            figures.look_at_heap()
            say(figures.progress())
            if figures.presentations >= presentations:
                return
            day = Day(day.number + 1, way.counter)
            home.exchange(way.face(day.bench.phone), day.bench.clock)
            way.begin(day.bench.phone, home)

    def _present(self, flow: Callable[[], Any], way: Way, link: Troubled) -> Any:
        """One presentation, in which something may go wrong, tried until it is had."""
        figures, rng = self.figures, self._rng
        if rng.random() < self._trouble:
            what = rng.choice(sorted(way.troubles))
            figures.troubles[what] += 1
            link.arm(rng.randrange(way.spread), what, Random(rng.random()))
        for _ in range(TRIES):
            figures.tries += 1
            try:
                result = flow()
            except Ended as e:
                figures.refusals["the medium failed" if e.torn else f"{e.role} {e.code}"] += 1
                continue
            link.settle()
            figures.presentations += 1
            return result
        raise Stuck(f"{TRIES} tries of one presentation failed; the last one: {link.inner.last_error}")


class _Holder(HolderOf):
    """The holder's hand and the reader's field are not at the phone at once."""

    def __init__(self, way: Way, home: Home, bench: WalletBench) -> None:
        super().__init__(bench)
        self._way, self._home = way, home

    def ask(self, person: str, act: str) -> tuple[int, str]:
        self._way.holder_is_asked(self.bench.phone, self._home, self.bench.screen, act)
        with self._home.lock, patch.object(self.bench, "counter", Counter()):  # a code is on the screen already
            return super().ask(person, act)


def main() -> int:
    """The command."""
    says = (__doc__ or "").replace(":data:`VISITS`", str(VISITS)).replace("``", "")
    parser = argparse.ArgumentParser("./bench.sh soak", description=says, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channel", choices=sorted(WAYS), required=True, help="over which stack: pcscd, nfcpy, bleak, or codes")
    parser.add_argument("--n", type=int, default=200, help="presentations (200)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which something goes wrong (1)")
    parser.add_argument("--trouble", type=float, default=0.05, help="share of presentations in which something goes wrong (0.05)")
    parser.add_argument("--lanes", type=int, default=1, help="processes side by side, each with the next seed (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args()
    if not (1 <= asked.lanes <= asked.n and 0 <= asked.trouble <= 1):
        parser.error("--n is 1 at least, --lanes from 1 to --n, --trouble from 0 to 1")
    for tool in WAYS[asked.channel][1]:
        if missing := TOOLS[tool].missing():
            sys.stderr.write(f"soak: {missing} is missing; {TOOLS[tool].remedy}\n")
            return ENVIRONMENT
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job is told by SIGTERM
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        try:
            if asked.lanes > 1:
                figures = side_by_side(asked.channel, asked.seed, asked.trouble, Path(folder), asked.n, asked.lanes)
            else:
                figures = Soak(asked.channel, asked.seed, asked.trouble, Path(folder)).run(asked.n, _say)
        except LinkError as e:
            sys.stderr.write(f"soak: {e}\n")
            return ENVIRONMENT
    figures.show()
    if asked.json:
        asked.json.write_text(figures.to_json() + "\n", encoding="utf-8")
    return 1 if figures.broken else INTERRUPTED if figures.interrupted else PASS


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
