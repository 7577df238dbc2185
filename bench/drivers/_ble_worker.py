"""The process that holds the radio for one link, or watches adapters; what travels: :class:`bench.drivers.ble.Op`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any, cast

import cbor2

from bench.drivers._ble_values import Values, Wild
from bench.drivers.ble import ANSWER, BUMBLE, DEADLINE, NOT_ENGAGED, OUTCOMES, SWITCHED_OFF, Op, adapter_of
from bench.frames import Tape
from bench.stacks.ble_end import End, Stack, StackTrouble
from bench.stacks.ble_taped import Taped
from bench.worker_loop import answer_in_loop
from virtual_devices.errors import LinkError
from virtual_devices.link import Layer, Outcome
from virtual_devices.mdoc import ble_options, engagement
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_events import Ended, Phase
from virtual_devices.mdoc.ble_gatt import BleUsageError, GattRole, Mode, Problem, Side, gatt_role
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.tagged import MalformedMdoc

LOOK_S = 0.25
"""How often a radio that is not there is looked for."""
RETRY_S = 0.05
NO_BUS = "no system D-Bus answers, and Linux's Bluetooth service is reached by it: is this a container? start dbus and bluetoothd"
NO_SERVICE = "the Bluetooth service (BlueZ) does not run: apt-get install bluez, systemctl start bluetooth"
NO_ADAPTER = "no Bluetooth adapter: plug a dongle in, or look with 'rfkill list' whether it is blocked"
DENIED = "this user may not use the Bluetooth service: join the group bluetooth, or ask the administrator"


class Ends(Exception):
    """How an operation ended otherwise than well."""

    def __init__(self, outcome: Outcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


class Phone:
    """The one link: its radio where it has one of its own, and its connection."""

    def __init__(self) -> None:
        self._end: End | None = None
        self._radio: Any = None
        self._last = NOT_ENGAGED
        self.tape = Tape(Layer.ATT)
        self.values = Values(self._wild, self._part)

    # -- what is asked

    async def ready(self, payload: bytes) -> bytes:
        asked = cbor2.loads(payload)
        return await self._timed(_deadline(asked), self._wait_for_radio(asked["spec"]))

    async def connect(self, payload: bytes) -> bytes:
        asked = cbor2.loads(payload)
        return await self._timed(_deadline(asked), self._connect(asked["spec"], asked["address"]))

    async def exchange(self, payload: bytes) -> bytes:
        (deadline,) = DEADLINE.unpack_from(payload)
        return await self._timed(deadline, self._exchange(payload[DEADLINE.size :], wait=True))

    async def send(self, payload: bytes) -> bytes:
        (deadline,) = DEADLINE.unpack_from(payload)
        return await self._timed(deadline, self._exchange(payload[DEADLINE.size :], wait=False))

    async def receive(self, payload: bytes) -> bytes:
        (deadline,) = DEADLINE.unpack_from(payload)
        return await self._timed(deadline, self._receive())

    async def disconnect(self, _: bytes = b"") -> bytes:
        await self.values.close()
        return await self._part()

    async def _part(self) -> bytes:
        end, self._end = self._end, None
        if end is not None:
            await end.close()
        self._last = NOT_ENGAGED
        return b""

    async def frames(self, _: bytes) -> bytes:
        return self.tape.told()

    async def close(self) -> None:
        await self.disconnect()
        if self._radio is not None:
            await self._radio.close()

    async def _timed(self, deadline: float, work: Awaitable[tuple[bytes, int]]) -> bytes:
        """Measured, and ended at the limit: then the connection is dropped, since an answer that comes late would be taken for
        the next one's."""
        began = time.perf_counter_ns()
        self.tape.begin()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                reply, sent = await work
            outcome, text = Outcome.REPLIED, reply
        except TimeoutError:
            text = f"no answer within the limit: {self._waited_for()}; connect again".encode()
            outcome, sent = Outcome.TIMED_OUT, 0
        except Ends as e:
            outcome, text, sent = e.outcome, str(e).encode(), 0
        took = time.perf_counter_ns() - began
        mtu = self._end.machine.mtu if self._end is not None else 0
        if outcome is not Outcome.REPLIED:
            await self.disconnect()
            self._last = text.decode()
        return ANSWER.pack(OUTCOMES.index(outcome), mtu, took, sent - began if sent else -1) + text

    def _waited_for(self) -> str:
        match None if self._end is None else self._end.machine.phase:
            case None:
                return "the radio could not be used"
            case Phase.SEEKING:
                return "nobody advertises this engagement's service: is the phone near, its Bluetooth on, the code still shown?"
            case Phase.OPEN:
                return "the phone says nothing"
            case phase:
                return f"the phone stays {phase.value}"

    # -- how it is done

    async def _connect(self, spec: str, address: bytes) -> tuple[bytes, int]:
        await self.disconnect()
        try:
            shown = engagement.read(address)
        except MalformedMdoc as e:
            raise Ends(Outcome.GONE, f"no engagement: {e.what}; scan another code") from None
        mode, service = _choose(shown, spec)
        if spec.startswith(BUMBLE):  # the computer's own is looked at when it fails: a look costs as much as an exchange
            await self._wait_for_radio(spec)
        while True:
            machine = BleLink(mode, Side.READER, service, shown.key_bytes)
            stack = self._stack(spec, machine)
            self._end = End(machine, Taped(stack, self.tape) if self.tape.on else stack)
            await self._end.start()
            ended = self._end.ended
            if ended is None:
                return b"", 0
            await self._end.close()
            if not _worth_another_try(ended):
                raise _as_outcome(ended)
            await asyncio.sleep(RETRY_S)
            await self._wait_for_radio(spec)

    async def _exchange(self, message: bytes, wait: bool) -> tuple[bytes, int]:
        end = self._there()
        if end.ended is not None:
            raise _as_outcome(end.ended)
        try:
            sent = await end.send(message)
        except BleUsageError as e:
            raise Ends(Outcome.GONE, f"{e}; connect again") from e
        if not wait or (end.ended is not None and end.ended.phase is Phase.ENDED_BY_US):
            return b"", sent
        return (await self._receive())[0], sent

    async def _receive(self) -> tuple[bytes, int]:
        end = self._there()
        message = await end.receive()
        if message is None:
            assert end.ended is not None
            raise _as_outcome(end.ended)
        return message, 0

    def _there(self) -> End:
        if self._end is None:
            raise Ends(Outcome.GONE, self._last)
        return self._end

    def _stack(self, spec: str, machine: BleLink) -> Stack:
        if spec.startswith(BUMBLE):
            from bench.stacks.bumble_stack import ClientStack, ServerStack

            return ServerStack(self._radio) if machine.role is GattRole.SERVER else ClientStack(self._radio)
        from bench.stacks.bleak_stack import BleakStack

        return BleakStack(_fitting(spec), adapter_of(spec))

    async def _wild(self, spec: str, mode: Mode, side: Side) -> Wild:
        """A stack for values one by one, in the role that this side has in that mode."""
        from bench.stacks.ble_wild import bleak_client, bumble_client, bumble_server

        try:
            await self._wait_for_radio(spec)
        except Ends as e:
            raise StackTrouble(str(e)) from e
        if not spec.startswith(BUMBLE):
            return cast(Wild, bleak_client(_fitting(spec), adapter_of(spec)))
        server = gatt_role(mode, side) is GattRole.SERVER
        return cast(Wild, bumble_server(self._radio) if server else bumble_client(self._radio))

    async def _wait_for_radio(self, spec: str) -> tuple[bytes, int]:
        if spec.startswith(BUMBLE):
            await self._open_radio(spec.removeprefix(BUMBLE))
            return b"", 0
        trouble = ""
        try:
            while trouble := await _trouble(adapter_of(spec)):
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            if trouble:
                raise Ends(Outcome.GONE, trouble) from None
            raise
        return b"", 0

    async def _open_radio(self, transport: str) -> None:
        from bench.stacks.bumble_radio import Radio

        if self._radio is not None and self._radio.lost.done():
            await self._radio.close()
            self._radio = None
        if self._radio is None:
            try:
                self._radio = await Radio.open(transport, "reader")
            except LinkError as e:
                raise Ends(Outcome.GONE, str(e)) from e


