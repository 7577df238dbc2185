"""A phone in front of somebody else's reader over Bluetooth LE, in either mode of ISO/IEC 18013-5, upon a controller of its own.

    engage() -> an engagement that offers BLE     shown to the reader by whoever presents: a QR code, a tap; None: not yet
    the reader connects                           POWER_ON for the device
    its messages                                  requests, and the device's answers
    the session ends, or the connection           LOST, and the next engagement
    ``insert``, ``eject`` of the control channel  another phone, or none: the session with the one before is ended

There is one event loop and no thread: it runs while a reader's message is awaited (:meth:`BleTransport.receive`), and rests while
the device works. Both modes can be offered at once: the phone then advertises and scans, and the reader takes which it wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from bench.presenters.control import WALLET, Message
from bench.presenters.control_server import ControlServer, Respond
from bench.presenters.serve import Persistent, Rows, Signal
from bench.presenters.slotted import Slotted
from bench.stacks.ble_end import End
from bench.stacks.bumble_radio import Radio
from bench.stacks.bumble_stack import ClientStack, ServerStack
from virtual_devices.clock import Clock
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Device
from virtual_devices.mdoc import ble_options, engagement
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_events import Phase
from virtual_devices.mdoc.ble_gatt import GattRole, Mode, Side
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.engagement import Engagement

LINGER_S = 3.0
"""A reader that stays connected after the end of its session is let go after so long."""
RETRY_S = 1.0
"""A controller that went away is looked for again so often."""
AGAIN_S = 0.05
"""After a connection that came to nothing."""
CLOSE_S = 3.0
"""What is put away and has not ended by then is left to itself: a host may wait for ever for a controller's word."""
T = TypeVar("T")


