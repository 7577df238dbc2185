"""Calibration: sessions with one device, again and again, and the latency profile that follows from them.

Wallet: engagement, one registration's request by the reference SAM, its answer, the good-bye. The phone has to trust the SAM's
authority, which follows from the seed as in ``present``: a phone that refuses is measured up to its refusal. Card: public data.
Rows stay in memory: what a stranger's device says is kept nowhere.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import date
from statistics import fmean
from typing import Any

from bench import fitting
from bench.clock import WallClock
from bench.drivers.replay import open as open_replay
from bench.monikers import JOINED, Kind, Moniker
from bench.presenting import sample_card
from bench.probe import open_device, open_wallet, serves
from bench.reader_link import DeviceLink, said
from bench.sample_phone import PIN, SamplePhone
from bench.tapped import TappedLink
from bench.willing import Willing, WillingHolder
from scenarios.profiles import FORMAT
from scenarios.world import read_status
from virtual_devices import vhc
from virtual_devices.clock import TAIWAN, Clock, VirtualClock, to_datetime
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.flow import Ask, Flow, People, Session
from virtual_devices.flow import run as run_flow
from virtual_devices.link import Attempt, DirectLink, Link, Provenance, Work
from virtual_devices.network import Contact, ContactMedium, ModelledLink
from virtual_devices.pki import Role
from virtual_devices.radio import Field, FieldLink
from virtual_devices.randomness import ByteStream, digest, stream
from virtual_devices.reader.authenticate import open_sam
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.presentation import Counter as DeskCounter
from virtual_devices.reader.presentation import Medium, open_at
from virtual_devices.reader.proximity import ROLE, SCREEN, ask, end
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import read_public
from virtual_devices.sam.sam import Sam, SamImage
from virtual_devices.segments import Segment, presentations, seen
from virtual_devices.trace import ActRow, ExchangeRow, Row
from virtual_devices.wallet.faces import NfcFace

SAM_ID, INSTITUTION = "SAM000000001", "9901180014"
HOLD = "hold the device to the reader"
PUT_IN = "put the card into the reader, or lay it on it"
LOST_IN_A_ROW, LOST_AT_FIRST = 10, 3
"""So many sessions that break off, one after the other, end a calibration; so many when none has gone well before."""
MEET_S = 6.0
"""How long a device may take to answer for the first time: who calibrates has it at hand, or has mistaken its name."""
Told = Callable[[int, int, str, str], None]
"""Told of each session that ended: how many so far, of how many, how it ended, and why where it broke off or was refused."""


@dataclass
class Samples:
    """What was seen. ``ended``: how the sessions ended: whole, refused, broken off."""

    rows: list[ExchangeRow | ActRow] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    provenance: str = "measured"

    def record(self, row: Row) -> None:
        if isinstance(row, ExchangeRow | ActRow):
            self.rows.append(row)

    @property
    def exchanges(self) -> list[ExchangeRow]:
        return [row for row in self.rows if isinstance(row, ExchangeRow)]


def sample(
    role: str, monikers: Sequence[Moniker], count: int, *, seed: int = 1, env: Mapping[str, str] | None = None,
    people: People, told: Told = lambda *_: None, into: Samples | None = None,
) -> Samples:
    """Sessions with the device, ``count`` of them. Raises LinkError when it is not there, or too many in a row break off: the
    device, the step at which they did, and the remedy; ``into`` then has what was seen until it did."""
    clock: Clock = VirtualClock(WallClock().now_ns()) if monikers[0].kind is Kind.VIRTUAL else WallClock()
    with ExitStack() as stack:
        desk = WalletDesk(seed, clock) if role == "wallet" else None
        links = _links(role, monikers, env, clock, stack, desk)
        links |= desk.links if desk is not None else {}
        samples = into if into is not None else Samples()
        samples.provenance, counter = links[role].provenance.value, _counter(links)
        lost, sound = 0, len(samples.rows)
        for number in range(count):
            flow = desk.present(counter) if desk is not None else _public()
            session = Session(
                links, clock, people, samples.record, name=f"calibrate/{number}", flow="calibrate", status=read_status,
            )
            how, why = held(flow, session)
            if why and samples.exchanges:
                why = f"at the step {samples.exchanges[-1].step!r}: {why}"
            if how == "broken off" and any(isinstance(link, _Meeting) and not link.met for link in links.values()):
                raise LinkError(f"{JOINED.join(map(str, monikers))} has not answered within {MEET_S:g} s, {why}")
            samples.ended[how] += 1
            told(number + 1, count, how, why)
            lost = lost + 1 if how == "broken off" else 0
            sound = sound if lost else len(samples.rows)
            ever = lost <= number
            if lost == (LOST_IN_A_ROW if ever else min(LOST_AT_FIRST, count)):
                samples.ended["broken off"] -= lost  # they say that it is over, and nothing of the device
                del samples.rows[sound:]
                raise LinkError(f"{JOINED.join(map(str, monikers))}: {lost} sessions in a row broke off, the last {why}")
    return samples


def held(flow: Flow[Any], session: Session) -> tuple[str, str]:
    """Hold one session: how it ended, and why, with what a link says."""
    try:
        run_flow(flow, session)
    except Ended as e:
        return "broken off" if e.torn else "refused", said(session.links, e)
    return "whole", ""


def _counter(links: Mapping[str, Link]) -> DeskCounter:
    """How the phone behind these links is met."""
    link = getattr(links.get(ROLE), "inner", None)
    if isinstance(link, TappedLink):
        return DeskCounter(Medium.NFC_BLE, serves=serves(link))
    return DeskCounter(Medium.QR_BLE if SCREEN in links else Medium.NFC)


def _public() -> Flow[Any]:
    yield Ask("holder", PUT_IN)
    return (yield from read_public())


def _links(
    role: str, monikers: Sequence[Moniker], env: Mapping[str, str] | None, clock: Clock, stack: ExitStack,
    desk: WalletDesk | None,
) -> dict[str, Link]:
    match monikers[0].kind:
        case Kind.VIRTUAL if desk is not None:
            return {ROLE: FieldLink(desk.willing(), Field(), stream("calibrate", desk.seed), clock)}
        case Kind.VIRTUAL:
            return {role: ModelledLink(sample_card(1), ContactMedium(Contact(), stream("calibrate", role)), clock)}
        case Kind.REPLAY:
            return {role: DeviceLink(open_replay(f"{monikers[0].where.partition('#')[0]}#{role}"))}
        case _ if role == "wallet":
            return {each: _Meeting(link) for each, link in open_wallet(monikers, env, stack).items()}
        case _:
            link = open_device(monikers[0], env)
            stack.callback(link.close)
            return {role: _Meeting(DeviceLink(link))}


class _Meeting:
    """A device's link; :data:`MEET_S` is the limit until it has answered for the first time."""

    def __init__(self, link: DeviceLink) -> None:
        self._link = link
        self.inner = link.inner
        self.met = False

    @property
    def channel(self) -> str:
        return self._link.channel

    @property
    def device(self) -> str:
        return self._link.device

    @property
    def provenance(self) -> Provenance:
        return self._link.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return self._seen(self._link.attempt(message, self._limit(timeout_s)))

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        return self._seen(self._link.connect_to(address, self._limit(timeout_s)))

    def _limit(self, timeout_s: float) -> float:
        return timeout_s if self.met else min(timeout_s, MEET_S)

    def _seen(self, attempt: Attempt) -> Attempt:
        self.met |= attempt.reply is not None
        return attempt