def _fitting(spec: str) -> Callable[[str, str], bool]:
    """Whom a moniker means, by address and name."""
    wanted = "" if adapter_of(spec) else spec.casefold()

    def fits(address: str, name: str) -> bool:
        return not wanted or address.casefold() == wanted or fnmatchcase(name.casefold(), wanted)

    return fits


def _deadline(asked: dict[str, Any]) -> float:
    """The limit, moved by what the start of this process took, the libraries among it."""
    if asked["spec"].startswith(BUMBLE):
        import bench.stacks.bumble_stack
    else:
        import bench.stacks.bleak_stack  # noqa: F401
    deadline: float = asked["deadline"]
    started: float = asked["starting"] and min(asked["starting"], time.monotonic() - asked["asked"])
    return deadline + started


def _choose(shown: Engagement, spec: str) -> tuple[Mode, Any]:
    method = shown.method(engagement.BLE)
    if method is None:
        raise Ends(Outcome.GONE, "this engagement offers no Bluetooth: take another channel, or another phone")
    try:
        options = ble_options.parse(list(method))
    except ble_options.MalformedBleOptions as e:
        raise Ends(Outcome.GONE, f"the engagement's Bluetooth: {e}; scan another code") from None
    wanted = (Mode.CENTRAL_CLIENT, Mode.PERIPHERAL_SERVER) if spec.startswith(BUMBLE) else (Mode.PERIPHERAL_SERVER,)
    for mode in wanted:
        service = options.service(mode)
        if service is not None:
            return mode, service
    raise Ends(
        Outcome.GONE, "the phone offers mdoc central client mode only, and the Bluetooth service of this computer makes no GATT "
        "server of us: use a dongle of its own, ble:bumble:usb:0",
    )


