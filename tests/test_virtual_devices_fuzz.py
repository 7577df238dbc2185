"""A device refuses what is wrong and never raises on what the other side sent.

A sample runs with the other tests; ``./bench.sh fuzz N`` runs N messages a device. What is sent follows from a seed, so a
failure names the message that it was.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from virtual_devices.card.profiles import PROFILES
from virtual_devices.flow import Flow
from virtual_devices.randomness import stream
from virtual_devices.reader.calls import verify_sam
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import read_medical, register, roll_back, write_fees

from .desk import NOW_NS, Bench, fees, switch_on
from .links import Changed, Through

MESSAGES = int(os.environ.get("FUZZ_MESSAGES", "1500"))


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


def spoil(rng: Random, message: bytes) -> bytes:
    """A good message with something wrong: bits, bytes, lengths, or another's tail."""
    data = bytearray(message)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(6):
            case 0 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at] = rng.choice((0x00, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 2 if data:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 4:
                data[at:] = rng.randbytes(rng.randrange(0, 40))
            case _:
                data[:5] = rng.randbytes(5)
    return bytes(data)


def device_of(bench: Bench, role: str) -> Any:
    return {"card": bench.card, "sam": bench.sam, "hpc": bench.hpc, "cloud": bench.cloud}[role]


CASES = [*(("card", profile) for profile in PROFILES), ("sam", "t1"), ("hpc", "t1"), ("cloud", "t1")]


@pytest.mark.sample
@pytest.mark.parametrize(("role", "profile"), CASES)
def test_device_answers_whatever_is_sent(role: str, profile: str) -> None:
    bench, good = overheard(profile)
    device, rng = device_of(bench, role), stream("fuzz", role, profile)
    for number in range(MESSAGES):
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


@pytest.mark.sample
@pytest.mark.parametrize("role", ["card", "sam", "hpc", "cloud"])
def test_desk_ends_clearly_whatever_is_answered(role: str) -> None:
    """The other way round: the desk's flows end with a code, or carry on, but never fall over."""
    codes = []
    for number in range(max(20, MESSAGES // 50)):
        rng = stream("fuzz desk", role, number)
        bench = Bench()

        def lie(_: int, answer: bytes, rng: Random = rng) -> bytes:
            return spoil(rng, answer) if rng.random() < 0.1 else answer

        try:
            bench.run(visit(bench), **{role: Changed(bench.links()[role], lie)})
        except Ended as e:
            codes.append(e.code)
    assert all(codes)
    assert bool(codes) == (role != "cloud")  # what the data centre did not sign is silence: the desk goes on without it