class WalletDesk:
    """A desk with its SAM, of the authority of the sample phones with this seed."""

    def __init__(self, seed: int, clock: Clock) -> None:
        now_ns = clock.now_ns()
        self.seed = seed
        self.clock = clock
        self._phone = SamplePhone(seed, now_ns)
        authority = self._phone.authority
        identity = authority.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)
        sam = Sam(SamImage(SAM_ID, INSTITUTION, identity, authority.root_der, digest(seed, "calibrate")))
        self.links: dict[str, Link] = {"sam": DirectLink(sam, clock)}
        fresh = ByteStream(seed, "calibrate", now_ns)
        self.desk = Desk("calibrate", Institution(INSTITUTION), authority.verifier(), clock, fresh)
        self.desk.reader_chain = authority.renew(
            Role.SAM, SAM_ID, identity.key.public_key(), now_ns, organisation=INSTITUTION
        )
        self.sam: Handle = run_flow(open_sam(self.desk), Session(self.links, clock))

    def willing(self) -> Willing:
        """The sample phone itself, its holder agreeing to everything."""
        return Willing(NfcFace(self._phone.phone), WillingHolder(self._phone.phone, PIN, self.clock))

    def work(self) -> Work:
        """What the reference phone does for one presentation."""
        clock = VirtualClock(self.clock.now_ns())
        other = WalletDesk(self.seed, clock)
        phone = other._phone.phone
        links = other.links | {ROLE: DirectLink(other.willing(), clock, channel="nfc")}
        before = phone.work.copy()
        run_flow(other.present(DeskCounter()), Session(links, clock))
        return phone.work.since(before)

    def present(self, counter: DeskCounter) -> Flow[Any]:
        """One presentation, from the holder's act to the good-bye."""
        yield Ask("holder", HOLD)
        opened = yield from open_at(self.desk, counter)
        try:
            yield from ask(self.desk, opened, vhc.REGISTRATION, self.sam)
        except Ended as e:
            if not e.torn:
                yield from end(opened)
            raise
        yield from end(opened)