class _LoopPoll:
    """Descriptors of others, waited for in the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: Callable[[int], None]) -> None:
        self._loop, self._ready = loop, ready

    def register(self, fd: int, eventmask: int, /) -> None:
        self._loop.add_reader(fd, self._ready, fd)

    def unregister(self, fd: int, /) -> None:
        self._loop.remove_reader(fd)


class BleTransport:
    """The way of messages. ``engage`` makes the next engagement of the phone that is in, and shows it; ``report`` is told what
    goes on, for people."""

    channel = "ble"

    def __init__(self, transport: str, report: Callable[[str], None] = lambda _: None) -> None:
        self.device = f"ble:{transport}"
        self.engage: Callable[[], Engagement | None] = _nothing
        self.other: Callable[[int], object] | None = None  # for the descriptors that others put into the same loop
        self.tidy: Callable[[], float | None] = lambda: None
        self._name = transport
        self._report = report
        self._loop = asyncio.new_event_loop()
        self.poll = _LoopPoll(self._loop, self._others)
        self._tidying: asyncio.TimerHandle | None = None
        self._told = asyncio.Event()  # to stop, or that a phone has come or is to go
        self._stopped = self._inside = False
        self._seen: list[Callable[[bool], None]] = []  # all that wait for the next code
        self._leaving: list[Callable[[], None]] = []
        self._radio: Radio | None = None
        self._end: End | None = None
        self._ends: list[End] = []  # all that nobody has begun to close
        self._closing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Raises LinkError when the controller cannot be used, with what to do."""
        self._radio = self._loop.run_until_complete(Radio.open(self._name))

    @property
    def connected(self) -> bool:
        return self._end is not None

    def insert(self, seen: Callable[[bool], None] | None = None) -> None:
        """A phone can be met. ``seen`` is told False once its code is shown: no reader looks before it has seen that."""
        self._inside = True
        self._seen += [] if seen is None else [seen]
        self._told.set()

    @property
    def free(self) -> bool:
        """A phone is in, and no reader has it."""
        return self._inside and self._end is None

    def tapped(self, waits: Callable[[], bool]) -> None:
        """There is an engagement where there was none; may be called from any thread. ``waits``: whether it is still to be taken;
        asked in the thread in which engagements are."""
        def look() -> None:
            if self.free and waits():
                self.insert()

        with suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(look)

    def anew(self, shown: Callable[[bool], None]) -> bool:
        """The next engagement in place of the one that is shown. False while a reader has the phone: then it comes by itself."""
        if not self.free:
            return False
        self.insert(shown)
        return True

    def remove(self, left: Callable[[], None]) -> None:
        """The phone ends its session and goes, whatever is under way; ``left`` is called when nobody can meet it any more."""
        self._leaving.append(left)
        self._told.set()

    def stop(self) -> None:
        """End :meth:`receive`; may be called from any thread."""
        self._stopped = True
        with suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(self._told.set)

    def close(self) -> None:
        if not self._loop.is_closed():
            if self._tidying is not None:
                self._tidying.cancel()
            self._loop.run_until_complete(self._close_ends())
            if self._radio is not None:
                self._loop.run_until_complete(_at_most(self._radio.close()))
            self._loop.run_until_complete(_nothing_left())
            self._loop.close()

    # -- what a transport does

    def receive(self) -> bytes | Signal:
        while not self._stopped:
            if self._leaving:
                if self._leave():
                    return Signal.LOST
                continue
            self._told.clear()  # only now: a phone that came as another left is met once, by one code
            if self._stopped:  # told between the two
                break
            had = self._end is not None
            came = self._loop.run_until_complete(self._unless_told(self._next()))
            if came is not None:
                return came
            if had and self._end is None:  # told while the session that ended was put away
                return Signal.LOST
        return Signal.END

    def _leave(self) -> bool:
        """The phone goes. Whether a reader had it."""
        had, self._end, self._inside = self._end is not None, None, False
        self._loop.run_until_complete(self._close_ends())
        self._tell_seen()  # who still waited: there is no code any more
        leaving, self._leaving = self._leaving, []
        for left in leaving:
            left()
        return had

    def _others(self, fd: int) -> None:
        if self.other is not None:
            self.other(fd)
        self._tidy()

    def _tidy(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
        due_s = self.tidy()
        self._tidying = None if due_s is None else self._loop.call_later(max(0.0, due_s), self._tidy)

    def reply(self, message: bytes) -> bool:
        """An empty answer is none: the session has ended by the reader's word."""
        end = self._end
        if end is None or not message:
            return False
        if end.machine.phase.final:
            return False
        self._loop.run_until_complete(end.send(message))
        return end.ended is None or end.ended.phase is Phase.ENDED_BY_US

    async def _unless_told(self, work: Coroutine[Any, Any, T]) -> T | None:
        """None when the transport was told something first."""
        doing = asyncio.ensure_future(work)
        told = asyncio.ensure_future(self._told.wait())
        try:
            await asyncio.wait((doing, told), return_when=asyncio.FIRST_COMPLETED)
            return doing.result() if doing.done() else None
        finally:
            await _cancelled(told, doing)

    async def _next(self) -> bytes | Signal:
        if not self._inside:
            await asyncio.get_running_loop().create_future()  # until somebody tells otherwise
        if self._end is None:
            self._end = await self._meet()
            self._report("a reader has connected")
            return Signal.POWER_ON
        message = await self._end.receive()
        if message is not None:
            return message
        self._report(_how(self._end))
        await self._let_go()
        return Signal.LOST

    async def _meet(self) -> End:
        """Wait for a reader, at the next engagement: a connection that came to nothing does not use it up."""
        await self._close_ends()  # what was told meanwhile may have left some
        shown = self.engage()
        self._tell_seen()
        if shown is None:
            await asyncio.get_running_loop().create_future()  # until there is one
        assert shown is not None
        while True:
            radio, options = await self._there(), _offer(shown)
            ends = [self._make(radio, shown, mode, options) for mode in options.modes]
            met = await self._first(ends, radio)
            if met is not None:
                return met
            await asyncio.sleep(AGAIN_S)

    def _tell_seen(self) -> None:
        waiting, self._seen = self._seen, []
        for seen in waiting:
            seen(False)

    async def _first(self, ends: Sequence[End], radio: Radio) -> End | None:
        """The end on which a session opened, though it may have ended since; the others are closed. None when none did."""
        waits = [asyncio.create_task(end.start()) for end in ends]
        lost = asyncio.ensure_future(asyncio.shield(radio.lost))
        met: End | None = None
        try:
            await asyncio.wait((*waits, lost), return_when=asyncio.FIRST_COMPLETED)
            tried = [end for end, wait in zip(ends, waits, strict=True) if wait.done()]
            met = next((end for end in tried if end.opened), None)
            if met is None and tried:
                self._report(_how(tried[0]))
            return met
        except asyncio.CancelledError:
            met = None  # nobody would be told of it
            raise
        finally:
            await _cancelled(*waits, lost)
            await self._close_ends(but=met)

    async def _there(self) -> Radio:
        """The controller, opened again where it had gone."""
        while self._radio is None or self._radio.lost.done():
            if self._radio is not None:
                self._report(f"the controller {self._name} has gone")
                await self._radio.close()
                self._radio = None
            try:
                self._radio = await Radio.open(self._name)
            except LinkError:
                await asyncio.sleep(RETRY_S)
        return self._radio

    def _make(self, radio: Radio, shown: Engagement, mode: Mode, options: BleOptions) -> End:
        service = options.service(mode)
        assert service is not None
        machine = BleLink(mode, Side.MDOC, service, shown.key_bytes)
        self._ends.append(End(machine, ServerStack(radio) if machine.role is GattRole.SERVER else ClientStack(radio)))
        return self._ends[-1]

    async def _let_go(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            if end.machine.role is GattRole.SERVER:  # it is the client's to disconnect
                with suppress(TimeoutError):
                    await asyncio.wait_for(end.gone.wait(), LINGER_S)
            await self._close_ends()

    async def _close_ends(self, but: End | None = None) -> None:
        """To the last, whoever is cancelled meanwhile: closing takes what an end serves off the controller, and would take off
        what the next one has put there."""
        left = [end for end in self._ends if end is not but]
        self._ends = [end for end in self._ends if end is but]
        self._closing = asyncio.ensure_future(_closed(left, self._closing))
        self._closing.add_done_callback(_seen)
        await asyncio.shield(self._closing)


async def _closed(ends: Sequence[End], before: asyncio.Task[None] | None) -> None:
    """One after the other, and after what is being closed."""
    if before is not None:
        await asyncio.wait((before,))
    for end in ends:
        await _at_most(end.close())


def _offer(shown: Engagement) -> BleOptions:
    method = shown.method(engagement.BLE)
    if method is None:
        raise UsageError("this engagement offers no Bluetooth, so nobody could come")
    return ble_options.parse(list(method))


def _how(end: End) -> str:
    ended = end.ended
    if ended is None:
        return "the reader has gone"
    problem = f": {ended.problem.value}" if ended.problem is not None else ""
    return f"the session is {ended.phase.value}{problem}" + (f" ({ended.detail})" if ended.detail else "")


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.add_done_callback(_seen)
        task.cancel()
    await asyncio.wait(tasks, timeout=2 * CLOSE_S)  # twice: one of them may itself be putting things away


async def _at_most(work: Coroutine[Any, Any, None]) -> None:
    """End this within :data:`CLOSE_S`, or leave it."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_seen)
    done, _ = await asyncio.wait((task,), timeout=CLOSE_S)
    if not done:
        task.cancel()
        await asyncio.wait((task,), timeout=CLOSE_S)
    elif not task.cancelled():
        task.result()


async def _nothing_left() -> None:
    """What bumble began for a controller that has gone waits for ever: it is ended with the loop."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        await _cancelled(*left)


def _seen(task: asyncio.Future[Any]) -> None:
    """Its error is nobody's to tell of: an interrupt strikes whatever the loop is at."""
    if not task.cancelled():
        task.exception()


def _nothing() -> Engagement:
    raise UsageError("no phone is in that could engage")


class BlePresenter(Slotted):
    """One phone (a device behind ``MessageFace``), and the control channel that exchanges it. ``engage`` makes the next
    engagement of the phone that is in, and shows it. :meth:`run` blocks; a KeyboardInterrupt within it would strike the event
    loop wherever it is at: let Ctrl-C call :meth:`stop`."""

    medium = "ble"
    takes = WALLET
    unseen = False  # the code that is shown is that of the phone that is in

    def __init__(
        self, source: Callable[[], Device | None], transport: str, engage: Callable[[Device], Engagement | None],
        control: ControlServer | None = None, *, load: Callable[[bytes], Persistent] | None = None,
        rows: Rows = Rows(role="wallet"), clock: Clock | None = None, report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._transport, self._engage = BleTransport(transport, report), engage
        self.reader = self._transport.device
        super().__init__(source, self._transport, control, load=load, rows=rows, clock=clock)

    @property
    def free(self) -> bool:
        """A phone is in, and no reader has it."""
        return self._transport.free

    def tapped(self, waits: Callable[[], bool]) -> None:
        """``engage`` has an engagement now, as long as ``waits``; may be called from any thread."""
        self._transport.tapped(waits)

    def prepare(self, device: Device) -> None:
        self._transport.engage = partial(self._engage, device)

    def _asked(self, request: Message, respond: Respond) -> None:
        """``holder`` with ``engage``: the phone shows a new engagement, whatever was on its screen."""
        if request.get("op") == "holder" and request.get("act") == "engage":
            def shown(by_reader: bool) -> None:
                respond({"met": by_reader})

            if not self._transport.anew(shown):
                respond({"met": self._transport.connected})
            return
        super()._asked(request, respond)

    def run(self) -> None:
        """Raises LinkError when the controller cannot be used."""
        try:
            self._transport.open()
        except BaseException:
            self._transport.close()
            raise
        super().run()


__all__ = ["BlePresenter", "BleTransport"]