def _worth_another_try(ended: Ended) -> bool:
    """A connection that was not to be, before anything was said: radios have this often, and the time is the caller's."""
    return ended.phase is Phase.LOST or ended.problem is Problem.OPERATION_FAILED


def _as_outcome(ended: Ended) -> Ends:
    match ended.phase:
        case Phase.REFUSED if ended.problem is Problem.OPERATION_FAILED:
            return Ends(Outcome.GONE, f"the Bluetooth service refused: {ended.detail}; connect again")
        case Phase.REFUSED:
            what = ended.problem.value if ended.problem is not None else "a rule is broken"
            detail = f" ({ended.detail})" if ended.detail else ""
            return Ends(Outcome.GARBLED, f"the phone breaks a rule: {what}{detail}; engage again")
        case Phase.ENDED_BY_PEER:
            return Ends(Outcome.GONE, f"the phone ended the session by {ended.signal.value}: engage again")
        case Phase.LOST:
            lost = f", {ended.unfinished_bytes} bytes of an answer had come" if ended.unfinished_bytes else ""
            return Ends(Outcome.GONE, f"the connection broke off{lost}: hold the phone near and engage again")
        case _:
            return Ends(Outcome.GONE, "the session is over: engage again")


# -- the adapters of this computer


async def _adapters() -> list[list[Any]]:
    """Name, address, whether it is switched on. Raises what dbus-fast raises."""
    from dbus_fast import BusType, Message, MessageType
    from dbus_fast.aio import MessageBus

    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await bus.connect()
        reply = await bus.call(Message(
            destination="org.bluez", path="/", interface="org.freedesktop.DBus.ObjectManager", member="GetManagedObjects",
        ))
        if reply is None or reply.message_type is MessageType.ERROR:
            name = "" if reply is None else reply.error_name or ""
            raise LinkError(DENIED if name.endswith("AccessDenied") else NO_SERVICE)
        found = []
        for path, interfaces in sorted(reply.body[0].items()):
            adapter = interfaces.get("org.bluez.Adapter1")
            if adapter is not None:
                found.append([path.rpartition("/")[2], adapter["Address"].value, bool(adapter["Powered"].value)])
        return found
    finally:
        bus.disconnect()


async def _look() -> tuple[list[list[Any]], str]:
    """The adapters, and why there are none."""
    try:
        found = await _adapters()
    except LinkError as e:
        return [], str(e)
    except PermissionError:
        return [], DENIED
    except (OSError, EOFError) as e:
        return [], f"{NO_BUS} [{e or type(e).__name__}]"
    except Exception as e:  # what a bus says that refuses us is as various as its policies
        return [], f"{DENIED} [{type(e).__name__}: {e}]"
    return found, "" if found else NO_ADAPTER


async def _trouble(adapter: str) -> str:
    """Why no adapter, or not this one, can be used now; empty when one can."""
    found, trouble = await _look()
    named = [powered for name, _, powered in found if not adapter or name == adapter]
    if not trouble and not named:
        return f"there is no adapter {adapter}: plug it in, or take 'ble:'"
    return trouble or ("" if any(named) else f"the Bluetooth adapter is {SWITCHED_OFF}")


async def _list(_: bytes) -> bytes:
    found, trouble = await _look()
    told: bytes = cbor2.dumps({"adapters": found, "trouble": trouble})
    return told


async def _watch(_: bytes) -> AsyncIterator[bytes]:
    """Adapters that can be used, as they come and go, and the service. A look each LOOK_S: a bus that dies announces nothing."""
    there: dict[str, str] = {}
    up: bool | None = None
    while True:
        found, trouble = await _look()
        now = {name: address for name, address, powered in found if powered}
        events = [["vanished", name, ""] for name in there if name not in now]
        serves = trouble in ("", NO_ADAPTER)
        if serves is not up:
            change = ["service-up" if serves else "service-down", "", "" if serves else trouble]
            events = [change, *events] if not serves else [*events, change]
        events += [["appeared", name, detail] for name, detail in now.items() if name not in there]
        there, up = now, serves
        for kind, name, detail in events:
            event: bytes = cbor2.dumps([kind, name, time.time_ns(), detail])
            yield event
        await asyncio.sleep(LOOK_S)


async def main() -> None:
    phone = Phone()
    await answer_in_loop(
        {
            Op.LIST: _list, Op.READY: phone.ready, Op.CONNECT: phone.connect, Op.EXCHANGE: phone.exchange, Op.SEND: phone.send,
            Op.RECEIVE: phone.receive, Op.DISCONNECT: phone.disconnect, Op.FRAMES: phone.frames,
            Op.VALUES_BEGIN: phone.values.begin, Op.VALUES_DO: phone.values.do, Op.VALUES_NEWS: phone.values.news,
        },
        {Op.WATCH: _watch},
    )
    await phone.close()


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)  # threads of a transport's library must not keep it