def profile(
    role: str, moniker: str, samples: Samples, *, seed: int = 1, described: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The profile's values, ready for :func:`scenarios.profiles.to_toml`. Raises UsageError when there were too few sessions."""
    rows, total = samples.exchanges, sum(samples.ended.values())
    broken = samples.ended["broken off"]
    if role == "card" and total and not samples.ended["whole"]:
        raise UsageError(f"too few sessions for a profile: what is at {moniker} has no public data to read; is it an NHI card?")
    try:
        models, measured, modelled = _fitted(role, rows, broken / max(1, total), seed)
    except fitting.TooFew as e:
        raise UsageError(f"too few sessions for a profile: {e}; ended: {dict(samples.ended)}") from e
    origin = {
        "role": role, "moniker": moniker, **_device(role, moniker, rows), "provenance": samples.provenance, **(described or {}),
        "measured_on": _today(),
        "samples": samples.ended["whole"], "broken_off": broken, "refused": samples.ended["refused"],
    }
    return {
        "format": FORMAT, "measured": measured, "modelled": modelled, "origin": origin, "segments": _segments(role, samples),
        **{name: asdict(model) for name, model in models.items()},
    }


def _device(role: str, moniker: str, rows: Sequence[ExchangeRow]) -> dict[str, str]:
    """Which device answered, where the moniker leaves that open: a pattern, or whoever shows the code."""
    found = {row.device for row in rows if row.role == role and row.outcome == "replied"} - {moniker, "virtual"}
    return {"device": ", ".join(sorted(found))} if found else {}


def _fitted(role: str, rows: Sequence[ExchangeRow], share: float, seed: int) -> tuple[dict[str, Any], list[str], list[str]]:
    if role == "card":
        return (
            {"contact": fitting.contact(rows)}, ["contact.byte_us", "contact.command", "contact.reset_ms"],
            ["contact: signature, verification, chain, mac and write are assumed: the public data need none of them"],
        )
    work = WalletDesk(seed, WallClock()).work()
    whose = "phone.signature_ms is all of an answer's work beside the medium; the other prices of phone are assumed"
    tapped = [row for row in rows if row.channel == "nfc"]
    if tapped and any(row.step == "connect" for row in rows):
        return (
            {"bluetooth": fitting.bluetooth(rows, work, share), "field": fitting.field(tapped, work, 0.0)},
            ["bluetooth.connected", "bluetooth.lost", "bluetooth.phone.signature_ms", "field.found", "field.command",
             "field.kbit_s"],
            ["bluetooth.interval_ms, packets_per_interval and mtu are assumed", f"bluetooth.{whose}",
             "field.taken_away is 0: what broke off is in bluetooth.lost", "field.block_ms is 0: it is in field.command and "
             "field.kbit_s", "field.held_ms and the prices of field.phone are assumed: the tap asks for no work"],
        )
    if any(row.step == "connect" for row in rows):
        return (
            {"bluetooth": fitting.bluetooth(rows, work, share), "camera": fitting.camera(rows)},
            ["bluetooth.connected", "bluetooth.lost", "bluetooth.phone.signature_ms", "camera.read", "camera.failed"],
            ["bluetooth.packets_per_interval and mtu are assumed; so is interval_ms, which is shorter than 30 only where the "
             "answers were quicker than that lets them be", f"bluetooth.{whose}"],
        )
    return (
        {"field": fitting.field(rows, work, share)},
        ["field.found", "field.command", "field.kbit_s", "field.taken_away", "field.phone.signature_ms"],
        ["field.block_ms is 0: it is in field.command and field.kbit_s", "field.held_ms is assumed", f"field.{whose}",
         "field.kbit_s is told from short commands; what it is wrong by in a long answer is in field.phone.signature_ms"],
    )


def _segments(role: str, samples: Samples) -> dict[str, Any]:
    """What was seen, segment by segment; of a card, its power-on and its answers."""
    times: dict[str, list[float]] = {}
    if role == "card":
        for row in samples.exchanges:
            name = Segment.RESPONSE if row.request_bytes else Segment.FOUND
            times.setdefault(name.value, []).append(row.duration_ns / fitting.MS)
    else:
        for one in presentations(map(seen, samples.rows)):
            for segment, ns in one.ns.items() if one.whole else ():
                if ns and segment is not Segment.HUMAN:
                    times.setdefault(segment.value, []).append(ns / fitting.MS)
    return {name: _summary(sorted(values)) for name, values in times.items()}


def _summary(values: Sequence[float]) -> dict[str, Any]:
    def at(share: float) -> float:
        return values[max(0, math.ceil(share * len(values)) - 1)]

    return {
        "n": len(values), "mean_ms": fmean(values), "median_ms": at(0.5), "p95_ms": at(0.95), "least_ms": values[0],
        "most_ms": values[-1],
    }


def _today() -> date:
    return to_datetime(WallClock().now_ns()).astimezone(TAIWAN).date()


__all__ = ["HOLD", "Samples", "WalletDesk", "held", "profile", "sample"]
