"""Our own clinic's or pharmacy's software as a program that is tried from outside: ``python -m bench.own_office clinic``.

It answers the lines of docs/reference/programs.md on standard output. Its data centre is met over HTTPS, its chips in the slots
that the bench lends or in PC/SC readers. Whom it trusts and the numbers of its records follow from the suite's seed.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import httpx2

from bench.clock import WallClock
from bench.drivers import pcsc
from bench.reach.office_program import world_of_now
from bench.reader_link import ReaderLink
from conformance.references.clinic import Done, ReferenceClinic, Shelves
from conformance.references.desks import Around
from conformance.references.pharmacy import Found, ReferencePharmacy
from conformance.vectors.world import World
from virtual_devices.clock import Clock, VirtualClock
from virtual_devices.link import Attempt, DirectLink, Link, Outcome, Provenance

Said = Mapping[str, Any]
DESK, MEDIA_TYPE, ANSWER_S = "/v1/messages/desk", "application/cose", 5.0


class Line:
    """To the data centre, over HTTPS. An answer that does not come is silence: why, nobody here knows."""

    channel, device, provenance = "network", "data centre", Provenance.MEASURED

    def __init__(self, centre: Mapping[str, str]) -> None:
        context = ssl.create_default_context(cafile=centre["ca"])
        context.load_cert_chain(centre["certificate"], centre["key"])
        self._client = httpx2.Client(base_url=centre["url"], verify=context, trust_env=False, timeout=ANSWER_S)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        try:
            answer = self._client.post(DESK, content=message, headers={"Content-Type": MEDIA_TYPE}, timeout=timeout_s)
        except httpx2.HTTPError:
            return Attempt(Outcome.TIMED_OUT, 0)
        return Attempt(Outcome.REPLIED, 0, answer.content) if answer.status_code == 200 else Attempt(Outcome.GARBLED, 0)

    def close(self) -> None:
        self._client.close()


class Slot:
    """A slot that the bench lends."""

    channel, device, provenance = "contact", "lent", DirectLink.provenance

    def __init__(self, url: str, client: httpx2.Client) -> None:
        self._url, self._client = url, client

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        try:
            said = self._client.post(self._url, json={"message": message.hex()}, timeout=timeout_s).json()
        except httpx2.HTTPError:
            return Attempt(Outcome.GONE, 0)
        outcome = Outcome(said["outcome"])
        return Attempt(outcome, 0, bytes.fromhex(said["reply"]) if outcome is Outcome.REPLIED else None)


class Office:
    """One desk at a time, in a town of its own each time."""

    def __init__(self, kind: str, seed: int) -> None:
        self._make: Any = {"clinic": ReferenceClinic, "pharmacy": ReferencePharmacy}[kind]
        self._seed, self._count = seed, 0
        self._client = httpx2.Client(trust_env=False)
        self._line: Line | None = None
        self._software: Any = None
        self._clock: Clock = VirtualClock()
        self._readers: dict[str, pcsc.PcscLink] = {}

    def answer(self, asked: Said) -> Said:
        """One line's answer. What is not known is an error."""
        now_ns = asked["now_ms"] * 10**6
        if asked["do"] == "new":
            self._new(asked, now_ns)
            return {}
        if isinstance(self._clock, VirtualClock):
            self._clock.advance_to(now_ns)
        act = _ACTS.get(asked["do"])
        if act is None or not hasattr(self._software, act[0]):
            return {"error": f"this software knows no {asked['do']!r}"}
        name, arguments = act
        return _told(getattr(self._software, name)(**arguments(asked)))

    def _new(self, asked: Said, now_ns: int) -> None:
        if self._line is not None:
            self._line.close()
        self._count += 1
        self._line = Line(asked["centre"])
        self._clock = VirtualClock(now_ns) if asked["clock"] == "bench" else WallClock()
        slots: dict[str, Link] = {role: Slot(url, self._client) for role, url in asked["slots"].items()}
        slots |= {role: self._reader(name) for role, name in asked["readers"].items()}
        world = World(self._seed, now_ns, now_ns) if asked["clock"] == "bench" else world_of_now(self._seed, now_ns)
        self._software = self._make(world, "desk", f"office {self._count}", Around(self._clock, slots, self._line))
        desk, told = self._software.desk, asked["certificates"]
        desk.reader_chain, desk.hpc_reader_chain = (tuple(map(bytes.fromhex, told[role])) for role in ("sam", "hpc"))
        if hasattr(self._software, "take_lists"):
            self._software.take_lists([bytes.fromhex(raw) for raw in asked["lists"]])

    def _reader(self, name: str) -> Link:
        """A PC/SC reader, opened once."""
        if name not in self._readers:
            self._readers[name] = pcsc.open(name)
        return ReaderLink(self._readers[name])


def _told(found: Any) -> Said:
    match found:
        case Done():
            return {**asdict(found), "raw": found.raw.hex()}
        case Found():
            return {"code": found.code, "text": found.text, "states": [[root.hex(), state] for root, state in found.states]}
        case Shelves():
            return asdict(found)
    return {}


def _same(*names: str) -> Callable[[Said], dict[str, Any]]:
    return lambda asked: {name: asked[name] for name in names}


def _find(asked: Said) -> dict[str, Any]:
    found = {name: asked[name] for name in ("card_no", "number") if name in asked}
    return found | ({"id": bytes.fromhex(asked["id"])} if "id" in asked else {})


_ACTS: Mapping[str, tuple[str, Callable[[Said], dict[str, Any]]]] = {
    **{name: (name, _same()) for name in (
        "upload", "shelves", "certificates_over", "mistype", "answer_doubts", "signed_on_paper", "no_paper", "give_back",
        "settle")},
    **{name: (name, _same(*arguments)) for name, arguments in {
        "visit": ("how", "visit_type", "upload", "fees", "allergy"), "by_telephone": ("id_no", "birth_date"),
        "prescribe": ("letter", "days"), "change": ("what",), "take_along": ("hours",), "policy": ("offline",),
        "version": ("version",), "type": ("what", "text"), "record": ("upload",),
    }.items()},
    "correct": ("correct", lambda asked: {"identity": True} if asked.get("identity") else {}),
    "revoked": ("revoke", lambda asked: {"serials": [int(one, 16) for one in asked["serials"]]}),
    "put_in_bag": ("put_in_bag", lambda asked: {"raw": bytes.fromhex(asked["raw"])}),
    "at_home": ("at_home", lambda asked: {"identity": bytes.fromhex(asked["identity"]), "professional": asked["professional"]}),
    "find": ("find", _find),
    "scan": ("scan", lambda asked: {"texts": asked["texts"], "device": bytes.fromhex(asked["device"])}),
    "card": ("card", lambda _: {"personal": {}}), "phone": ("phone", lambda _: {"records": (), "chains": ()}),
    "dispense": ("dispense", lambda asked: {"root": bytes.fromhex(asked["id"])}),
    "doubt": ("doubt", lambda asked: {"root": bytes.fromhex(asked["id"])}),
}
"""What is asked -> the software's own act, and its arguments."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("clinic", "pharmacy"))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    office = Office(given.kind, given.seed)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(office.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
