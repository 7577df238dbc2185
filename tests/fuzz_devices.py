"""Cards, SAM, data centre and the desk's flows, fuzzed from a seed: good messages overheard in a visit, spoilt, to a device that
keeps its state. Each is a campaign of so many messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from virtual_devices.card.profiles import PROFILES
from virtual_devices.flow import Flow
from virtual_devices.randomness import stream
from virtual_devices.reader.calls import verify_sam
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import read_medical, register, roll_back, write_fees

from .desk import NOW_NS, Bench, fees, switch_on
from .fuzz_spoil import spoil
from .links import Changed, Through

MESSAGES_A_VISIT = 50
"""A visit of the desk counts for so many messages."""


def visit(bench: Bench) -> Flow[None]:
    """Everything that a desk says in a visit."""
    sam = yield from switch_on(bench)
    yield from verify_sam(bench.desk, sam)
    registered = yield from register(bench.desk, bench.request())
    yield from read_medical(bench.desk, bench.doctor, registered.public)
    yield from write_fees(bench.desk, registered, bench.act("fees"), fees())
    yield from roll_back(bench.desk, registered, bench.act("cancel"), registered.request.visited_at)


def overheard(profile: str) -> tuple[Bench, dict[str, list[bytes]]]:
    """A desk after a visit, and the good messages to each of its devices, to be spoilt later."""
    bench = Bench(profile)
    links = {role: Through(link) for role, link in bench.links().items()}
    bench.run(visit(bench), **links)
    return bench, {role: [m for m in link.messages if m] for role, link in links.items()}


def device_of(bench: Bench, role: str) -> Any:
    return {"card": bench.card, "sam": bench.sam, "hpc": bench.hpc, "cloud": bench.cloud}[role]


def to_device(role: str, profile: str, messages: int, seed: int = 0) -> None:
    """Every answer is one, and no message raises."""
    bench, good = overheard(profile)
    device, rng = device_of(bench, role), stream("fuzz", role, profile, *((seed,) if seed else ()))
    for number in range(messages):
        kind = rng.random()
        message = rng.randbytes(rng.choice((0, 1, 4, 5, 7, 30, 300))) if kind < 0.15 else rng.choice(good[role])
        if kind > 0.35:
            message = spoil(rng, message)
        try:
            answer = device.handle(message, NOW_NS + number)
        except Exception as e:
            raise AssertionError(f"message {number} to the {role}, {message.hex()}: {type(e).__name__}: {e}") from e
        assert isinstance(answer, bytes)
        assert len(answer) >= 2
        if rng.random() < 0.01:
            device.power_off()
            device.power_on()


def to_desk(role: str, messages: int, seed: int = 0) -> None:
    """The other way round: the desk's flows end with a code, or carry on, but never fall over."""
    codes = []
    for number in range(max(20, messages // MESSAGES_A_VISIT)):
        rng = stream("fuzz desk", role, number, *((seed,) if seed else ()))
        bench = Bench()

        def lie(_: int, answer: bytes, rng: Any = rng) -> bytes:
            return spoil(rng, answer) if rng.random() < 0.1 else answer

        try:
            bench.run(visit(bench), **{role: Changed(bench.links()[role], lie)})
        except Ended as e:
            codes.append(e.code)
    assert all(codes)
    assert bool(codes) == (role != "cloud")  # what the data centre did not sign is silence: the desk goes on without it


def _campaigns() -> dict[str, Callable[[int, int], None]]:
    found: dict[str, Callable[[int, int], None]] = {f"card-{p}": partial(to_device, "card", p) for p in PROFILES}
    found |= {role: partial(to_device, role, "t1") for role in ("sam", "hpc", "cloud")}
    return found | {f"desk-{role}": partial(to_desk, role) for role in ("card", "sam", "hpc", "cloud")}


CAMPAIGNS = _campaigns()
"""Name -> what is to be called with the number of messages and a seed."""
